import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scripts.session import settings
from scripts.session.findings import Failure
from scripts.session.settings import ROOT, Settings


def test_invoke_yaml_holds_exactly_the_defaults():
    written = yaml.safe_load((ROOT / "invoke.yaml").read_text())["phase4"]
    assert Settings.load(written) == Settings()
    defaults = Settings().model_dump(mode="json")
    assert {section: set(keys) for section, keys in written.items() if isinstance(keys, dict)} == {
        section: set(keys) for section, keys in defaults.items() if isinstance(keys, dict)
    }
    assert set(written) == set(defaults)


def test_a_variable_of_the_wrong_kind_gets_a_sentence_and_no_traceback():
    environment = {**os.environ, "INVOKE_PHASE4_CLUSTER_CPUS": "many"}
    result = subprocess.run(
        [sys.executable, "-m", "invoke", "survey"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert "phase4.cluster.cpus" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_values_files_are_separated_by_commas():
    assert Settings.load({"release": {"values": "a.yaml, b.yaml"}}).release.values == (
        "a.yaml",
        "b.yaml",
    )


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"cluster": {"memory": 100}}, "phase4.cluster.memory"),
        ({"cluster": {"memory": "much"}}, "phase4.cluster.memory"),
        ({"cluster": {"ingress_port": 70000}}, "phase4.cluster.ingress_port"),
        ({"cluster": {"profile": "Not Valid"}}, "phase4.cluster.profile"),
        ({"cluster": {"memroy": 4096}}, "phase4.cluster.memroy"),
        ({"release": {"host": "todo_local"}}, "phase4.release.host"),
        ({"hosts_file": "maybe"}, "phase4.hosts_file"),
    ],
)
def test_a_bad_value_is_named_with_its_key(values, named):
    with pytest.raises(Failure) as caught:
        Settings.load(values)
    assert caught.value.findings[0].subject == named
    assert caught.value.findings[0].code == "SETTINGS-INVALID"
    assert caught.value.exit_code == 2


def test_every_bad_value_is_told_at_once():
    with pytest.raises(Failure) as caught:
        Settings.load({"cluster": {"memory": 1, "cpus": 1}})
    assert {finding.subject for finding in caught.value.findings} == {
        "phase4.cluster.memory",
        "phase4.cluster.cpus",
    }


def test_a_given_app_takes_the_place_of_the_reference(tmp_path):
    assert Settings.load({"app": {"path": str(tmp_path)}}).app_path == tmp_path
    assert Settings().app_path in (ROOT / "phase3-chatbot", ROOT.parent / "phase3-chatbot")


def test_addresses():
    settings = Settings.load(
        {"release": {"host": "tasks.example"}, "cluster": {"ingress_port": 9000}}
    )
    assert settings.local_url == "http://tasks.localhost:9000"
    assert isinstance(settings.cache, Path)


def test_a_reader_that_goes_away_is_no_traceback():
    environment = {**os.environ, "INVOKE_PHASE4_CLUSTER_PROFILE": "unit-test"}
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "survey", "--json"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    assert process.wait() == 141


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("My_Todo App", "my-todo-app"),
        ("evolution-of-todo/phase-3", "evolution-of-todo-phase-3"),
        ("Hackathon/Phase_III_chatbot", "hackathon-phase-iii-chatbot"),
        ("mine/app", "mine-app"),
        ("001-first", "app-001-first"),
        ("x" * 60, "x" * 40),
    ],
)
def test_each_app_has_a_release_and_a_namespace_named_after_its_folder(tmp_path, folder, name):
    (tmp_path / folder).mkdir(parents=True)
    release = Settings.load({}, str(tmp_path / folder)).release
    assert (release.name, release.namespace, release.host) == (name, name, f"{name}.local")


def test_a_name_that_is_given_goes_before_the_folders(tmp_path):
    settings = Settings.load({"release": {"name": "mine"}}, str(tmp_path))
    assert (settings.release.name, settings.release.namespace) == ("mine", "mine")
    assert settings.local_url == "http://mine.localhost:8080"
    assert Settings.load({"release": {"name": "other"}}).release.namespace == "other"


def test_the_plans_app_keeps_the_plans_names():
    assert Settings.load({}, str(ROOT / "phase3-chatbot")).release == Settings().release


def test_a_file_beside_the_app_settles_its_parts_and_settings_go_before_it(tmp_path):
    settings.write_beside(tmp_path, {"database": "file", "module": "api/main:app"})
    read = Settings.load({}, str(tmp_path)).app
    assert (read.database, read.module) == ("file", "api/main:app")
    answered = {"apps": {str(tmp_path): {"module": "other:app"}}, "app": {"database": "postgres"}}
    read = Settings.load(answered, str(tmp_path)).app
    assert (read.database, read.module) == ("postgres", "other:app")


@pytest.mark.parametrize(
    "text", ["env_file: /etc/passwd\n", "- a list\n", "a: [", "path: /other\n"]
)
def test_a_file_beside_the_app_may_say_nothing_else(tmp_path, text):
    (tmp_path / "phase4.yaml").write_text(text)
    with pytest.raises(Failure) as caught:
        Settings.load({}, str(tmp_path))
    assert caught.value.findings[0].code == "SETTINGS-INVALID"
    assert "phase4.yaml" in caught.value.findings[0].summary


def test_the_plans_names_belong_to_no_folder(tmp_path):
    assert Settings.load({}).has_plan_names
    assert Settings.load({"release": {"name": "todo-app"}}, str(tmp_path)).has_plan_names
    assert not Settings.load({}, str(tmp_path)).has_plan_names


def test_a_context_takes_the_place_of_our_own_cluster():
    settings = Settings.load({"cluster": {"context": "kind-mine"}}, context="work")
    assert (settings.is_there, settings.context, settings.cluster_key) == (True, "work", "work")
    assert not Settings().is_there
    assert Settings().context == Settings().cluster_key == "todo-chatbot"


def test_contexts_with_any_letters_have_files_of_their_own():
    names = ("arn:aws:eks:eu:1:cluster/a", "arn:aws:eks:eu:1:cluster-a", "team@far")
    keys = [Settings.load({}, context=name).cluster_key for name in names]
    assert len(set(keys)) == 3
    assert not any("/" in key or ":" in key for key in keys)


@pytest.mark.parametrize("context", ["-n", " x"])
def test_a_context_is_never_taken_for_an_option(context):
    with pytest.raises(Failure):
        Settings.load({"cluster": {"context": context}})


@pytest.mark.parametrize("section", ["app", "cluster", "release", "images", "supply"])
def test_a_section_without_a_value_is_an_empty_one(section):
    assert Settings.load({section: None}) == Settings.load({})
