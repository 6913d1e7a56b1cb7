"""Each outcome of an act has a sentence of its own."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from gatekeeper.deciding.answer import rendered
from gatekeeper.engine.item import State
from gatekeeper.policy.reasons import Remedy
from gatekeeper.review.actions import ActRequest, remedies, sentence
from gatekeeper.review.queue import Queue
from gatekeeper.staff.signed_acts import Refused
from gatekeeper.texts import catalogue
from schemas.audit import Outcome
from tests.support.desk import YOUNG, Desk

ROOM = Path(__file__).parents[2] / "gatekeeper"
SAID = "\n".join((ROOM / "engine" / name).read_text("utf-8") for name in ("item_acts.py", "item.py", "asks.py"))
REFUSALS = {
    *re.findall(r'(?:Consequence\(None|Answer\("refused"), "([a-z_]+)"', SAID),
    *re.findall(r'Asked\(code="([a-z_]+)"', SAID),
    *re.findall(r'return "([a-z_]+)"', (ROOM / "deciding" / "release.py").read_text("utf-8")),
    *get_args(Refused),
    "no_staff",
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


def test_what_no_letter_may_ask_then_that_is_told_before_anything_is_written() -> None:
    desk, queue = Desk(*YOUNG), Queue()
    desk.send()
    queue.review(3, 0, desk.review[0].value, desk.review[0].headers)
    (found,) = queue.items()
    (reason,) = rendered(dict(desk.review[0].headers)["gate-decision"]).reasons
    ask = ActRequest("ask", "hanako", "", None, "run", "2026-11-24T01:00:00.000Z")
    assert (found.verdict, reason.remedy) == ("review", ("R", "C"))
    assert (ask.refusal(found), desk.act("ask")) == ("not_confirmable", ("refused", "not_confirmable"))
    assert remedies(reason, found) == ["act.remedy_R", "act.remedy_C_later"]
    may = replace(found, verdict="confirm")
    assert ask.refusal(may) is None
    assert remedies(reason, may) == ["act.remedy_R", "act.remedy_C"]
    assert ask.refusal(replace(found, verdict="block", codes=("CONFIRMATION_PENDING",))) is None, "it waits along"
