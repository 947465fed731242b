"""Which Node a frontend gets."""

import pytest

from scripts.app.survey import node
from scripts.app.survey.tree import read_tree
from scripts.images.plans import NODE_BASES
from scripts.supply import bases


@pytest.mark.parametrize(
    ("wanted", "majors"),
    [
        (">=18", (20, 22, 24)),
        (">=18.17.0 <21", (20,)),
        ("20.x", (20,)),
        ("24.x", (24,)),
        ("^20.9.0 || >=22", (20, 22, 24)),
        ("^22.1", (22,)),
        ("~20.11.0", (20,)),
        ("18 - 22", (20, 22)),
        (">20", (22, 24)),
        ("<24.0.0", (20, 22)),
        ("<=22", (20, 22)),
        ("*", (20, 22, 24)),
        ("18.x", ()),
    ],
)
def test_what_a_range_of_engines_allows(wanted, majors):
    assert tuple(one for one in (20, 22, 24) if node.allows(wanted, one)) == majors


@pytest.mark.parametrize(
    ("files", "major", "place"),
    [
        ({}, 22, ""),
        ({"web/package.json": '{"engines": {"node": ">=18"}}'}, 22, ""),
        ({"web/package.json": '{"engines": {"node": "24.x"}}'}, 24, ""),
        ({"web/package.json": '{"engines": {"node": "18.x"}}'}, 20, "web/package.json:1"),
        ({"web/package.json": '{"dependencies": {"node": "24.x"}}'}, 22, ""),
        ({"web/.nvmrc": "v20.11.1\n"}, 20, ""),
        ({".nvmrc": "16\n"}, 20, ".nvmrc:1"),
        ({"web/.nvmrc": "lts/*\n"}, 22, ""),
        ({"web/Dockerfile": "FROM node:24-alpine AS base\n"}, 24, ""),
        ({"web/Dockerfile": "FROM node:18-alpine\n"}, 22, ""),
    ],
)
def test_the_node_that_a_frontend_gets(tmp_path, files, major, place):
    for name, text in {"web/package.json": "{}", **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    chosen, other = node.choose(read_tree(tmp_path), "web")
    assert (chosen, other.place if other else "") == (major, place)


def test_there_is_a_base_image_for_each():
    assert set(NODE_BASES) == set(node.AVAILABLE)
    for major, base in NODE_BASES.items():
        assert bases.BASES[base].official.startswith(f"node:{major}.")
