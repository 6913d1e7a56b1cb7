"""The row "a reason" of CONTRIBUTING is enough: a reason is added in a copy of the house, and all goes on.

Texts and records of before it stay as good as they were.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from gatekeeper.audit.records.releases import RULES
from tests.docs.conftest import PAGES, rows

EDITS = {
    "gatekeeper/policy/reasons.py": (
        '            ReasonKind("SOURCE_UNKNOWN", "source", "HARD", ("F",)),\n',
        f'            ReasonKind("SUNDAY_LETTER", "will", "HARD", ("N",), since={RULES + 1}),\n',
    ),
    "gatekeeper/policy/later_clauses.py": (
        '        "EXTERNAL_PREFERENCE_LISTED": {\n',
        '        "SUNDAY_LETTER": dict.fromkeys(("jp-pmark", "jp-appi", "strictest"), "APPI 19"),\n',
    ),
    "gatekeeper/deciding/rules/will.py": (
        "    if standing.nos:\n",
        '    if case.send.campaign_id == "K-SUNDAY":\n        found.append(Found("SUNDAY_LETTER"))\n',
    ),
    "gatekeeper/texts/reason.toml": (
        "[SOURCE_UNKNOWN]\n",
        '[SUNDAY_LETTER]\nja = "日曜日の手紙、送れません。"\nen = "A letter of Sunday; it is not sent."\n\n',
    ),
    "gatekeeper/texts/meaning.toml": (
        "[SOURCE_UNKNOWN]\n",
        '[SUNDAY_LETTER]\nja = "日曜日の手紙"\nen = "a letter of Sunday"\n\n',
    ),
    "docs/reference/reasons.md": (
        "| `SOURCE_UNKNOWN` |",
        "| `SUNDAY_LETTER` | 日曜日の手紙 | a letter of Sunday | block | HARD | N | APPI 19 (unverified) |\n",
    ),
    "tests/golden/cases.yaml": (
        "G01:\n",
        "SUNDAY:\n  says: a letter of Sunday\n  sources: [{}]\n  consents: [{}]\n  send: {campaign_id: K-SUNDAY}\n"
        "  verdict: block\n  reasons: [SUNDAY_LETTER]\n\n",
    ),
}
"""By file of the row: a line of it, and the lines that go before it."""

PASS = (
    "tests/golden/test_cases.py",
    "tests/golden/test_kept_rules.py",
    "tests/unit/test_policy.py",
    "tests/unit/test_activation.py",
    "tests/docs/test_tables.py",
)
CHOSEN = "SUNDAY or reaches or version_then or test_policy or earlier_release or (test_tables and reason)"
"""Tests that the copy must pass, and the words that choose among them."""


def test_row_followed_then_the_copy_passes_and_texts_of_before_stay_good(house: Path, tmp_path: Path) -> None:
    (touched,) = [row[2] for row in rows(PAGES["CONTRIBUTING.md"], "to add") if row[0] == "a reason"]
    assert EDITS.keys() == set(re.findall(r"[\w./-]+\.(?:py|toml|md|yaml)\b", touched))
    for room in ("gatekeeper", "schemas", "streams", "tests", "docs", "scripts"):
        shutil.copytree(house / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for page in (*house.glob("*.md"), *house.glob("*.toml")):
        shutil.copy(page, tmp_path)
    for name, (before, lines) in EDITS.items():
        content = (tmp_path / name).read_text("utf-8")
        assert content.count(before) == 1, name
        (tmp_path / name).write_text(content.replace(before, lines + before), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PASS, "-k", CHOSEN]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
