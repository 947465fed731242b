import re
from pathlib import Path

from scripts.session.findings import CODES, EXIT_CODES
from scripts.session.settings import ROOT


def test_every_code_used_is_known_and_every_known_code_is_used():
    text = "\n".join(
        path.read_text()
        for path in [*Path(ROOT / "scripts").rglob("*.py"), ROOT / "tasks.py"]
        if path.name != "findings.py"
    )
    used = set(re.findall(r'"([A-Z]+(?:-[A-Z]+)+)"', text)) & {
        *CODES,
        *re.findall(r'(?:failure|Finding)\(\s*"([A-Z-]+)"', text),
    }
    assert used - set(CODES) == set()
    unused = {code for code in CODES if code not in text}
    assert unused == set()


def test_every_code_has_its_section_in_the_troubleshooting_guide():
    titles = set(
        re.findall(
            r"^### ([A-Z]+(?:-[A-Z]+)+)$", (ROOT / "TROUBLESHOOTING.md").read_text(), re.MULTILINE
        )
    )
    assert titles == set(CODES)


def test_exit_codes_differ():
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)
