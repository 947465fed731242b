"""The plan's acceptance lines, each looked at where it must hold, with its evidence.

`verify` goes through them all. It reads; the only thing it makes is an account of its own.

- `look`: what the lines look at, each thing once
- `environment`, `application`, `chart`, `deployment`, `proof`, `papers`: the lines of the plan's
  phases 1 to 6; each is a function that returns its evidence and fails by an assertion
- `lines`: the table of all lines, and the way through it
"""

from scripts.checks.acceptance.lines import LINES, Row, verify
from scripts.checks.acceptance.look import Look, use

__all__ = ["LINES", "Look", "Row", "use", "verify"]
