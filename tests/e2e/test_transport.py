"""Images on their way into the node.

Here is also everything that can make what runs there older than what is here.
"""

import os
import subprocess
from dataclasses import replace

import pytest

from scripts.images import transport
from scripts.release import pods
from scripts.supply import bases

MEGABYTE = 1 << 20


def _deploy():
    result = subprocess.run(
        ["invoke", "deploy", "--yes"], capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def node(run):
    return transport.nodes(run.settings.cluster.profile)[0]


@pytest.fixture(scope="module")
def python(run, docker):
    return bases.ensure(run, docker, ("python",), bases.from_upstream(run))["python"]


@pytest.fixture
def make_image(run, docker, node, tmp_path):
    """Build an image of its own: one megabyte that nobody has seen, on `base`.

    (reference, image ID)
    """
    made = []

    def make_image(base):
        (tmp_path / "blob").write_bytes(os.urandom(MEGABYTE))
        (tmp_path / "Dockerfile").write_text(f"FROM {base}\nCOPY blob /blob\n")
        reference = f"phase4-e2e:{os.urandom(6).hex()}"
        run.shell.run(
            docker.client,
            "build",
            "--quiet",
            f"--tag={reference}",
            tmp_path,
            env={"DOCKER_BUILDKIT": "1"},
        )
        made.append(reference)
        return reference, run.shell.run(
            docker.client, "image", "inspect", "--format={{.Id}}", reference
        ).stdout.strip()

    yield make_image
    for reference in made:
        run.shell.run(docker.client, "rmi", reference)
        run.shell.run(
            *node.command(docker, "crictl", "rmi", transport.normalized(reference)), check=False
        )


@pytest.fixture
def in_the_node(run, docker, node):
    return lambda *command: run.shell.run(*node.command(docker, *command)).stdout


@pytest.fixture
def backend(as_json):
    return as_json("get", "deployment", "todo-app-backend")["spec"]["template"]["spec"][
        "containers"
    ][0]["image"]


@pytest.fixture
def watched(run, docker, monkeypatch):
    """What each stream into the node came from: the commands before the node's own, in order."""
    seen, pipe = [], run.shell.pipe
    monkeypatch.setattr(
        run.shell,
        "pipe",
        lambda *commands, **options: seen.append(commands[:-1]) or pipe(*commands, **options),
    )
    return seen


def test_only_new_layers_travel(run, docker, found, node, make_image, python, backend, watched):
    # `minikube image load`, which the plan's test types, leaves the backend's layers compressed on
    # the node, under other digests. They travel once more, with the first image.
    transport.load_images(run, docker, found["minikube"], dict([make_image(backend)]), python)
    watched.clear()
    reference, image_id = make_image(backend)
    loaded = transport.load_images(run, docker, found["minikube"], {reference: image_id}, python)
    assert loaded.sent == (reference,)
    assert len(watched) == 1
    (writing,) = watched[0]
    archive = subprocess.run(writing, capture_output=True, check=True).stdout
    assert MEGABYTE < len(archive) < 1.1 * MEGABYTE
    assert (
        transport.load_images(run, docker, found["minikube"], {reference: image_id}, python).sent
        == ()
    )


def test_a_user_who_may_not_read_the_engines_folder_sends_the_same(
    run, docker, found, make_image, python, backend, watched, monkeypatch
):
    monkeypatch.setattr(transport, "_may_read", lambda folder: False)
    reference, image_id = make_image(backend)
    assert transport.load_images(
        run, docker, found["minikube"], {reference: image_id}, python
    ).sent == (reference,)
    assert [source[0][:2] for source in watched] == [[docker.client, "run"]]


def test_out_of_what_the_engine_writes_only_new_layers_travel(
    run, docker, found, make_image, python, backend, watched, monkeypatch
):
    """Where nobody knows the store's place. An engine before 25 writes no blobs: all travels."""
    ways = (transport._filtered, transport._whole)
    monkeypatch.setattr(transport, "_ways", lambda engine: ways)
    reference, image_id = make_image(backend)
    assert transport.load_images(
        run, docker, found["minikube"], {reference: image_id}, python
    ).sent == (reference,)
    assert [source[0] for source in watched] == [[docker.client, "save", reference]]


def test_what_cannot_be_put_together_from_layers_goes_whole(
    run, docker, found, make_image, python, backend, watched, tmp_path
):
    """As when a newer engine keeps its layers in other places.

    The archive ends in its middle, and nothing is lost.
    """
    reference, image_id = make_image(backend)
    other = replace(docker, root=str(tmp_path))
    assert transport.load_images(
        run, other, found["minikube"], {reference: image_id}, python
    ).sent == (reference,)
    assert len(watched) == 2


def test_a_load_that_was_cut_off_is_done_again(
    run, docker, found, node, make_image, python, backend, in_the_node
):
    reference, image_id = make_image(backend)
    saved = subprocess.Popen([docker.client, "save", reference], stdout=subprocess.PIPE)
    half = subprocess.run(
        transport._import(docker, node),
        input=saved.stdout.read(100 * MEGABYTE),
        capture_output=True,
    )
    saved.kill()
    saved.wait()
    assert half.returncode != 0
    assert transport.load_images(
        run, docker, found["minikube"], {reference: image_id}, python
    ).sent == (reference,)
    # And one that lost a layer afterwards: it is listed still, but it is not whole.
    layer = run.shell.run(
        docker.client, "image", "inspect", '--format={{join .RootFS.Layers " "}}', reference
    ).stdout.split()[-1]
    in_the_node("ctr", "--namespace=k8s.io", "content", "rm", layer)
    assert (
        transport.normalized(reference)
        in in_the_node("ctr", "--namespace=k8s.io", "images", "ls", "--quiet").split()
    )
    assert transport.load_images(
        run, docker, found["minikube"], {reference: image_id}, python
    ).sent == (reference,)
    assert (
        transport.load_images(run, docker, found["minikube"], {reference: image_id}, python).sent
        == ()
    )


def test_an_image_taken_from_the_node_comes_back(kube, state, backend, in_the_node, run):
    """With it the pod that could not start meanwhile, which the kubelet lets wait for minutes."""
    in_the_node(
        "ctr", "--namespace=k8s.io", "images", "rm", "--sync", transport.normalized(backend)
    )
    kube("delete", "pod", "-l", "app.kubernetes.io/component=backend", timeout=90)

    def tried_in_vain():
        return [pod for pod in state() if pod["kind"] == "Pod" and pods.images_not_got(pod)]

    assert run.shell.until(tried_in_vain, 60)
    said = _deploy()
    assert f"sending {backend}" in said
    assert "waited for an image that is there now: starting anew" in said
    assert (
        transport.normalized(backend)
        in in_the_node("ctr", "--namespace=k8s.io", "images", "ls", "--quiet").split()
    )


def test_a_tag_that_means_something_else_on_the_node_is_put_right_with_the_pods_that_run_it(
    run, docker, kube, state, backend, base, in_the_node, user
):
    """Somebody gives our tag to other contents, and the pod starts with them.

    Nothing in Kubernetes' objects differs.
    """
    right = run.shell.run(
        docker.client, "image", "inspect", "--format={{.Id}}", backend
    ).stdout.strip()
    name = transport.normalized(backend)
    stranger = f"{name.rpartition(':')[0]}:stranger"
    try:
        kube("scale", "deployment/todo-app-backend", "--replicas=0")
        assert run.shell.until(
            lambda: (
                not kube("get", "pods", "-l", "app.kubernetes.io/component=backend", "-o", "name")
            ),
            60,
        )
        # The same program with another label: it serves as well as ours.
        built = f"FROM {backend}\nLABEL stranger=yes\n"
        run.shell.run(
            docker.client,
            "build",
            "--quiet",
            "--tag=phase4-e2e:stranger",
            "-",
            stdin=built,
            env={"DOCKER_BUILDKIT": "1"},
        )
        run.shell.run(
            docker.client, "tag", "phase4-e2e:stranger", stranger.removeprefix("docker.io/library/")
        )
        run.shell.pipe(
            [docker.client, "save", stranger.removeprefix("docker.io/library/")],
            transport._import(docker, transport.nodes(run.settings.cluster.profile)[0]),
        )
        in_the_node("ctr", "--namespace=k8s.io", "images", "tag", "--force", stranger, name)
    finally:
        kube("scale", "deployment/todo-app-backend", "--replicas=1")
    kube("rollout", "status", "deployment/todo-app-backend", "--timeout=120s", timeout=130)

    def running():
        return {
            status["imageID"]
            for pod in state()
            if pod["kind"] == "Pod" and not pod["metadata"].get("deletionTimestamp")
            for status in pod["status"]["containerStatuses"]
            if status["name"] == "backend"
        }

    assert running() != {right}
    said = _deploy()
    assert "deployment/todo-app-backend runs other contents under its image's name" in said
    assert running() == {right}
    assert user.get("/todos") == []
    run.shell.run(
        docker.client, "rmi", "phase4-e2e:stranger", stranger.removeprefix("docker.io/library/")
    )
    in_the_node("ctr", "--namespace=k8s.io", "images", "rm", stranger)
