"""The table of values in helm-chart/README.md, made from the `# --` comments of values.yaml."""

from __future__ import annotations

import re
from pathlib import Path

START, END = "<!-- values -->", "<!-- end of values -->"


def rows(text: str) -> list[tuple[str, str, str]]:
    """(path, default, description) of each commented value. A value's children are found by their indentation."""
    found: list[tuple[str, str, str]] = []
    path: list[tuple[int, str]] = []
    comment = ""
    for line in text.splitlines():
        match = re.match(r"( *)(#\s--\s(?P<comment>.*)|(?P<key>[\w.-]+):\s*(?P<value>.*))$", line)
        if not match:
            continue
        if match["comment"]:
            comment = match["comment"]
            continue
        indent = len(match[1])
        path = [*((depth, key) for depth, key in path if depth < indent), (indent, match["key"])]
        if comment:
            found.append((".".join(key for _, key in path), match["value"] or '""', comment))
            comment = ""
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
