"""What becomes of an act has a sentence of its own, whatever becomes of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from gatekeeper.calls import sentence
from gatekeeper.reasons import Remedy
from gatekeeper.review import State
from gatekeeper.texts import catalogue
from schemas.audit import Outcome

ROOM = Path(__file__).parents[2] / "gatekeeper"
SAID = "\n".join((ROOM / name).read_text("utf-8") for name in ("acting.py", "review.py", "asking.py"))
REFUSALS = {
    *re.findall(r'(?:Call\(None|_Result\("refused"), "([a-z_]+)"', SAID),
    *re.findall(r'Asked\(code="([a-z_]+)"', SAID),
    *re.findall(r'return "([a-z_]+)"', (ROOM / "release.py").read_text("utf-8")),
    *("closed", "repeated", "nothing_to_approve", "nothing_to_undo", "notice_lacks"),
} - {"waits_along"}


def test_every_outcome_state_and_remedy_then_it_is_in_plain_words() -> None:
    wanted = {f"act.{outcome}" for outcome in get_args(Outcome)}
    wanted |= {f"act.outcome_{outcome}" for outcome in get_args(Outcome)}
    wanted |= {f"act.state_{state}" for state in get_args(State)}
    wanted |= {f"act.remedy_{remedy.replace('-', 'never')}" for remedy in get_args(Remedy)}
    assert wanted - catalogue().keys() == set()


def test_refusals_then_those_in_the_code_were_found() -> None:
    assert {"item_unknown", "hard", "evidence", "same_person", "not_confirmable"} <= REFUSALS


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_every_refusal_then_it_has_a_sentence_of_its_own(code: str) -> None:
    assert f"act.refused_{code}" in catalogue()
    assert sentence("refused", code) != sentence("refused", "never_heard_of")


def test_a_code_with_detail_then_the_sentence_has_it() -> None:
    assert "name.address" in sentence("refused", "notice_lacks.name.address")
    assert sentence("asked", "waits_along") != sentence("asked", None)
