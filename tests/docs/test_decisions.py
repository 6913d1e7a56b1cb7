"""Every page of a decision leads with it, says when it was made and whether it holds, and stands in the index."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.docs.conftest import PAGES
from tests.support.sentences import of_text

DECISIONS = sorted(name for name in PAGES if re.fullmatch(r"docs/adr/\d{4}-[a-z-]+\.md", name))
HEAD = re.compile(
    r"# (?P<number>\d+)\. (?P<title>[^\n]+)\n\n"
    r"\*\*Decision\.\*\* (?P<decision>[^\n]+)\n\n"
    r"Date: \d{4}-\d\d-\d\d\. Status: (?:accepted|replaced by \[[^\n]+\]\(00\d\d-[a-z-]+\.md\))\.(?: [^\n]+)?\n\n"
)


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_then_it_comes_first_in_one_sentence_with_its_date_and_status(name: str) -> None:
    head = HEAD.match(PAGES[name])
    assert head is not None
    assert f"docs/adr/{int(head['number']):04d}-" in name
    assert len(list(of_text(head["decision"]))) == 1


def test_decisions_then_the_index_has_each_by_title_and_every_number_to_the_last(
    table: Callable[[str, str], list[list[str]]],
) -> None:
    told = dict(table("docs/adr/README.md", "number"))
    heads = {name: HEAD.match(PAGES[name]) for name in DECISIONS}
    linked = {
        head["number"]: f"[{head['title'].replace('`', '')}]({name.removeprefix('docs/adr/')})"
        for name, head in heads.items()
        if head
    }
    unused = {number: text for number, text in told.items() if text in ("not used", "reserved")}
    assert told == dict(sorted((linked | unused).items(), key=lambda row: int(row[0])))
    assert list(told) == [str(number) for number in range(1, int(max(linked, key=int)) + 1)]
