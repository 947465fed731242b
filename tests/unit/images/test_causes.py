"""The first line of a failed build, from what BuildKit prints."""

import pytest

from scripts.images.causes import of_backend, of_frontend

PACKAGE = """{
  "name": "web",
  "dependencies": {
    "next": "13.5.8",
    "@chat/kit-of-old": "^1.0.0"
  }
}
"""


def _printed(text, step=9):
    lines = [f"#{step} [build 1/1] RUN build-site"]
    lines += [f"#{step} {number}.10 {line}" for number, line in enumerate(text.splitlines(), 1)]
    lines.append(f"#{step} ERROR: executor failed running [/bin/sh -c build-site]: exit code: 1")
    return "\n".join(lines)


CASES = {
    "a package that is gone": (
        "npm error code E404\n"
        "npm error 404 Not Found - GET https://npm.example/@chat%2fkit-of-old - Not found\n"
        "npm error 404\n"
        "npm error 404  '@chat/kit-of-old@^1.0.0' is not in this registry.\n",
        "package.json:5 names @chat/kit-of-old@^1.0.0, which the registry does not have",
    ),
    "that is gone, with pnpm": (
        " ERR_PNPM_FETCH_404  GET https://npm.example/@chat%2Fkit-of-old: Not Found - 404\n",
        "package.json:5 names @chat/kit-of-old, which the registry does not have",
    ),
    "a version that is gone": (
        "npm error code ETARGET\n"
        "npm error notarget No matching version found for @chat/kit-of-old@^1.0.0.\n",
        "package.json:5 names @chat/kit-of-old@^1.0.0, and the registry has no such version",
    ),
    "a configuration that Next does not take": (
        "Error: Configuring Next.js via 'next.config.ts' is not supported. Please replace the file"
        " with 'next.config.js' or 'next.config.mjs'.\n    at loadConfig (/app/x.js:1:2)\n",
        "next.config.ts is not supported by Next 13.5.8, which package.json:4 names;"
        " the lock file has 16.1.1",
    ),
    "a file that was not committed, webpack": (
        "Failed to compile.\n\n./src/app/page.tsx\nModule not found: Can't resolve"
        " '@/lib/api'\n\nhttps://nextjs.org/docs/messages/module-not-found\n",
        "src/app/page.tsx:2 imports @/lib/api, and there is no such file:"
        " it was not committed, or its name differs in case",
    ),
    "a file that was not committed, Turbopack": (
        "Error: Turbopack build failed with 1 errors:\n./src/app/page.tsx:7:1\n"
        "Module not found: Can't resolve './Todo'\n",
        "src/app/page.tsx:7 imports ./Todo, and there is no such file:"
        " it was not committed, or its name differs in case",
    ),
    "a package that is not declared": (
        "./src/app/page.tsx:3:1\nModule not found: Can't resolve 'zod'\n",
        "src/app/page.tsx:3 imports zod, which package.json does not name",
    ),
    "no JavaScript, as swc says it": (
        "Failed to compile.\n\n./src/app/page.tsx\nError:   x Unexpected token `div`.\n"
        "    ,-[/app/src/app/page.tsx:4:1]\n 4 |   return <div>\n    `----\n",
        "src/app/page.tsx:4: Unexpected token `div`.",
    ),
    "no JavaScript, as Turbopack says it": (
        "./src/app/page.tsx:12:5\nParsing ecmascript source code failed\n"
        "  10 | a\n> 12 | b\n\nExpected ';', '}' or <eof>\n",
        "src/app/page.tsx:12: Expected ';', '}' or <eof>",
    ),
    "a static export with open routes": (
        'Error: Page "/todo/[id]" is missing "generateStaticParams()" so it cannot be used with'
        ' "output: export" config.\n',
        "the page /todo/[id] has no generateStaticParams(), which a static export needs",
    ),
    "types where the check could not be left out": (
        "Failed to compile.\n\n./src/app/page.tsx:12:7\n"
        "Type error: Type 'string' is not assignable to type 'number'.\n",
        "src/app/page.tsx:12: Type 'string' is not assignable to type 'number'.",
    ),
    "a page that cannot be made in advance": (
        '⨯ useSearchParams() should be wrapped in a suspense boundary at page "/login".\n'
        'Error occurred prerendering page "/login". Read more: https://nextjs.org\n',
        "/login cannot be made while building: useSearchParams() should be wrapped in a suspense"
        ' boundary at page "/login".',
    ),
    "a variable that is missing": (
        "Error: STRIPE_KEY is not set\n    at a (/app/.next/x.js:1:1)\n"
        "> Build error occurred\nError: Failed to collect page data for /api/pay\n",
        "/api/pay cannot be made while building: Error: STRIPE_KEY is not set (src/lib/pay.ts:3)",
    ),
    "a package that could not be compiled": (
        "npm error code 1\nnpm error path /app/node_modules/better-sqlite3\n"
        "npm error gyp ERR! stack Error: not found: make\n"
        "npm error gyp ERR! cwd /app/node_modules/better-sqlite3\n",
        "better-sqlite3 could not be compiled: not found: make",
    ),
    "the same with pnpm, and an old node-gyp": (
        ".../sqlite3 install: ModuleNotFoundError: No module named 'distutils'\n"
        ".../sqlite3 install: gyp ERR! cwd "
        "/app/node_modules/.pnpm/sqlite3@5.1.7/node_modules/sqlite3\n",
        "sqlite3 could not be compiled: ModuleNotFoundError: No module named 'distutils'",
    ),
    "no pages": (
        "> Couldn't find any `pages` or `app` directory. Please create one under the root\n",
        "there are no pages: neither a folder app nor pages",
    ),
    "no memory": (
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n",
        "the build needs more memory than the Docker engine has",
    ),
    "a registry that does not answer": (
        "npm error code SELF_SIGNED_CERT_IN_CHAIN\nnpm error errno SELF_SIGNED_CERT_IN_CHAIN\n",
        "the package registry cannot be used (SELF_SIGNED_CERT_IN_CHAIN)",
    ),
    "something else": ("TypeError: a is not a function\n", "TypeError: a is not a function"),
    "nothing that says why": ("going on\n", ""),
}


@pytest.mark.parametrize("case", CASES)
def test_the_cause_in_the_apps_own_terms(case):
    printed, wanted = CASES[case]
    texts = {
        "package.json": PACKAGE,
        "package-lock.json": '"node_modules/next": {\n  "version": "16.1.1"',
        "src/app/page.tsx": '"use client";\nimport { api } from "@/lib/api";\n',
        "src/lib/pay.ts": "\n\nconst key = process.env.STRIPE_KEY;\n",
    }
    assert of_frontend(_printed(printed), texts) == wanted


def test_what_a_remedy_was_found_for_is_not_the_cause():
    first = "Failed to compile.\n\n./src/app/page.tsx:1:1\nType error: no\n"
    then = "phase4: types do not fit, built without that check: src/app/page.tsx:1: no\n"
    last = "./src/app/page.tsx:3:1\nModule not found: Can't resolve 'zod'\n"
    found = of_frontend(_printed(first + then + last), {})
    assert found == "src/app/page.tsx:3 imports zod, which package.json does not name"
    assert of_frontend(_printed(first + then + "context canceled\n"), {}) == ""


@pytest.mark.parametrize(
    ("printed", "wanted"),
    [
        (
            "  error: subprocess-exited-with-error\n"
            "  × Building wheel for asyncpg (pyproject.toml) did not run successfully.\n"
            "      asyncpg/x.c:7:10: fatal error: Python.h: No such file or directory\n"
            "      error: command '/usr/bin/gcc' failed with exit code 1\n"
            "  ERROR: Failed building wheel for asyncpg\n",
            "asyncpg could not be compiled: fatal error: Python.h: No such file or directory",
        ),
        (
            "  Cargo, the Rust package manager, is not installed or is not on PATH.\n"
            "ERROR: Failed to build 'pydantic-core' when preparing metadata for pydantic-core\n",
            "pydantic-core could not be compiled: "
            "Cargo, the Rust package manager, is not installed",
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement nothing==9\n"
            "ERROR: No matching distribution found for nothing==9\n",
            "No matching distribution found for nothing==9",
        ),
        ("context canceled\n", ""),
    ],
)
def test_the_cause_of_a_backend_that_does_not_build(printed, wanted):
    assert of_backend(_printed(printed)) == wanted
