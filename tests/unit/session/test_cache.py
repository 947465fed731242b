import os
import subprocess
import threading

import pytest

from scripts.session.cache import (
    digest,
    is_whole,
    locked,
    make_once,
    scratch,
    tree_digest,
    write_whole,
)


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


def test_what_a_killed_process_had_half_made_goes_when_it_is_made(tmp_path):
    (tmp_path / ".thing.abcdefgh").mkdir()
    (tmp_path / ".other.abcdefgh").mkdir()
    make_once(tmp_path / "thing", lambda path: path.write_text("whole") and None)
    assert not (tmp_path / ".thing.abcdefgh").exists()
    assert (tmp_path / ".other.abcdefgh").exists()


def test_what_was_cut_off_since_it_was_made_is_made_anew(tmp_path):
    thing = tmp_path / "thing"
    assert not is_whole(thing)
    make_once(thing, lambda path: path.write_text("whole") and None)
    assert is_whole(thing)
    for damaged in ("", "who"):
        thing.write_text(damaged)
        assert not is_whole(thing)
        made = make_once(thing, lambda path: path.write_text("made anew") and None)
        assert made.read_text() == "made anew"
        assert is_whole(thing)
    old = tmp_path / "of old"
    old.write_text("before sizes were noted")
    assert is_whole(old)
    old.write_text("before")
    assert not is_whole(old)
    (tmp_path / "empty").write_text("")
    assert not is_whole(tmp_path / "empty")


def test_a_file_is_written_whole_and_keeps_its_mode(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "real").chmod(0o600)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o600
    write_whole(tmp_path / "folder" / "made", "x")
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["made"]


def test_folders_of_ended_processes_go_and_those_of_others_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = subprocess.Popen(["true"])
    ended.wait()
    left, alive = (
        tmp_path / f"phase4-build-{ended.pid}-x",
        tmp_path / f"phase4-build-{os.getppid()}-x",
    )
    other = tmp_path / f"phase4-image-{ended.pid}-x"
    for folder in (left, alive, other):
        folder.mkdir()
    with scratch("build") as mine:
        assert mine.stat().st_mode & 0o777 == 0o700
        assert set(tmp_path.iterdir()) == {mine, alive, other}
    assert set(tmp_path.iterdir()) == {alive, other}


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
