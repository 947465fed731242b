"""The sentence of a program's log that says why it ended, with the place in its own files."""

from __future__ import annotations

import json
import re

FRAME = re.compile(r'File "/srv/([^"]+)", line (\d+)')
RAISED = re.compile(
    r"^\s*(?:[\w.]+\.)?\w*(?:Error|Exception|Exit|Interrupt|Invalid\w*|NotFound)\b(?::.*)?$"
    r"|^(?:\S+ )?error: \S.*$"  # of node-postgres: error: relation "user" does not exist
)
TROUBLE = re.compile(
    r"error|exception|fatal|^failed|refused|denied|invalid|cannot import|no module named|failed to",
    re.IGNORECASE,
)

#: What only looks like trouble: a column of a CREATE TABLE that an engine with `echo=True` prints
#: (error_message VARCHAR), a field of an error that Node prints (severity: 'ERROR').
NO_CAUSE = re.compile(
    r"^\s*\"?\w+\"? (VARCHAR|TEXT|INTEGER|BIGINT|JSONB?|BOOLEAN|UUID|TIMESTAMP)\b"
    r"|^\s*\w+: ('[^']*'|undefined|\d+),?$"
)


def cause(log: str) -> str:
    """What the last traceback raised, with file and line of the app's own code.

    Without a traceback it is the last line that looks like an error, else nothing.
    """
    lines = [line for written in log.splitlines() for line in _message(written).splitlines()]
    raised = [number for number, line in enumerate(lines) if RAISED.match(line)]
    if raised:
        frames = [match for line in lines[: raised[-1]] if (match := FRAME.search(line))]
        words = lines[raised[-1]].strip()
        # pydantic says below its first line which fields are meant.
        if words.endswith(("validation error", "validation errors")) or re.search(
            r"\d+ validation errors? for \w+$", words
        ):
            words += ": " + ", ".join(
                line.strip() for line in lines[raised[-1] + 1 : raised[-1] + 3]
            )
        return words[:300] + (f" ({frames[-1].group(1)}:{frames[-1].group(2)})" if frames else "")
    troubled = [line.strip() for line in lines if TROUBLE.search(line) and not NO_CAUSE.match(line)]
    return troubled[-1][:200] if troubled else ""


def _message(line: str) -> str:
    """What a line of a log says: of one that is a JSON object, its message and its traceback."""
    if not line.startswith("{"):
        return line
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        return line
    if not isinstance(read, dict):
        return line
    said = [str(read[name]) for name in ("message", "msg", "event", "exception") if read.get(name)]
    return "\n".join(said) or line
