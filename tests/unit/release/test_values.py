"""The chart's values for an app, beside those of the person."""

from types import SimpleNamespace

import pytest

from scripts.app import fit
from scripts.app.survey import read
from scripts.release import chart
from scripts.session.settings import ROOT, Settings

FACTS = SimpleNamespace(
    ingress_controller="traefik.io/ingress-controller",
    ingress_class="traefik",
    no_ingress="",
    no_policies=False,
)
PLANS = SimpleNamespace(
    frontend=SimpleNamespace(reference="front:1"), backend=SimpleNamespace(reference="back:2")
)


@pytest.fixture
def values(make_run, tmp_path):
    def make(name, mine="", deployed=(), facts=FACTS, **given):
        (tmp_path / "mine.yaml").write_text(mine)
        app = read(ROOT / name)
        run = make_run(release={"values": str(tmp_path / "mine.yaml")})
        return chart.values(
            run, app, fit.environment(app, Settings(), given), PLANS, facts, "postgres:16", deployed
        )

    return make


def test_an_apps_own_secrets_reach_both_sides(values):
    made = values("tests/apps/auth-next16")
    front = {one["name"]: one for one in made["frontend"]["extraEnv"]}
    assert front["DATABASE_URL"]["valueFrom"]["secretKeyRef"]["key"] == "FRONTEND_DATABASE_URL"
    assert front["BETTER_AUTH_URL"]["value"] == "http://todo.localhost:8080"
    assert (
        values("tests/apps/rewrites-asyncpg")["backend"]["extraEnv"][0]["valueFrom"][
            "secretKeyRef"
        ]["key"]
        == "DATABASE_URL"
    )
    assert values("tests/apps/monorepo-uv")["backend"]["config"]["LOG_LEVEL"] is None


def test_what_the_person_says_goes_before_what_is_found_out(values):
    mine = (
        "backend: {config: {NEXT_PUBLIC_API_URL: /other}}\n"
        "frontend: {extraEnv: [{name: BETTER_AUTH_URL, value: mine}], resources: {limits: {cpu: "
        "1}}}\n"
    )
    made = values("tests/apps/auth-next16", mine)
    assert "NEXT_PUBLIC_API_URL" not in made["backend"]["config"]
    front = {one["name"]: one for one in made["frontend"]["extraEnv"]}
    assert (front["BETTER_AUTH_URL"]["value"], "DATABASE_URL" in front) == ("mine", True)
    assert "resources" not in made["frontend"]


def test_the_plans_app_adds_no_variables(values):
    made = values("phase3-chatbot")
    assert "extraEnv" not in made["frontend"]
    assert "extraEnv" not in made["backend"]
    assert (made["storage"]["files"], made["frontend"]["server"]) == (False, False)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"OPENAI_BASE_URL": "http://host.minikube.internal:11434/v1"}, (11434,)),
        (
            {
                "DATABASE_URL": (
                    "postgresql+asyncpg://user:p%40ss@db.example.com:6543/app?ssl=require"
                )
            },
            (6543,),
        ),
        (
            {
                "DATABASE_URL": "postgresql://user@db.example.com/app",
                "CACHE": "rediss://:word@cache.example.com",
            },
            (5432, 6379),
        ),
        ({"SMTP_PORT": "587", "OPENAI_BASE_URL": "https://api.openai.com/v1"}, (443, 587)),
        (
            {
                "ALLOWED_ORIGINS": "http://localhost:3000,http://a.example.com:81",
                "SITE": "http://localhost:3000",
                "KEY": "sk-a:1",
                "FILE": "sqlite:///app.db",
            },
            (),
        ),
    ],
)
def test_where_the_pods_will_connect_to(given, found):
    assert fit.ports(given) == found


def test_the_pods_may_reach_what_they_are_given_an_address_of(values):
    assert "networkPolicy" not in values(
        "phase3-chatbot", OPENAI_BASE_URL="https://api.example.com/v1"
    )
    assert values("phase3-chatbot", OPENAI_BASE_URL="http://10.0.0.1:11434/v1")["networkPolicy"][
        "egressPorts"
    ] == [443, 11434]
    mine = "networkPolicy: {egressPorts: [8443]}\n"
    assert "networkPolicy" not in values(
        "phase3-chatbot", mine, OPENAI_BASE_URL="http://10.0.0.1:11434/v1"
    )


def test_a_models_address_stays_beside_its_key_until_another_is_given(values):
    config = {
        "OPENAI_BASE_URL": "http://10.0.0.1:11434/v1",
        "OPENAI_MODEL": "small",
        "LOG_LEVEL": "debug",
    }
    deployed = [{"kind": "ConfigMap", "metadata": {"name": "todo-app-config"}, "data": config}]
    made = values("phase3-chatbot", deployed=deployed)
    assert {name: made["backend"]["config"].get(name) for name in config} == {
        **config,
        "LOG_LEVEL": None,
    }
    assert made["networkPolicy"]["egressPorts"] == [443, 11434]
    made = values("phase3-chatbot", deployed=deployed, OPENAI_BASE_URL="https://api.example.com/v1")
    assert (made["backend"]["config"]["OPENAI_BASE_URL"], "networkPolicy" in made) == (
        "https://api.example.com/v1",
        False,
    )
    made = values(
        "phase3-chatbot",
        "backend: {config: {OPENAI_BASE_URL: https://mine/v1}}\n",
        deployed=deployed,
    )
    assert "OPENAI_BASE_URL" not in made["backend"]["config"]
    made = values(
        "phase3-chatbot",
        "backend: {config: {OPENAI_BASE_URL: 'http://mine:8000/v1', TOKEN_HOURS: 12}}\n",
    )
    assert made["networkPolicy"]["egressPorts"] == [443, 8000]


@pytest.mark.parametrize(
    "name",
    [
        "tests/apps/auth-next16",
        "tests/apps/rewrites-asyncpg",
        "tests/apps/key-at-import",
        "tests/apps/monorepo-uv",
    ],
)
def test_an_app_that_is_given_nothing_may_reach_no_more_than_the_chart_allows(values, name):
    assert "networkPolicy" not in values(name)


def test_an_app_without_a_database_of_its_own_names_no_image_of_it():
    assert chart._image("") == {}
    assert chart._image("phase4/postgres:1") == {"repository": "phase4/postgres", "tag": "1"}


def test_without_an_ingress_the_routes_are_kept_for_the_door(make_run, values):
    less = {"ingress_class": "", "no_ingress": "there is no class", "no_policies": True}
    facts = SimpleNamespace(**{**vars(FACTS), **less})
    chosen = values("tests/apps/auth-next16", facts=facts)
    assert chosen["ingress"]["enabled"] is False
    assert chosen["ingress"]["apiPath"]
    assert "className" not in chosen["ingress"]
    assert chosen["networkPolicy"] == {"enabled": False}


def test_pods_are_kept_to_nodes_that_can_run_the_images(values):
    chosen = chart.kept_to("arm64", values("tests/apps/auth-next16"))
    for part in ("frontend", "backend", "postgres", "serviceDefaults"):
        assert chosen[part]["nodeSelector"] == {"kubernetes.io/arch": "arm64"}
    assert chosen["frontend"]["image"]["tag"] == "1"
