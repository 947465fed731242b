import json
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import pytest

from scripts.app import fit
from scripts.images.transport import contents_here, contents_there, normalized, parse_node_images
from scripts.release import helm, rollback
from scripts.release.secret import Secrets, complete_secrets, mended

OWN = Secrets({}, (), (), "postgresql", False)


def test_missing_secrets_are_generated_and_given_ones_kept():
    full = complete_secrets({"BETTER_AUTH_SECRET": "x" * 40}, "todo-app", OWN)
    assert full["BETTER_AUTH_SECRET"] == "x" * 40
    assert len(full["POSTGRES_PASSWORD"]) >= 32
    assert complete_secrets(full, "todo-app", OWN) == full
    assert (
        complete_secrets({}, "r", OWN)["POSTGRES_PASSWORD"]
        != complete_secrets({}, "r", OWN)["POSTGRES_PASSWORD"]
    )


def test_an_empty_key_is_a_missing_key():
    wanted = replace(OWN, generated=("JWT_SECRET",))
    emptied = {"BETTER_AUTH_SECRET": "", "JWT_SECRET": " ", "POSTGRES_PASSWORD": "x", "OTHER": ""}
    full = complete_secrets(emptied, "todo-app", wanted)
    assert len(full["BETTER_AUTH_SECRET"]) >= 32
    assert len(full["JWT_SECRET"]) >= 32
    assert (full["POSTGRES_PASSWORD"], full["OTHER"]) == ("x", "")
    assert mended(emptied, full) == ["BETTER_AUTH_SECRET", "JWT_SECRET"]
    assert mended(full, complete_secrets(full, "todo-app", wanted)) == []


def test_a_password_of_any_characters_survives_in_the_address():
    address = urlsplit(
        complete_secrets({"POSTGRES_PASSWORD": "p@ss/w:rd?#"}, "todo-app", OWN)["DATABASE_URL"]
    )
    assert unquote(address.password) == "p@ss/w:rd?#"
    assert address.hostname == "todo-app-postgres"


def test_file_storage_needs_no_database_secret():
    assert set(complete_secrets({}, "todo-app", replace(OWN, scheme=""))) == {"BETTER_AUTH_SECRET"}


def test_a_secret_of_the_apps_own_is_made_once_and_a_given_key_replaces_a_made_up_one():
    wanted = replace(OWN, generated=("JWT_SECRET",), placeholders=("OPENAI_API_KEY",))
    first = complete_secrets({}, "todo-app", wanted)
    assert (first["OPENAI_API_KEY"], len(first["JWT_SECRET"]) >= 32) == (fit.PLACEHOLDER, True)
    then = complete_secrets(first, "todo-app", replace(wanted, given={"OPENAI_API_KEY": "sk-1"}))
    assert (then["OPENAI_API_KEY"], then["JWT_SECRET"]) == ("sk-1", first["JWT_SECRET"])


def test_each_side_gets_the_database_address_that_its_driver_takes():
    full = complete_secrets(
        {}, "todo-app", replace(OWN, scheme="postgresql+asyncpg", frontend_database=True)
    )
    assert full["DATABASE_URL"].startswith("postgresql+asyncpg://todo:")
    assert full["FRONTEND_DATABASE_URL"].startswith("postgresql://todo:")


def test_references_in_their_full_form():
    assert normalized("todo:1") == "docker.io/library/todo:1"
    assert normalized("phase4/nginx:1") == "docker.io/phase4/nginx:1"
    assert normalized("registry.k8s.io/pause:3.10.1") == "registry.k8s.io/pause:3.10.1"
    assert normalized("localhost:5000/x:1") == "localhost:5000/x:1"


def test_an_image_is_known_by_its_contents_where_ids_differ():
    config = {
        "Env": ["A=1"],
        "Cmd": ["serve"],
        "User": "101",
        "WorkingDir": "",
        "Labels": {"x": "y"},
    }
    here = json.dumps(
        [
            {
                "Id": "sha256:manifest",
                "RootFS": {"Layers": ["sha256:l"]},
                "Config": {**config, "Entrypoint": None},
            }
        ]
    )
    there = {"info": {"imageSpec": {"rootfs": {"diff_ids": ["sha256:l"]}, "config": config}}}
    assert contents_here(here) == contents_there(json.dumps(there))
    there["info"]["imageSpec"]["config"]["Cmd"] = ["other"]
    assert contents_here(here) != contents_there(json.dumps(there))
    there["info"]["imageSpec"]["config"]["Cmd"] = ["serve"]
    there["info"]["imageSpec"]["rootfs"]["diff_ids"] = ["sha256:m"]
    assert contents_here(here) != contents_there(json.dumps(there))


def test_node_images_are_read_from_crictl():
    text = (
        '{"images": [{"id": "sha256:a", "repoTags": ["docker.io/library/todo:1"]}, {"id": '
        '"sha256:b", "repoTags": null}]}'
    )
    assert parse_node_images(text) == {"docker.io/library/todo:1": "sha256:a"}


@pytest.mark.parametrize(
    ("history", "before"),
    [
        ("1 2 3", 2),
        ("1", 0),
        ("", 0),
        ("1 2 3 2", 1),  # 3 did not come up, and its deploy went back
        ("1 2 3 2 5", 4),  # 4 is 2 again
        ("1 2 1", 0),  # a person went back once, and cannot go further
        ("1 2 3 2 1", 0),
        ("1 2 1 4 3 6", 5),  # 4 came up on what was 1 again, 5 went back to that, 6 came after
        ("7 8 9 4", 9),  # 4 is forgotten: nothing is known of the way
        ("1 2 failed", 2),
        ("1 failed 3", 1),
    ],
)
def test_the_revision_before_is_none_that_was_gone_back_from(history, before):
    revisions, words = [], history.split()
    for number, word in enumerate(words, int(words[0]) if words and words[0].isdecimal() else 1):
        back = word.isdecimal() and int(word) != number
        description = f"Rollback to {word}" if back else "a digest"
        revisions.append(
            helm.Revision(
                number, "", "failed" if word == "failed" else "superseded", description, ()
            )
        )
    assert rollback.before_present(revisions) == before


def test_keys_that_sign_log_ins_hold_one_value_and_others_their_own():
    """Some apps sign with JWT_SECRET and verify with BETTER_AUTH_SECRET."""
    names = ("JWT_SECRET", "SECRET_KEY", "ENCRYPTION_KEY")
    made = complete_secrets({}, "r", replace(OWN, generated=names))
    assert made["JWT_SECRET"] == made["SECRET_KEY"] == made["BETTER_AUTH_SECRET"]
    assert made["ENCRYPTION_KEY"] != made["JWT_SECRET"]
    given = replace(OWN, given={"BETTER_AUTH_SECRET": "theirs" * 8}, generated=names)
    assert complete_secrets({}, "r", given)["JWT_SECRET"] == "theirs" * 8
    assert complete_secrets({"JWT_SECRET": "kept"}, "r", given)["JWT_SECRET"] == "kept"
    provider = {"OAUTH_CLIENT_SECRET": fit.PLACEHOLDER}
    assert fit.PLACEHOLDER not in {
        complete_secrets(provider, "r", replace(OWN, generated=names))[name] for name in names
    }
