"""The database as a file, and back."""

import subprocess
import time


def _invoke(*arguments):
    return subprocess.run(["invoke", *arguments], capture_output=True, text=True, timeout=120)


def test_a_new_pod_migrates_only_tables_that_are_behind(kube, state):
    (backend,) = (item for item in state() if item["kind"] == "Deployment" and item["metadata"]["name"] == "todo-app-backend")
    command = backend["spec"]["template"]["spec"]["initContainers"][0]["command"]
    script, variable, version = command[1:4]
    asked = ("exec", "deployment/todo-app-backend", "-c", "backend", "--", "python3", script, variable)
    assert f"of version {version} already" in kube(*asked, version, "echo", "behind")
    assert kube(*asked, "9999", "echo", "behind") == "behind\n"


def test_dump_and_restore_bring_back_what_was_lost(user, tmp_path):
    todo = user.post("/todos", {"title": "worth a backup", "tags": ["kept"]})
    dump = tmp_path / "todo.dump"
    assert _invoke("db-dump", "--path", str(dump)).returncode == 0
    assert dump.stat().st_mode & 0o077 == 0
    user.delete(f"/todos/{todo['id']}")
    later = user.post("/todos", {"title": "after the backup"})
    assert _invoke("db-restore", str(dump), "--yes").returncode == 0
    end = time.monotonic() + 30
    while user.ask("GET", f"/todos/{todo['id']}").status_code == 503:
        assert time.monotonic() < end
    assert user.get(f"/todos/{todo['id']}") == todo
    user.get(f"/todos/{later['id']}", 404)
    assert user.get("/ready")["status"] == "ready"


def test_a_dump_that_is_cut_off_or_none_changes_nothing(user, tmp_path):
    todo = user.post("/todos", {"title": "not to be lost"})
    dump = tmp_path / "todo.dump"
    assert _invoke("db-dump", "--path", str(dump)).returncode == 0
    (tmp_path / "cut.dump").write_bytes(dump.read_bytes()[:-2000])
    (tmp_path / "text.dump").write_text("not a dump")
    for name, words in (("cut.dump", "the database is as it was"), ("text.dump", "is no dump of")):
        result = _invoke("db-restore", str(tmp_path / name), "--yes")
        assert result.returncode == 18, result.stdout + result.stderr
        assert words in result.stdout + result.stderr
    assert user.get(f"/todos/{todo['id']}") == todo
