"""The table of values in helm-chart/README.md, made from the `# --` comments of values.yaml."""

from __future__ import annotations

import re
from pathlib import Path

LINE = re.compile(
    r"(?P<indent> *)(# -- (?P<begin>.*)|# (?P<more>.*)|(?P<key>[\w.-]+):\s*(?P<value>.*))$"
)
START, END = "<!-- values -->", "<!-- end of values -->"


def rows(text: str) -> list[tuple[str, str, str]]:
    """Read (path, default, description) of each commented value.

    A description begins with `# --` and may go on in the comment lines below. The indentation
    of a value tells which section it belongs to.
    """
    found: list[tuple[str, str, str]] = []
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        match = LINE.match(line)
        if not match:
            comment = []
        elif match["begin"]:
            comment = [match["begin"]]
        elif match["more"]:
            comment += [match["more"]] if comment else []
        else:
            indent = len(match["indent"])
            path = [
                *((depth, key) for depth, key in path if depth < indent),
                (indent, match["key"]),
            ]
            if comment:
                name = ".".join(key for _, key in path)
                found.append((name, match["value"] or '""', " ".join(comment)))
            comment = []
    return found


def table(text: str) -> str:
    """The rows as Markdown."""
    lines = [
        f"| `{path}` | `{default}` | {description} |" for path, default, description in rows(text)
    ]
    return "\n".join(["| value | default | what it does |", "| --- | --- | --- |", *lines])


def updated(readme: str, values: str) -> str:
    """README.md with the table made anew."""
    before, rest = readme.split(START)
    return f"{before}{START}\n{table(values)}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    chart = Path(__file__).resolve().parents[2] / "helm-chart"
    path = chart / "README.md"
    path.write_text(
        updated(
            path.read_text(encoding="utf-8"), (chart / "values.yaml").read_text(encoding="utf-8")
        ),
        encoding="utf-8",
    )
