"""Everything that can go wrong, in one shape: a code, the evidence, and what to do next.

Each code has a section of the same name in TROUBLESHOOTING.md; a unit test checks that. Each code
belongs to a stage, and the stage decides the exit code of the command.
"""

from __future__ import annotations

from dataclasses import dataclass

INTERRUPTED = 130  # the shell's own convention: 128 + SIGINT
BROKEN_PIPE = 141  # 128 + SIGPIPE

#: Exit code of each stage. Stable: scripts may depend on them.
EXIT_CODES = {
    "settings": 2,
    "check": 10,
    "engine": 11,
    "supply": 12,
    "cluster": 13,
    "survey": 14,
    "images": 15,
    "transport": 16,
    "chart": 17,
    "release": 18,
    "rollout": 19,
    "access": 20,
    "smoke": 21,
    "internal": 70,
}

#: Every code, and the stage it belongs to.
CODES = {
    "SETTINGS-INVALID": "settings",
    "WINDOWS-WITHOUT-LINUX": "check",
    "PYTHON-TOO-OLD": "check",
    "EXTRA-MISSING": "check",
    "DISK-TOO-SMALL": "check",
    "MEMORY-TOO-SMALL": "check",
    "PORT-TAKEN": "check",
    "DEPLOY-RUNNING": "check",
    "ENGINE-MISSING": "engine",
    "ENGINE-UNREACHABLE": "engine",
    "ENGINE-NOT-PERMITTED": "engine",
    "ENGINE-CLIENT": "engine",
    "TOOL-UNAVAILABLE": "supply",
    "CHECKSUM-MISMATCH": "supply",
    "REGISTRY-UNREACHABLE": "supply",
    "SOURCE-BUILD-FAILED": "supply",
    "BASE-IMAGE-UNAVAILABLE": "supply",
    "BUNDLE-UNREACHABLE": "supply",
    "BUNDLE-FOREIGN": "supply",
    "BUNDLE-OUTDATED": "supply",
    "BUNDLE-DAMAGED": "supply",
    "BUNDLE-UNSIGNED": "supply",
    "CLUSTER-START-FAILED": "cluster",
    "CLUSTER-NOT-RUNNING": "cluster",
    "CLUSTER-DIFFERENT": "cluster",
    "CLUSTER-NOT-OURS": "cluster",
    "ADDON-NOT-READY": "cluster",
    "STORAGE-CLASS-MISSING": "cluster",
    "INGRESS-CLASS-MISSING": "cluster",
    "APP-NOT-FOUND": "survey",
    "APP-INCOMPLETE": "survey",
    "DATABASE-UNCLEAR": "survey",
    "APP-NEEDS-SERVICE": "survey",
    "VARIABLES-MISSING": "survey",
    "PACKAGES-UNRESOLVABLE": "images",
    "IMAGE-BUILD-FAILED": "images",
    "IMAGE-RUN-FAILED": "images",
    "IMAGE-LOAD-FAILED": "transport",
    "IMAGE-PUSH-FAILED": "transport",
    "IMAGES-NO-WAY": "transport",
    "CHART-INVALID": "chart",
    "RELEASE-STUCK": "release",
    "RELEASE-FAILED": "release",
    "RELEASE-NOT-OURS": "release",
    "DATABASE-PASSWORD-LOST": "release",
    "IMAGE-PULL": "rollout",
    "CRASH-LOOP": "rollout",
    "MIGRATION-FAILED": "rollout",
    "ROLLED-BACK": "rollout",
    "ROLLBACK-FAILED": "release",
    "DATABASE-NOT-OURS": "release",
    "DUMP-FAILED": "release",
    "RESTORE-FAILED": "release",
    "OUT-OF-MEMORY": "rollout",
    "PROBE-FAILING": "rollout",
    "POD-PENDING": "rollout",
    "CONFIG-MISSING": "rollout",
    "ROLLOUT-TIMEOUT": "rollout",
    "DATABASE-PASSWORD-WRONG": "rollout",
    "DATABASE-UNREACHABLE": "rollout",
    "DATABASE-READ-ONLY": "rollout",
    "DATABASE-RIGHTS": "rollout",
    "TABLE-MISSING": "rollout",
    "EXTENSION-MISSING": "rollout",
    "VOLUME-FULL": "rollout",
    "SECRET-EMPTY": "rollout",
    "IMAGE-ARCHITECTURE": "rollout",
    "IMAGE-STALE": "rollout",
    "PORT-MISMATCH": "rollout",
    "MIGRATIONS-PENDING": "rollout",
    "SCALED-TO-ZERO": "rollout",
    "ROLLOUT-PAUSED": "rollout",
    "CLUSTER-SYSTEM-DOWN": "cluster",
    "QUOTA-EXCEEDED": "rollout",
    "POD-REFUSED": "rollout",
    "CLAIM-PENDING": "rollout",
    "NODE-NOT-READY": "cluster",
    "NODE-PRESSURE": "cluster",
    "CLOCK-SKEW": "cluster",
    "CERTIFICATE-EXPIRED": "cluster",
    "CONTEXT-MISSING": "cluster",
    "CONTEXT-UNKNOWN": "cluster",
    "CONTEXT-DECLINED": "cluster",
    "RIGHTS-MISSING": "cluster",
    "RELEASE-MISSING": "release",
    "DEV-LOOP-OPEN": "release",
    "SERVICE-SELECTOR": "access",
    "INGRESS-CONTROLLER-DOWN": "access",
    "INGRESS-MISSING": "access",
    "INGRESS-BACKEND": "access",
    "INGRESS-MIDDLEWARE": "access",
    "ROUTE-TAKEN": "access",
    "POLICY-IN-THE-WAY": "access",
    "PROXY-IN-THE-WAY": "access",
    "HOSTS-ENTRY": "access",
    "INGRESS-UNREACHABLE": "access",
    "SMOKE-FAILED": "smoke",
    "APP-DEGRADED": "smoke",
    "VERIFY-FAILED": "smoke",
    "BUNDLE-UNSAFE": "internal",
    "RECORD-INVALID": "settings",
    "COMMAND-FAILED": "internal",
    "COMMAND-TIMEOUT": "internal",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    code: a key of CODES. subject: the object, in the field's terms ("pod/todo-app-backend-0").
    summary: one plain sentence. evidence: what was seen, word by word, a few lines at most.
    remedy: what to do; a command if there is one.
    """

    code: str
    subject: str
    summary: str
    evidence: str = ""
    remedy: str = ""

    @property
    def exit_code(self) -> int:
        """Return the exit code of the stage that the finding belongs to."""
        return EXIT_CODES[CODES[self.code]]


class Failure(Exception):
    """A stage cannot go on. Carries at least one Finding; the first is the cause."""

    def __init__(self, finding: Finding, *more: Finding) -> None:
        super().__init__(f"{finding.code}: {finding.summary}")
        self.findings = (finding, *more)

    @property
    def exit_code(self) -> int:
        """Return the exit code of the first finding."""
        return self.findings[0].exit_code


def failure(code: str, subject: str, summary: str, evidence: str = "", remedy: str = "") -> Failure:
    """Return a Failure with one Finding."""
    return Failure(Finding(code, subject, summary, evidence, remedy))
