import threading

import pytest

from scripts.session.cache import digest, locked, make_once, tree_digest


def test_a_thing_is_made_once(tmp_path):
    made = []

    def make(path):
        made.append(path)
        path.write_text("x")

    threads = [
        threading.Thread(target=make_once, args=(tmp_path / "thing", make)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert (tmp_path / "thing").read_text() == "x"


def test_what_is_cut_off_leaves_nothing_behind(tmp_path):
    def make(path):
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_once(tmp_path / "thing", make)
    assert not (tmp_path / "thing").exists()
    assert (
        make_once(tmp_path / "thing", lambda path: path.write_text("whole") and None).read_text()
        == "whole"
    )


def test_a_held_lock_is_refused_at_once(tmp_path):
    with (
        locked(tmp_path / "lock"),
        pytest.raises(BlockingIOError),
        locked(tmp_path / "lock", blocking=False),
    ):
        raise AssertionError("both hold the lock")


def test_digest_tells_parts_apart():
    assert digest("ab", "c") != digest("a", "bc")


def test_tree_digest_sees_names_contents_and_modes_but_no_dates(tmp_path):
    (tmp_path / "a").write_text("1")
    before = tree_digest(tmp_path)
    (tmp_path / "a").touch()
    assert tree_digest(tmp_path) == before
    (tmp_path / "a").chmod(0o755)
    executable = tree_digest(tmp_path)
    (tmp_path / "a").write_text("2")
    changed = tree_digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({before, executable, changed, tree_digest(tmp_path)}) == 4
