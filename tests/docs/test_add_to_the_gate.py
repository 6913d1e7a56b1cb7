"""Rows of CONTRIBUTING are enough: the change of each is made in a copy of the tree, and tests of the copy pass.

The rows about what is decided and written are followed, in one copy, and its tests run in one process. No row needs
what another one adds. The row "a policy pack" has a page, which `test_add_a_country.py` follows. Of the other rows
`test_contributing.py` looks whether their files know the example.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.audit.records.releases import RULES
from tests.docs.conftest import PAGES, rows
from tests.support.changed_copy import Change, ChangedCopy


def plain(cell: str) -> str:
    """Returns a cell without links."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", cell)


FILE = Path(__file__).parents[1] / "support" / "followed_rows.toml"
FOLLOWED: dict[str, Any] = tomllib.loads(FILE.read_text("utf-8").replace("@NEXT@", str(RULES + 1)))
TOUCHED = {plain(row[0]): row[2] for row in rows(PAGES["CONTRIBUTING.md"], "to add")}
pytestmark = [pytest.mark.long("tests/docs/test_contributing.py"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The failures of the rows' tests in a copy in which all rows are followed, by test; '' for one that passes."""
    copy = ChangedCopy(tmp_path_factory.mktemp("added"))
    for row in FOLLOWED.values():
        copy.change(Change(**one) for one in row["change"])
    done = copy.run("-m", "tests.support.renewed", "--write")
    assert done.returncode == 0, done.stderr
    return copy.tested(*sorted({test for row in FOLLOWED.values() for test in row["tests"]}))


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_row_followed_then_it_named_each_file_and_the_tests_pass(name: str, outcomes: dict[str, str]) -> None:
    row = FOLLOWED[name]
    files = re.findall(r"[\w./-]+\.(?:py|toml|md|yaml|yml|html|json)\b", plain(TOUCHED[row["row"]]))
    assert {one.get("of", one["file"]) for one in row["change"]} == {*files}
    for test in row["tests"]:
        found = [told for case, told in outcomes.items() if case == test or case.startswith((f"{test}::", f"{test}["))]
        assert found, test
        assert not any(found), "\n".join(found)
