"""The programs that build a frontend, run with Node on a folder of their own; `next` is a stand-in."""

import json
import os
import shutil
import subprocess

import pytest

from scripts.images import frontend
from scripts.session.settings import ROOT

BUILD = ROOT / frontend.WEB / "build"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

#: Stands in for `next build`: it fails as Next does, until what it names has been done.
NEXT = """#!/bin/sh
echo "$*" >> asked
{condition} && {{ echo built; exit 0; }}
cat words
exit 1
"""


@pytest.fixture
def build(tmp_path):
    """Run next-build.mjs; what it tells the person, and whether it ended well."""

    def run(words, condition, files=None, served="server"):
        program = tmp_path / "node_modules" / ".bin" / "next"
        program.parent.mkdir(parents=True)
        program.write_text(NEXT.format(condition=condition))
        program.chmod(0o755)
        for name, text in {"package.json": "{}", "words": words, **(files or {})}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
            if "/.bin/" in name:
                (tmp_path / name).chmod(0o755)
        done = subprocess.run(
            ["node", BUILD / "next-build.mjs"],
            cwd=tmp_path,
            env={**os.environ, "SERVED": served},
            capture_output=True,
            text=True,
            check=False,
        )
        told = [
            line.removeprefix("phase4: ")
            for line in done.stdout.splitlines()
            if line.startswith("phase4: ")
        ]
        return told, done.returncode

    return run


def _config(folder, name="next.config.mjs"):
    """What Next would read: the configuration, as JSON."""
    script = f"""import("./{name}").then(async (module) =>
        console.log(JSON.stringify(await module.default("phase-production-build", {{}}))))"""
    done = subprocess.run(
        ["node", "-e", script], cwd=folder, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


TYPES = """Failed to compile.

./src/app/page.tsx:12:7
Type error: Type 'string' is not assignable to type 'number'.
"""
LINT = """Failed to compile.

./src/app/page.tsx
3:1  Warning: Something small.  some/rule
4:10  Error: 'a' is assigned a value but never used.  @typescript-eslint/no-unused-vars
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("next.config.mjs", "export default { reactStrictMode: true, typescript: { a: 1 } };"),
        ("next.config.js", "module.exports = { reactStrictMode: true };"),
        ("next.config.js", "module.exports = async () => ({ reactStrictMode: true });"),
        ("next.config.mjs", "export default (phase) => ({ reactStrictMode: phase.length > 3 });"),
    ],
)
def test_types_that_do_not_fit_are_told_and_the_build_goes_on(build, tmp_path, name, text):
    told, status = build(TYPES, "grep -q ignoreBuildErrors next.config.mjs", {name: text})
    assert status == 0
    assert told == [
        "types do not fit, built without that check: src/app/page.tsx:12:"
        " Type 'string' is not assignable to type 'number'."
    ]
    found = _config(tmp_path)
    assert found["reactStrictMode"] is True
    assert found["typescript"] == {"ignoreBuildErrors": True}


def test_an_app_without_a_configuration(build, tmp_path):
    told, status = build(TYPES, "test -f next.config.mjs")
    assert (status, len(told)) == (0, 1)
    assert _config(tmp_path) == {"typescript": {"ignoreBuildErrors": True}}


def test_a_configuration_in_typescript_stays_one(build, tmp_path):
    own = "import type { NextConfig } from 'next';\nconst c: NextConfig = {};\nexport default c;\n"
    told, status = build(TYPES, "grep -q ignoreBuildErrors next.config.ts", {"next.config.ts": own})
    assert (status, len(told)) == (0, 1)
    assert (tmp_path / "phase4-own.config.ts").read_text() == own
    assert './phase4-own.config"' in (tmp_path / "next.config.ts").read_text()


def test_types_and_then_eslint(build, tmp_path):
    """Each is told once, and both are left out in the end."""
    (tmp_path / "lint").write_text(LINT)
    condition = (
        "{ [ ! -f next.config.mjs ] || cp lint words; }; grep -q ignoreDuring next.config.mjs"
    )
    told, status = build(TYPES, condition)
    assert status == 0
    assert [words.split(",")[0] for words in told] == ["types do not fit", "ESLint objects"]
    assert "src/app/page.tsx:4: 'a' is assigned a value but never used." in told[1]
    assert set(_config(tmp_path)) == {"typescript", "eslint"}


def test_checks_of_the_apps_own_script_are_left_out(build, tmp_path):
    scripts = {"build": "tsc --noEmit && npx eslint . && next build && echo after"}
    told, status = build(
        "src/a.ts(3,5): error TS2322: Type 'string' is not assignable to type 'number'.\n",
        "true",
        {
            "package.json": json.dumps({"scripts": scripts}),
            "node_modules/.bin/tsc": "#!/bin/sh\ncat words\nexit 2\n",
        },
    )
    assert status == 0
    assert told == [
        "types do not fit, built without that check: src/a.ts:3:"
        " Type 'string' is not assignable to type 'number'."
    ]
    kept = json.loads((tmp_path / "package.json").read_text())["scripts"]["build"]
    assert kept == "next build && echo after"


def test_webpack_settings_without_turbopacks(build, tmp_path):
    words = (
        "ERROR: This build is using Turbopack, with a `webpack` config and no `turbopack` config.\n"
    )
    told, status = build(words, 'test "$2" = --webpack')
    assert (status, len(told)) == (0, 1)
    assert (tmp_path / "asked").read_text().splitlines() == ["build", "build --webpack"]


PRERENDER = """ ⨯ useSearchParams() should be wrapped in a suspense boundary at page "/login". Read more: x
Error occurred prerendering page "/login". Read more: https://nextjs.org/docs/messages
"""
LAYOUT = "export default function Layout({ children }) { return children; }\n"


def test_a_page_that_cannot_be_made_in_advance_is_made_when_asked_for(build, tmp_path):
    told, status = build(
        PRERENDER, "grep -q force-dynamic src/app/layout.tsx", {"src/app/layout.tsx": LAYOUT}
    )
    assert status == 0
    assert told[0].startswith("the page /login cannot be made in advance")
    assert "useSearchParams() should be wrapped" in told[0]
    assert (tmp_path / "src/app/layout.tsx").read_text().startswith(LAYOUT)


def test_a_static_export_has_nobody_to_ask(build):
    told, status = build(PRERENDER, "false", {"app/layout.tsx": LAYOUT}, served="export")
    assert (told, status) == ([], 1)


@pytest.mark.parametrize(
    "words",
    [
        "Failed to compile.\n\n./src/app/page.tsx\nModule not found: Can't resolve './x'\n",
        "./src/app/page.tsx:1:1\nParsing ecmascript source code failed\n",
        "Error: something else\n",
    ],
)
def test_what_is_really_broken_fails_at_once(build, tmp_path, words):
    told, status = build(words, "false")
    assert (told, status) == ([], 1)
    assert (tmp_path / "asked").read_text().splitlines() == ["build"]


def test_a_remedy_that_does_not_help_is_not_tried_again(build, tmp_path):
    told, status = build(TYPES, "false")
    assert (status, len(told)) == (1, 1)
    assert len((tmp_path / "asked").read_text().splitlines()) == 2


def test_packages_of_this_system_that_a_lock_file_leaves_out(tmp_path):
    """npm/cli#4828: what is missing is found by the names of optional packages, nested ones too."""
    there = tmp_path / "node_modules/@img/sharp-linux-x64/package.json"
    there.parent.mkdir(parents=True)
    there.write_text("{}")
    packages = {
        "": {"optionalDependencies": {"fsevents": "1"}},
        "node_modules/next": {
            "optionalDependencies": {
                "@next/swc-linux-x64-gnu": "16.1.1",
                "@next/swc-linux-x64-musl": "16.1.1",
                "@next/swc-win32-x64-msvc": "16.1.1",
            }
        },
        "node_modules/sharp": {"optionalDependencies": {"@img/sharp-linux-x64": "0.34.0"}},
        "node_modules/a/node_modules/esbuild": {
            "optionalDependencies": {"@esbuild/linux-x64": "1"}
        },
    }
    script = (
        f"Object.defineProperty(process, 'arch', {{ value: 'x64' }});"
        f"import('{(BUILD / 'platform-packages.mjs').as_uri()}').then((module) =>"
        f" console.log(JSON.stringify(module.missing({json.dumps(packages)}))))"
    )
    done = subprocess.run(
        ["node", "-e", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert [(one["folder"], one["name"]) for one in json.loads(done.stdout)] == [
        ("node_modules/next", "@next/swc-linux-x64-gnu"),
        ("node_modules/a/node_modules/esbuild", "@esbuild/linux-x64"),
    ]
