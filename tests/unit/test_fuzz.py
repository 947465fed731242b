"""The short form of `nox -s fuzz`, with a fixed seed, and what the long form has found."""

import json
import os
from pathlib import Path

import pytest

from scripts.machine import pip
from scripts.release import chart, helm, secret
from scripts.session.findings import Failure
from scripts.session.settings import Settings
from tests.fuzz import answers, targets
from tests.fuzz.battery import fuzz

CASES, SEED = 1000, 19


@pytest.mark.parametrize("target", targets.TARGETS, ids=lambda one: one.name)
def test_nothing_but_a_failure_comes_out_of_a_damaged_case(target, tmp_path):
    found = fuzz(target, CASES * target.share // 100, SEED, tmp_path)
    assert not found.broken, "\n".join(found.first.values())
    assert found.cases >= CASES * target.share // 100


def test_what_is_damaged_was_whole_before(tmp_path):
    """A case that is refused at once proves nothing of what would have come after."""
    for files in targets.seeds_of_apps()[:3]:
        targets.an_app(files, tmp_path)
    targets.a_state(answers.ITEMS, tmp_path)
    targets.a_helm(answers.HELM, tmp_path)
    targets.a_secret(answers.SECRET, tmp_path)


def _told(text, folder):
    return targets.running(lambda _: text, folder), targets.TOOLS


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", "[1]", "[{}]", "[null]", '"x"', "[" * 9999]
)
def test_helms_answers_of_another_form(tmp_path, text):
    run, tools = _told(text, tmp_path)
    for reader in (helm.latest, helm.history, helm.deployed):
        try:
            assert not reader(run, tools) or reader is helm.deployed
        except Failure as error:
            assert error.findings[0].code == "COMMAND-FAILED"


def test_a_secrets_value_that_is_no_text_is_left_as_it_is(tmp_path):
    applied = []

    def answer(argv):
        applied.append(argv)
        return json.dumps(answers.SECRET) if "get" in argv else "8"

    run = targets.running(answer, tmp_path)
    assert secret.put_secrets(run, targets.TOOLS, targets.WANTED) == "8"
    null = {**answers.SECRET, "data": None}
    run = targets.running(lambda argv: json.dumps(null) if "get" in argv else "9", tmp_path)
    with pytest.raises(Failure):  # DATABASE-PASSWORD-LOST, or made anew: never a traceback
        secret.put_secrets(run, targets.TOOLS, targets.WANTED)


@pytest.mark.parametrize(
    "values",
    [
        {"app": 1},
        {"app": {"path": 1}},
        {"app": {"path": "\0"}},
        {"app": {"path": "~nobody-of-this-name/x"}},
        {"app": {"path": "9" * 5000}},
        {"supply": {"cache": "\0"}},
        {"release": []},
        {"cluster": "x"},
        {"apps": 1},
        [],
        "x",
        {"hosts_file": ["x" * 100] * 100_000},
    ],
)
def test_settings_of_the_wrong_shape_are_named(values):
    with pytest.raises(Failure) as caught:
        Settings.load(values)
    assert all(one.code == "SETTINGS-INVALID" for one in caught.value.findings)
    assert all(len(one.evidence) < 1000 for one in caught.value.findings)


def test_settings_that_hold_themselves_are_named():
    values = {}
    values["app"] = values
    with pytest.raises(Failure) as caught:
        Settings.load(values)
    assert caught.value.findings[0].code == "SETTINGS-INVALID"


def test_a_section_without_a_value_is_an_empty_one():
    assert Settings.load({"app": None, "apps": None, "cluster": None}) == Settings()


def test_a_configuration_of_pip_that_is_none_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "pip.conf").write_bytes(b"\xff\xfe[global\nindex-url")
    monkeypatch.setattr(pip, "_files", lambda: [tmp_path / "pip.conf"])
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    assert pip.settings() == {}


@pytest.mark.parametrize("text", ["[", "- 1", "x", "a: *b", "backend: 1", b"\xff"])
def test_a_persons_values_file_that_is_none_is_named(make_run, tmp_path, text):
    file = Path(tmp_path, "values.yaml")
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Failure) as caught:
        chart._of_the_person(make_run(release={"values": str(file)}))("backend")
    assert caught.value.findings[0].code == "SETTINGS-INVALID"
