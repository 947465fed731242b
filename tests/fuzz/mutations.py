"""Damaged files and JSON, made of real ones by hypothesis.

A case is drawn as a list of small steps, so that one that fails can be made smaller.
"""

import json
import re

from hypothesis import strategies as st

#: What people, editors, other systems and people of ill will put into files.
PIECES = (
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xe2\x80\xa8",
    b"\x0c",
    b"\x1b[31m",
    b"\r",
    b"\r\n",
    b"\n",
    b"\t",
    b"\\",
    b"\\\n",
    b"'",
    b'"',
    b"`",
    b'"""',
    b"#",
    b"null",
    b"None",
    b"[]",
    b"{}",
    b"-1",
    b"1e999",
    b"NaN",
    b"=",
    b" = ",
    b":",
    b",",
    b"^",
    b"*",
    b"**",
    b"%(here)s",
    b"../../..",
    b"/etc/passwd",
    b"$(touch x)",
    b"${HOME}",
    b"-r requirements.txt\n",
    b"-r /etc/passwd\n",
    b"--requirement=.\n",
    b"-e .\n",
    b"9" * 5000,
    b"http://[::1",
    b"http://localhost:99999999999",
    b"http://localhost:" + b"9" * 5000,
    b"http://localhost:3000",
    b"postgresql://a:b@c.example.org/d",
    b"sqlite:///x.db",
    b" - foo",
    b">=18 - x || y",
    b'os.getenv("A(B")\n',
    b'os.environ["A\\nB"]\n',
    b'os.environ["PATH"]\n',
    b'X = os.getenv("X_URL", "http://localhost:8009")\n',
    b'httpx.get(f"{X}/a/{b}")\n',
    b"from ...... import x\n",
    b"from . import *\n",
    b"import main\n",
    b"app = FastAPI()\n",
    b"router = APIRouter(prefix=None)\n",
    b"app.include_router(app)\n",
    b"app.include_router(router, prefix=f'{x}')\n",
    b"@app.get(None)\n",
    b"class Settings(BaseSettings):\n    a: list[str] = Field(..., alias=None)\n",
    b"lambda: 0\n",
    b"process.env.",
    b"process.env['X'] ?? 'http://['",
    b"import x from '../../shared/x'\n",
    b'"workspaces": null,',
    b'"engines": {"node": "^"},',
    b"[project]\n",
    b"[tool]\npoetry = 1\n",
    b'[tool.poetry.dependencies]\na = "^"\nb = {extras = 1}\n',
    b"dependencies = 1\n",
    b"[[package]]\n",
    b"<<<<<<< HEAD\n",
)
#: Short enough to be put in many times: what a slow pattern would stumble over.
REPEATED = (
    b"(", b"[", b"{", b'{"a":', b"[[", b"-", b"not ", b"1+", b"a.", b"a(", b"'a'+", b" ", b"\n",
    b"\t", b"\r", b"a", b"/", b'"', b'"${', b'"/', b"import ", b"from ", b"from\n", b"=", b"= ",
    b"lambda:", b"elif x:\n    y\n", b"if x:\n y\n", b"A", b"postgres://a:", b"9", b"- ", b"|| ",
    b"node:1", b"port", b"PORT ", b"process.env.A||\"", b"new URL(", b"*", b"#", b" #", b".",
    b"../", b"<", b"\xff", b"\xc3\xa9", b"\0", b"a: &a [*a]\n", b"DATABASE", b"API",
    b"CREATE TABLE ",
)  # fmt: skip
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "cp1252", "utf-7")
TOKEN = re.compile(rb"\w+|\"[^\"\n]*\"|'[^'\n]*'|\S")
PLACE = st.integers(0, 999)
STEPS = ("cut", "insert", "many", "token", "token", "line", "again", "mix", "encode", "ends")


def _at(data: bytes, place: int) -> int:
    return len(data) * place // 1000


def _step(data: bytes, kind: str, first: int, second: int, other: bytes) -> bytes:
    """One damage. first, second: places in thousandths. other: another file to mix in."""
    here, there = sorted((_at(data, first), _at(data, second)))
    piece = PIECES[second % len(PIECES)]
    if kind == "cut":
        return data[:here] if second % 2 else data[:here] + data[there:]
    if kind == "insert":
        return data[:here] + piece + data[here:]
    if kind == "many":
        times = (3, 40, 90, 200, 1200, 20000)[first % 6]
        return data[:here] + REPEATED[second % len(REPEATED)] * times + data[here:]
    if kind == "token":
        found = list(TOKEN.finditer(data))
        if not found:
            return piece
        spot = found[first * len(found) // 1000]
        return data[: spot.start()] + piece + data[spot.end() :]
    if kind == "line":
        lines = data.splitlines(keepends=True) or [b""]
        spot = first * len(lines) // 1000
        return b"".join([*lines[:spot], *lines[spot + 1 :]])
    if kind == "again":
        return data[:there] + data[here:there] * (1 + second % 5) + data[there:]
    if kind == "mix":
        return data[:here] + other[_at(other, second) :]
    if kind == "encode":
        name = ENCODINGS[first % len(ENCODINGS)]
        return data.decode("utf-8", "replace").encode(name, "replace")
    return data.replace(b"\n", (b"\r\n", b"\r", b"\n\n", b"\x0b")[first % 4])


STEP = st.tuples(st.sampled_from(STEPS), PLACE, PLACE)
DAMAGE = st.lists(STEP, min_size=1, max_size=4)


def damaged(data: bytes, steps: list[tuple[str, int, int]], other: bytes) -> bytes:
    """The file after these steps."""
    for kind, first, second in steps:
        data = _step(data, kind, first, second, other)[: 1 << 18]
    return data


#: Values of the wrong kind, and a few of the right one.
VALUES = st.sampled_from(
    (None, None, True, False, 0, -1, 1.5, 10**30, float("inf"), "", "x", "9" * 5000, "\0", "\n",
     "a/b", "../..", "/", "~nobody-of-this-name/x", "http://[", "None", "true", "v1", [], {},
     [None], [1], ["x"], [[]], [{}], {"x": None}, {"name": None}, {"name": 1}, {"x": [1]},
     {"packages": None}, "*", "**", "a**", "packages/*", "a/../../..", ["**"], ["/"],
     ["packages/*", 1], {"packages": ["../*"]})
)  # fmt: skip


def paths(value: object, path: tuple = ()) -> list[tuple]:
    """Every place in a JSON value."""
    found = [path]
    if isinstance(value, dict):
        found += [one for key, inner in value.items() for one in paths(inner, (*path, key))]
    elif isinstance(value, list):
        found += [one for at, inner in enumerate(value) for one in paths(inner, (*path, at))]
    return found


def changed(value: object, path: tuple, new: object, gone: bool) -> object:
    """The value with another one at this place, or without that place."""
    if not path:
        return new
    first, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    if gone and not rest:
        del copy[first]
    else:
        copy[first] = changed(copy[first], tuple(rest), new, gone)
    return copy


@st.composite
def wrong_json(draw, seeds: tuple[object, ...], most: int = 3):
    """A value with up to `most` places changed or left out."""
    value = draw(st.sampled_from(seeds))
    for place, gone in draw(st.lists(st.tuples(PLACE, st.booleans()), min_size=1, max_size=most)):
        places = paths(value)
        value = changed(value, places[place * len(places) // 1000], draw(VALUES), gone)
    return value


@st.composite
def wrong_text(draw, seeds: tuple[bytes, ...]):
    """A file of these, damaged."""
    return damaged(draw(st.sampled_from(seeds)), draw(DAMAGE), draw(st.sampled_from(seeds)))


@st.composite
def wrong_app(draw, apps: tuple[dict[str, bytes], ...]):
    """An app's files, one to three of them damaged."""
    files = dict(draw(st.sampled_from(apps)))
    names = sorted(files)
    for place in draw(st.lists(PLACE, min_size=1, max_size=3)):
        name = names[place * len(names) // 1000]
        if name.endswith(".json") and draw(st.booleans()):
            try:
                seed = json.loads(files[name])
            except ValueError:
                continue
            files[name] = json.dumps(draw(wrong_json((seed,)))).encode()
        else:
            other = names[draw(PLACE) * len(names) // 1000]
            files[name] = damaged(files[name], draw(DAMAGE), files[other])
    return files
