"""Why the build of a frontend or a backend failed, in the app's own terms.

The reason is one sentence with a place, read from the build's output. Nothing here has effects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

STEP = re.compile(r"^#\d+ (?:\d+\.\d+ )?", re.MULTILINE)  # BuildKit's number and time
COLOURS = re.compile(r"\x1b\[[0-9;]*m")

Texts = Mapping[str, str]  # the frontend's files, by name
Rule = Callable[[str, Texts], str]


def of_frontend(output: str, texts: Texts) -> str:
    """The cause that `output` (of `docker build --progress=plain`) tells, empty when none is known.

    texts: the frontend's files, to find the line that a message leaves out.
    """
    plain = _plain(output)
    plain = re.split(r"^phase4: .*$", plain, flags=re.MULTILINE)[-1]  # of the last try only
    return next((cause for rule in RULES if (cause := rule(plain, texts))), "")


def of_backend(output: str) -> str:
    """The same for a backend, from what pip prints."""
    plain = _plain(output)
    failed = re.search(
        r"(?:Failed building wheel for|Building wheel for|Failed to build) '?([\w.-]+)", plain
    )
    if failed:
        why = re.search(
            r"(fatal error: .+|\berror: (?!subprocess|metadata|command|failed).+"
            r"|Cargo, the Rust package manager, is not installed|Rust not found.*)",
            plain,
        )
        return f"{failed[1]} could not be compiled" + (f": {why[1].strip()[:160]}" if why else "")
    told = re.findall(r"^ERROR: (?!executor|process)(.+)$", plain, re.MULTILINE)
    return told[-1][:200] if told else ""


def _plain(output: str) -> str:
    return STEP.sub("", COLOURS.sub("", output)).replace("\r", "")


def _unknown_package(output: str, texts: Texts) -> str:
    found = re.search(
        r"404 +'([^']+)' is not in this registry"
        r"|Couldn't find package \"([^\"]+)\""
        r"|ERR_PNPM_FETCH_404\D+ GET \S+/((?:@[^/\s]+(?:/|%2f))?[^/\s:]+): Not Found"
        r"|error: GET \S+/((?:@[^/\s]+(?:/|%2f))?[^/\s]+) - 404",
        output,
        re.IGNORECASE,
    )
    if not found:
        return ""
    package = re.sub("%2f", "/", next(filter(None, found.groups())), flags=re.IGNORECASE)
    return f"{_declared(package, texts)} names {package}, which the registry does not have"


def _unknown_version(output: str, texts: Texts) -> str:
    found = re.search(r"No matching version found for (@?[^@\s]+@\S*[^\s.]|@?[^@\s]+)", output)
    if not found:
        return ""
    package = found.group(1)
    return f"{_declared(package, texts)} names {package}, and the registry has no such version"


def _not_compiled(output: str, texts: Texts) -> str:
    if "gyp ERR!" not in output:
        return ""
    found = re.search(r"gyp ERR! cwd \S*\bnode_modules/((?:@[^/\s]+/)?[^/\s]+)", output)
    what = found.group(1) if found else "a package"
    why = re.search(
        r"^.*?((?:fatal )?error: .*|not found: make.*|ModuleNotFoundError: .*)$",
        output,
        re.MULTILINE,
    )
    return f"{what} could not be compiled" + (f": {why.group(1).strip()[:160]}" if why else "")


def _no_registry(output: str, texts: Texts) -> str:
    found = re.search(
        r"npm (?:error|ERR!) code "
        r"(ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|E401|E403"
        r"|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT_LOCALLY)",
        output,
    )
    return f"the package registry cannot be used ({found.group(1)})" if found else ""


def _config_in_typescript(output: str, texts: Texts) -> str:
    if "Configuring Next.js via 'next.config.ts' is not supported" not in output:
        return ""
    wanted = re.search(r'"next"\s*:\s*"([^"]+)"', texts.get("package.json", ""))
    locked = re.search(
        r'"node_modules/next": \{\s*"version": "([^"]+)"', texts.get("package-lock.json", "")
    )
    version = wanted.group(1).lstrip("^~") if wanted else "this release"
    differs = locked and locked.group(1) != version
    return (
        f"next.config.ts is not supported by Next {version}, which {_declared('next', texts)} names"
        + (f"; the lock file has {locked.group(1)}" if locked and differs else "")
    )


def _no_module(output: str, texts: Texts) -> str:
    found = re.search(
        r"^(?:\./)?([\w@./\[\]()-]+?\.\w+)(?::(\d+):\d+)?\s*\n"
        r"(?:Module not found: (?:Error: )?)Can't resolve '([^']+)'",
        output,
        re.MULTILINE,
    )
    if not found:
        return ""
    file, number, module = found.groups()
    where = f"{file}:{number or _line(texts.get(file, ''), module)}"
    if module.startswith((".", "@/", "~/", "/")):
        return (
            f"{where} imports {module}, and there is no such file:"
            " it was not committed, or its name differs in case"
        )
    return f"{where} imports {module}, which package.json does not name"


def _missing_at_build(output: str, texts: Texts) -> str:
    found = re.search(r"^Error: Cannot find module '([^'/.][^']*)'", output, re.MULTILINE)
    return (
        f"{found.group(1)} is needed to build, and package.json does not name it" if found else ""
    )


def _syntax(output: str, texts: Texts) -> str:
    """A file that is no JavaScript: swc frames the place, Turbopack puts it first."""
    framed = re.search(r"(?:,-|╭─)\[\s*(?:/app/)?(?:\./)?([^\]\s]+?):(\d+):\d+\s*\]", output)
    if framed:
        words = re.findall(r"(?:^|Error:)\s*[x×⨯] (.*)", output[: framed.start()], re.MULTILINE)
        return f"{framed.group(1)}:{framed.group(2)}: {words[-1] if words else 'no valid code'}"
    first = re.search(
        r"^(?:\./)?(\S+):(\d+):\d+\n((?:Parsing|Ecmascript|CssSyntaxError|Error:).*(?:\n.*){0,12})",
        output,
        re.MULTILINE,
    )
    if not first:
        return ""
    lines = [line for line in first.group(3).splitlines() if line.strip()]
    said = next((line for line in lines[1:] if re.match(r"[A-Z'`]", line)), lines[0])
    return f"{first.group(1)}:{first.group(2)}: {said.strip()}"


def _types(output: str, texts: Texts) -> str:
    found = re.search(r"^(?:\./)?(\S+)\nType error: (.*)", output, re.MULTILINE)
    if found:
        place = re.sub(r"(:\d+):\d+$", r"\1", found.group(1))
        return f"{place}: {found.group(2)}"
    checked = re.search(r"^(\S+)\((\d+),\d+\): error (TS\d+: .*)", output, re.MULTILINE)
    return f"{checked.group(1)}:{checked.group(2)}: {checked.group(3)}" if checked else ""


def _export(output: str, texts: Texts) -> str:
    found = re.search(r"Page \"([^\"]+)\" is missing \"(\w+)\(\)\" so it cannot be used", output)
    if not found:
        return ""
    return f"the page {found.group(1)} has no {found.group(2)}(), which a static export needs"


def _page(output: str, texts: Texts) -> str:
    found = re.search(
        r"Error occurred prerendering page \"([^\"]+)\"|Failed to collect page data for (\S+)",
        output,
    )
    if not found:
        return ""
    page = found.group(1) or found.group(2)
    why = next(_errors(output), "")
    missing = re.search(r"\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b", why)
    place = _variable(missing.group(1), texts) if missing else ""
    return f"{page} cannot be made while building" + (f": {why}" if why else "") + place


def _no_pages(output: str, texts: Texts) -> str:
    if "Couldn't find any `pages` or `app` directory" not in output:
        return ""
    return "there are no pages: neither a folder app nor pages"


def _memory(output: str, texts: Texts) -> str:
    if re.search(r"JavaScript heap out of memory|exit code: 137", output):
        return "the build needs more memory than the Docker engine has"
    return ""


def _any_error(output: str, texts: Texts) -> str:
    return next(_errors(output), "")


RULES: tuple[Rule, ...] = (
    _unknown_package,
    _unknown_version,
    _not_compiled,
    _config_in_typescript,
    _no_module,
    _syntax,
    _export,
    _types,
    _page,
    _no_pages,
    _missing_at_build,
    _memory,
    _no_registry,
    _any_error,
)


def _errors(output: str) -> Iterator[str]:
    """Sentences of errors, without the frames below them."""
    for found in re.finditer(
        r"^\s*(?:⨯ |> |x )?((?:\[?\w*Error\]?|error)(?: \[\w+\])?: \S.*|use\w+\(\) should be .*)",
        output,
        re.MULTILINE,
    ):
        if not re.search(r"executor failed|process \"/bin/sh", found.group(1)):
            yield found.group(1).strip()[:240]


def _declared(package: str, texts: Texts) -> str:
    """The line of package.json that names a package.

    It is the file alone for a package that others bring along.
    """
    name = re.sub(r"(?<=.)@.*", "", package)
    number = _line(texts.get("package.json", ""), f'"{name}"')
    return f"package.json:{number}" if number > 1 else "a package of the lock file"


def _variable(name: str, texts: Texts) -> str:
    for file, text in texts.items():
        if f"process.env.{name}" in text:
            return f" ({file}:{_line(text, f'process.env.{name}')})"
    return ""


def _line(text: str, words: str) -> int:
    """The number of the first line with these words, 1 when there is none."""
    return next((number for number, line in enumerate(text.splitlines(), 1) if words in line), 1)
