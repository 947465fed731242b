import os
import time

import pytest

from scripts.supply import golang, node, prune, stock


def put(path, size=5000):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


@pytest.fixture
def made(make_run):
    """A run whose cache has all that a cluster is made of."""
    run = make_run()
    for place in stock.wanted(run).files:
        put(place)
    return run


def names(found):
    return {one.what for one in found.waste}


def test_what_is_needed_later_stays(made):
    cache = made.settings.cache
    kept = [
        *stock.wanted(made).files,
        golang.place(made, "crictl"),  # for a node image that the engine lost
        put(cache / "go" / "helm-v3.22.0-1.26.6" / "helm"),  # of a test session
        put(cache / "requirements" / "0123456789abcdef-undated.json"),
        put(cache / "clusters" / "todo-chatbot.json"),
        put(cache / "logs" / "timings.json"),
        put(cache / "bundle" / "taken.json"),
    ]
    put(kept[-6])
    gone = [
        put(cache / "go-build" / "ab" / "abcd-d", 1 << 20),
        put(cache / "go-mod" / "k8s.io" / "api" / "types.go"),
        put(cache / "go" / "workspace-0123456789abcdef" / "go.mod"),
        put(cache / "tools" / "go-1.26.6" / "go" / "bin" / "go"),
        put(golang.place(made, "traefik")),
        put(golang.place(made, "kube-proxy")),
        put(cache / "go" / "kubelet-0123456789abcdef" / "kubelet"),
        put(cache / "images" / "etcd-0123456789abcdef.tar"),
        put(cache / "images" / "preload-0123456789abcdef.tar.lz4"),
        put(cache / "bundle" / "0123456789abcdef.tar"),
    ]
    found = prune.look(made)
    assert not found.kept
    assert 1 << 20 < found.size < 2 << 20
    assert all(path.exists() for path in gone), "looking deletes nothing"
    prune.remove(made, found)
    assert [path for path in kept if not path.exists()] == []
    assert [path for path in gone if path.exists()] == []
    assert not prune.look(made).waste


def test_the_compilers_caches_stay_while_something_is_not_made(made):
    put(made.settings.cache / "go-build" / "ab" / "abcd-d")
    put(made.settings.cache / "images" / "etcd-0123456789abcdef.tar")
    golang.place(made, "kubelet").unlink()
    found = prune.look(made)
    assert "kubelet is not made yet" in found.kept
    assert names(found) == {"programs and images of earlier versions"}


def test_a_scratch_folder_in_which_somebody_may_work_stays(made):
    scratch = made.settings.cache / "go" / "etcd-0123456789abcdee" / ".etcd.x1y2"
    put(scratch / "etcd")
    bundle = put(made.settings.cache / ".bundle-x1y2" / "go" / "etcd").parents[1]
    assert "what interrupted runs left" not in names(prune.look(made))
    past = time.time() - 2 * prune.ABANDONED
    for folder in (scratch, bundle):
        os.utime(folder, (past, past))
    waste = next(one for one in prune.look(made).waste if one.what.startswith("what interrupted"))
    assert set(waste.paths) == {scratch, bundle}


def test_a_file_that_minikube_has_too_frees_nothing(made, tmp_path):
    old = put(made.settings.cache / "images" / "preload-0123456789abcdef.tar.lz4", 1 << 20)
    alone = prune.look(made).size
    os.link(old, tmp_path / "in minikube's cache")
    assert prune.look(made).size < alone - (1 << 19)


def test_an_empty_cache_has_nothing_to_give(make_run):
    found = prune.look(make_run())
    assert not found.waste and found.size == 0 and found.kept


def test_programs_that_only_images_need_are_no_part_of_a_bundle(made):
    wanted = stock.wanted(made).files
    assert not {golang.place(made, name) for name in node.IN_IMAGES} & set(wanted)
