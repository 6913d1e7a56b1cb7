"""Each how-to exists in Japanese and English, and both name the same commands."""

from __future__ import annotations

import re

import pytest

from tests.docs.conftest import PAGES

HOW_TO, JAPANESE = "docs/how-to/", "docs/how-to/ja/"
PAIRS = sorted(name.removeprefix(JAPANESE) for name in PAGES if name.startswith(JAPANESE))
ENGLISH_ONLY = {"add-a-country.md": "for developers of the gate, whose code and decisions are in English"}
"""The pages in English only, with the reason. It never grows: a new page comes in both languages."""


def commands(page: str) -> tuple[list[str], set[str]]:
    """Returns the code blocks of a page without comments, and the calls of `gatekeeper` in its text."""
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", page, re.S | re.M)
    bare = [re.sub(r" *(?<![\w&])# .*$", "", block, flags=re.M) for block in blocks]
    rest = re.sub(r"^ *```\w*\n.*?^ *```", "", page, flags=re.S | re.M)
    return bare, set(re.findall(r"`(gatekeeper [^`]+)`", rest))


def test_how_tos_then_each_is_in_both_languages_or_has_a_reason_not_to_be() -> None:
    english = {name.removeprefix(HOW_TO) for name in PAGES if name.startswith(HOW_TO)} - {
        f"ja/{name}" for name in PAIRS
    }
    assert english == {*PAIRS, *ENGLISH_ONLY}
    assert not ENGLISH_ONLY.keys() & set(PAIRS)
    assert len(ENGLISH_ONLY) <= 1


@pytest.mark.parametrize("name", PAIRS)
def test_a_how_to_in_both_languages_then_they_name_the_same_commands(name: str) -> None:
    assert commands(PAGES[JAPANESE + name]) == commands(PAGES[HOW_TO + name])


@pytest.mark.parametrize(
    "name", sorted({f"docs/manual/ja/{path.rpartition('/')[2]}" for path in PAGES if "/manual/" in path})
)
def test_a_page_of_the_manual_then_both_languages_have_the_same_commands(name: str) -> None:
    japanese, english = commands(PAGES[name]), commands(PAGES[name.replace("/ja/", "/en/")])
    assert [block.replace("GATEKEEPER_LANG=ja", "GATEKEEPER_LANG=en") for block in japanese[0]] == english[0]
    assert {call.replace("GATEKEEPER_LANG=ja", "GATEKEEPER_LANG=en") for call in japanese[1]} == english[1]
