import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from scripts.session.findings import Failure
from scripts.session.settings import ROOT
from scripts.session.shell import Interrupted, Planned, Shell, only_reads


@pytest.fixture
def shell(tmp_path):
    return Shell(transcript=tmp_path / "log")


def test_output_and_status(shell):
    result = shell.run("sh", "-c", "echo out; echo err >&2; exit 3", check=False)
    assert (result.code, result.stdout, result.stderr) == (3, "out\n", "err\n")


def test_all_output_is_there_when_run_returns(shell):
    for _ in range(30):
        assert shell.run("sh", "-c", "seq 1000; exit 0").stdout.endswith("1000\n")


def test_arguments_are_never_read_by_a_shell(shell):
    assert shell.run("printf", "%s", "$HOME; `id`").stdout == "$HOME; `id`"


def test_a_failing_command_shows_its_last_words(shell):
    with pytest.raises(Failure) as caught:
        shell.run("sh", "-c", "echo the cause >&2; exit 5")
    assert caught.value.findings[0].code == "COMMAND-FAILED"
    assert "status 5" in caught.value.findings[0].summary
    assert caught.value.findings[0].evidence == "the cause"


def test_a_missing_program_is_told_by_name(shell):
    with pytest.raises(Failure, match="no-such-program is not on PATH"):
        shell.run("no-such-program")


def test_a_command_that_takes_too_long_is_ended_with_its_children(shell):
    started = time.monotonic()
    with pytest.raises(Failure) as caught:
        shell.run("sh", "-c", "sleep 30 & sleep 30", timeout=0.5)
    assert caught.value.findings[0].code == "COMMAND-TIMEOUT"
    assert time.monotonic() - started < 5


def test_cancel_ends_what_runs_and_starts_nothing_more(shell):
    threading.Timer(0.3, shell.cancel).start()
    started = time.monotonic()
    with pytest.raises(Interrupted):
        shell.run("sleep", "30")
    assert time.monotonic() - started < 5
    with pytest.raises(Interrupted):
        shell.run("true")


def test_cancel_kills_what_does_not_heed_it(shell, monkeypatch):
    monkeypatch.setattr("scripts.session.shell.GRACE", 0.3)
    threading.Timer(0.3, shell.cancel).start()
    started = time.monotonic()
    with pytest.raises(Interrupted):
        shell.run("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    assert time.monotonic() - started < 5


def test_a_pipe_fails_when_its_source_fails(shell):
    assert shell.pipe(["printf", "abc"], ["wc", "-c"]).stdout.strip() == "3"
    with pytest.raises(Failure, match="status 4"):
        shell.pipe(["sh", "-c", "exit 4"], ["cat"])
    assert shell.pipe(["printf", "abc"], ["tr", "a", "b"], ["cat"]).stdout == "bbc"
    with pytest.raises(Failure, match="status 5"):
        shell.pipe(["printf", "abc"], ["sh", "-c", "exit 5"], ["cat"])


def test_secrets_are_masked_in_transcript_and_messages(shell, tmp_path):
    shell.hide("s3cret-value")
    with pytest.raises(Failure) as caught:
        shell.run("sh", "-c", "echo s3cret-value; exit 1", "s3cret-value")
    assert "s3cret-value" not in str(caught.value) + caught.value.findings[0].evidence
    assert "s3cret-value" not in (tmp_path / "log").read_text()


def test_standard_input_from_text_and_file(shell, tmp_path):
    (tmp_path / "in").write_text("from a file")
    assert shell.run("cat", stdin="text").stdout == "text"
    assert shell.run("cat", stdin=tmp_path / "in").stdout == "from a file"


def test_a_detached_process_outlives_the_call(shell, tmp_path):
    shell.detach("sh", "-c", "echo began; sleep 0.3; echo ended", log=tmp_path / "daemon.log")
    assert shell.until(lambda: "ended" in (tmp_path / "daemon.log").read_text(), 5, 0.05)


@pytest.mark.parametrize(
    ("command", "reads"),
    [
        ("docker image inspect x", True), ("docker build .", False),
        ("docker exec node ctr images import -", False), ("docker info --format x", True),
        ("/opt/kubectl --context c -n get get pods", True), ("kubectl -n get delete pods", False),
        ("kubectl apply -f - --dry-run=server", True),
        ("kubectl --context get apply -f -", False), ("helm template x", True),
        ("helm upgrade x", False), ("minikube start", False),
        ("nice -n 10 go version", False), ("rm -rf /", False), ("ss -Hltnp", True),
        ("kubectl getaway", False),
    ],
)  # fmt: skip
def test_a_dry_run_knows_what_only_looks(command, reads):
    assert only_reads(command.split()) == reads


def test_a_dry_shell_starts_nothing_that_changes_anything(tmp_path):
    shell = Shell(dry=True)
    shell.hide("hunter22")
    assert shell.run("touch", tmp_path / "made").ok
    assert shell.pipe(["echo", "hunter22"], ["tee", tmp_path / "made"]).ok
    assert shell.run("echo", "looks", reads=True).stdout == "looks\n"
    with pytest.raises(Planned):
        shell.plan("write a file")
    with pytest.raises(Planned):
        shell.until(lambda: False, 5)
    assert list(tmp_path.iterdir()) == []
    assert shell.planned == [
        f"$ touch {tmp_path}/made",
        f"$ echo ******** | tee {tmp_path}/made",
        "write a file",
    ]


#: A run as a task starts it: the program that it starts must not outlive it.
STARTS = """
import sys
from pathlib import Path
from scripts.session.shell import Shell
Shell().run("sh", "-c", "echo $$ > $0; exec sleep 60", Path(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no other system can end it")
def test_what_a_killed_run_has_started_ends_with_it(tmp_path):
    told = tmp_path / "number"
    run = subprocess.Popen([sys.executable, "-c", STARTS, str(told)], cwd=ROOT)
    wait = Shell().until
    assert wait(lambda: told.exists() and told.read_text().strip(), 20, 0.05)
    child = Path("/proc", told.read_text().strip())
    assert child.exists()
    run.kill()
    run.wait()

    def gone():
        try:
            return "State:\tZ" in (child / "status").read_text()
        except OSError:
            return True

    assert wait(gone, 5, 0.05)
