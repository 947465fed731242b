"""Which further services an app calls, and which of its variables leads to which."""

import pytest

from scripts.app.survey import backend as backends
from scripts.app.survey import companions, python, read
from scripts.app.survey.frontend import Frontend
from scripts.app.survey.tree import Evidence, read_tree
from scripts.session.settings import ROOT

FRONT = Frontend(
    "", "14.2.35", "none", "npm", "", (), (), (), (), (), (), (), "", "", (), {}, Evidence("", "")
)
CHAT = """
import os
import httpx
from fastapi import FastAPI

ACCOUNTS = os.getenv("ACCOUNTS_API_URL", "http://localhost:8000")
app = FastAPI()


@app.post("/chat")
async def chat():
    return {}


@app.post("/login")
async def login(body: dict):
    async with httpx.AsyncClient() as client:
        await client.post(f"{ACCOUNTS}/auth/signup", json=body)
        return (await client.get(f"{ACCOUNTS}/users/{body['id']}")).json()
"""
ACCOUNTS = """
from fastapi import FastAPI

app = FastAPI()


@app.post("/auth/signup")
def signup(): ...


@app.get("/users/{user_id}")
def user(user_id: str): ...
"""


def _put(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def _find(root, module="main:app"):
    tree = read_tree(root)
    sources = python.parse(tree, [name for name in tree.texts if name.endswith(".py")])
    found = backends.candidates(tree, sources)
    chosen = next(one for one in found if one.evidence.line and "chat" in one.evidence.place)
    return companions.find(
        tree, sources, chosen, backends.read(tree, sources, chosen, found), FRONT
    )


def test_a_companion_in_a_folder_beside_the_app_is_found_by_its_routes(tmp_path):
    _put(
        tmp_path,
        {
            "phase2-web/backend/main.py": ACCOUNTS,
            "phase2-web/backend/requirements.txt": "fastapi\n",
            "phase1/api/main.py": ACCOUNTS.replace("/auth", "/other").replace("/users", "/u"),
            "phase1/api/requirements.txt": "fastapi\n",
            "phase3/chat/main.py": CHAT,
            "phase3/chat/requirements.txt": "fastapi\nhttpx\n",
        },
    )
    found = _find(tmp_path / "phase3")
    (service,) = found.services
    assert (service.name, service.root) == ("accounts", tmp_path / "phase2-web")
    assert service.backend.module == "main:app"
    (wire,) = found.wires
    assert (wire.component, wire.variable, wire.target) == (
        "backend",
        "ACCOUNTS_API_URL",
        "accounts",
    )
    assert wire.place == "chat/main.py:6"
    assert found.lost == ()


def test_a_companion_that_is_nowhere_is_told_with_its_variable(tmp_path):
    _put(tmp_path, {"phase3/chat/main.py": CHAT, "phase3/chat/requirements.txt": "fastapi\n"})
    found = _find(tmp_path / "phase3")
    assert found.services == ()
    assert [(one.variable.name, one.variable.place) for one in found.lost] == [
        ("ACCOUNTS_API_URL", "chat/main.py:6")
    ]


def test_a_backend_that_calls_itself_gets_its_own_address(tmp_path):
    text = CHAT.replace("{ACCOUNTS}/auth/signup", "{ACCOUNTS}/chat").replace(
        "{ACCOUNTS}/users/{body['id']}", "{ACCOUNTS}/chat"
    )
    _put(tmp_path, {"app/chat/main.py": text, "app/chat/requirements.txt": "fastapi\n"})
    found = _find(tmp_path / "app")
    assert found.services == ()
    assert [(one.variable, one.target) for one in found.wires] == [("ACCOUNTS_API_URL", "backend")]


@pytest.mark.parametrize(
    "change",
    [
        ('f"{ACCOUNTS}/auth/signup"', 'ACCOUNTS + "/auth/signup"'),
        ('f"{ACCOUNTS}/auth/signup"', "f\"{ACCOUNTS.rstrip('/')}/auth/signup\""),
    ],
)
def test_the_ways_to_put_a_path_behind_an_address(tmp_path, change):
    text = CHAT.replace(*change)
    assert text != CHAT
    _put(tmp_path, {"a/chat/main.py": text, "a/chat/requirements.txt": "fastapi\n"})
    (call,) = _find(tmp_path / "a").lost
    assert set(call.paths) == {"/auth/signup", "/users/{}"}


def test_a_backend_that_keeps_nothing_has_the_database_of_its_service():
    found = read(ROOT / "tests/apps/companion/phase3-chat")
    assert [one.name for one in found.companions.services] == ["accounts"]
    assert [(one.variable, one.target) for one in found.companions.wires] == [
        ("ACCOUNTS_API_URL", "accounts")
    ]
    assert (found.database, found.decision.scheme) == ("postgres", "postgresql")
    assert found.companions.services[0].root == ROOT / "tests/apps/companion/phase2-web"


def test_a_client_with_a_base_address_and_a_field_of_settings(tmp_path):
    text = """
import httpx
from fastapi import FastAPI
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    accounts_url: str = "http://localhost:9000"


settings = Settings()
client = httpx.AsyncClient(base_url=settings.accounts_url)
app = FastAPI()


@app.get("/me")
async def me(user: str):
    return (await client.get(f"/users/{user}")).json()
"""
    _put(
        tmp_path,
        {
            "app/chat/main.py": text,
            "app/chat/requirements.txt": "fastapi\n",
            "app/accounts/main.py": ACCOUNTS,
            "app/accounts/requirements.txt": "fastapi\n",
        },
    )
    (service,) = _find(tmp_path / "app").services
    assert service.name == "accounts"
    assert service.backend.folder == "accounts"


def test_an_address_in_a_list_of_origins_calls_nobody(tmp_path):
    text = """
import os
from fastapi import FastAPI

OTHER = os.getenv("ADMIN_URL", "http://localhost:5173")
app = FastAPI()
origins = [OTHER]
"""
    _put(tmp_path, {"app/chat/main.py": text, "app/chat/requirements.txt": "fastapi\n"})
    assert _find(tmp_path / "app") == companions.Companions()


def test_what_is_not_deployed_here_is_named(tmp_path):
    text = "from aiokafka import AIOKafkaProducer\n" + CHAT.replace("http://localhost:8000", "")
    _put(tmp_path, {"app/chat/main.py": text, "app/chat/requirements.txt": "fastapi\n"})
    assert _find(tmp_path / "app").absent == (("Kafka", "chat/main.py:1"),)


def test_a_folder_that_is_no_package_is_an_import_root(tmp_path):
    _put(tmp_path, {"app/ai-chat/main.py": CHAT, "app/ai-chat/requirements.txt": "fastapi\n"})
    tree = read_tree(tmp_path / "app")
    sources = python.parse(tree, ["ai-chat/main.py"])
    (found,) = backends.candidates(tree, sources)
    assert (found.folder, found.target) == ("ai-chat", "main:app")
