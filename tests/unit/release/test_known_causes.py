"""Lines of a pod's log that name a cause with a code of its own."""

import pytest

from scripts.release.causes import known_cause

LINES = {
    "FATAL: password authentication failed for user todo": "DATABASE-PASSWORD-WRONG",
    "cannot execute INSERT in a read-only transaction": "DATABASE-READ-ONLY",
    "permission denied for table todos": "DATABASE-RIGHTS",
    'extension "vector" is not available': "EXTENSION-MISSING",
    "function uuid_generate_v4() does not exist": "EXTENSION-MISSING",
    'type "vector" does not exist': "EXTENSION-MISSING",
    "PANIC: could not write to file: No space left on device": "VOLUME-FULL",
    "exec /usr/bin/sh: exec format error": "IMAGE-ARCHITECTURE",
}


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_names_a_cause(line):
    found = known_cause("todo-app-backend-1", f"starting\n{line}\nbye")
    assert (found.code, found.subject) == (LINES[line], "pod/todo-app-backend-1")
    assert found.evidence == line


@pytest.mark.parametrize("line", ["", "all is well", 'relation "todos" does not exist'])
def test_other_lines_name_none(line):
    assert known_cause("todo-app-backend-1", line) is None
