import json
from urllib.parse import unquote, urlsplit

from scripts.release import complete_secrets, given_secrets
from scripts.transport import contents_here, contents_there, normalized, parse_node_images


def test_missing_secrets_are_generated_and_given_ones_kept():
    full = complete_secrets({"BETTER_AUTH_SECRET": "x" * 40}, "todo-app", with_database=True)
    assert full["BETTER_AUTH_SECRET"] == "x" * 40
    assert len(full["POSTGRES_PASSWORD"]) >= 32
    assert complete_secrets(full, "todo-app", with_database=True) == full
    assert complete_secrets({}, "r", True)["POSTGRES_PASSWORD"] != complete_secrets({}, "r", True)["POSTGRES_PASSWORD"]


def test_a_password_of_any_characters_survives_in_the_address():
    address = urlsplit(complete_secrets({"POSTGRES_PASSWORD": "p@ss/w:rd?#"}, "todo-app", with_database=True)["DATABASE_URL"])
    assert unquote(address.password) == "p@ss/w:rd?#"
    assert address.hostname == "todo-app-postgres"


def test_file_storage_needs_no_database_secret():
    assert set(complete_secrets({}, "todo-app", with_database=False)) == {"BETTER_AUTH_SECRET"}


def test_secrets_come_from_the_environment_before_the_env_file(make_run, tmp_path, monkeypatch):
    path = tmp_path / "my.env"
    path.write_text("# a comment\nexport OPENAI_API_KEY='from-file'\nBETTER_AUTH_SECRET=abc\nOTHER=1\n")
    for name in ("OPENAI_API_KEY", "BETTER_AUTH_SECRET"):
        monkeypatch.delenv(name, raising=False)
    run = make_run(app={"env_file": str(path)})
    assert given_secrets(run) == {"OPENAI_API_KEY": "from-file", "BETTER_AUTH_SECRET": "abc"}
    monkeypatch.setenv("OPENAI_API_KEY", "from-environment")
    assert given_secrets(run)["OPENAI_API_KEY"] == "from-environment"


def test_references_in_their_full_form():
    assert normalized("todo:1") == "docker.io/library/todo:1"
    assert normalized("phase4/nginx:1") == "docker.io/phase4/nginx:1"
    assert normalized("registry.k8s.io/pause:3.10.1") == "registry.k8s.io/pause:3.10.1"
    assert normalized("localhost:5000/x:1") == "localhost:5000/x:1"


def test_an_image_is_known_by_its_contents_where_ids_differ():
    config = {"Env": ["A=1"], "Cmd": ["serve"], "User": "101", "WorkingDir": "", "Labels": {"x": "y"}}
    here = json.dumps([{"Id": "sha256:manifest", "RootFS": {"Layers": ["sha256:l"]}, "Config": {**config, "Entrypoint": None}}])
    there = {"info": {"imageSpec": {"rootfs": {"diff_ids": ["sha256:l"]}, "config": config}}}
    assert contents_here(here) == contents_there(json.dumps(there))
    there["info"]["imageSpec"]["config"]["Cmd"] = ["other"]
    assert contents_here(here) != contents_there(json.dumps(there))
    there["info"]["imageSpec"]["config"]["Cmd"] = ["serve"]
    there["info"]["imageSpec"]["rootfs"]["diff_ids"] = ["sha256:m"]
    assert contents_here(here) != contents_there(json.dumps(there))


def test_node_images_are_read_from_crictl():
    text = '{"images": [{"id": "sha256:a", "repoTags": ["docker.io/library/todo:1"]}, {"id": "sha256:b", "repoTags": null}]}'
    assert parse_node_images(text) == {"docker.io/library/todo:1": "sha256:a"}
