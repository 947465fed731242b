"""The plan's phase 4: the release, its pods and Services, its address."""

from __future__ import annotations

from scripts.checks.acceptance.look import Look, NotApplicable
from scripts.release import access, rollout


def deployed(look: Look) -> str:
    """Helm's newest revision is deployed."""
    newest = look.latest
    if not newest:
        raise NotApplicable("installed by other means than helm")
    number, status = newest["revision"], newest["status"]
    assert status == "deployed", f"revision {number} is {status}"
    return f"revision {number} of {newest['chart']} is deployed"


def all_running(look: Look) -> str:
    """Every pod runs and is ready."""
    kept = set(look.pods())
    all_phases = {pod["metadata"]["name"]: pod["status"]["phase"] for pod in look.of("Pod")}
    phases = {name: phase for name, phase in all_phases.items() if name in kept}
    waiting = rollout.unready(look.state)
    assert set(phases.values()) == {"Running"}, f"{phases}"
    assert not waiting, f"not ready: {', '.join(waiting)}"
    return ", ".join(f"{name} {phase}" for name, phase in phases.items())


def endpoints(look: Look) -> str:
    """Every Service has a ready endpoint."""
    counts = rollout.endpoints(look.state)
    empty = [name for name, count in counts.items() if not count]
    assert counts, "no service"
    assert not empty, f"without endpoints: {empty}"
    return ", ".join(f"{name}: {count}" for name, count in counts.items())


def ingress(look: Look) -> str:
    """There is an Ingress."""
    listed = look.of("Ingress")
    if look.facts.no_ingress:
        raise NotApplicable(f"the app has no Ingress here: {look.facts.no_ingress}")
    assert listed, "no Ingress"
    hosts = {
        one["metadata"]["name"]: [rule["host"] for rule in one["spec"]["rules"]] for one in listed
    }
    return ", ".join(f"{name} ({', '.join(served)})" for name, served in hosts.items())


def resolves(look: Look) -> str:
    """The host name resolves on this machine."""
    host = look.release.host
    if look.run.settings.is_there:
        raise NotApplicable("the cluster's own DNS says where it is; `invoke open` needs no name")
    address = access.resolve(host)
    if not address and look.run.settings.hosts_file == "skip":
        raise NotApplicable("phase4.hosts_file is skip; the .localhost name needs no entry")
    assert address, f"{host} does not resolve; `invoke dns` writes the entry"
    return f"{host} is {address}"


def http(look: Look) -> str:
    """The page answers through the ingress."""
    answer = look.get("/")
    took = answer.elapsed.total_seconds() * 1000
    return f"GET / with host {look.release.host}: {answer.status_code} in {took:.0f} ms"
