"""Each outcome of an act has a sentence of its own, and a page names buttons where a command names itself."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest

from gatekeeper.audit.explanation.wording import Wording
from gatekeeper.console.view import told
from gatekeeper.deciding.answer import rendered
from gatekeeper.ground.texts import Language, catalogue, placed, text
from gatekeeper.ground.words import Words
from gatekeeper.policy.reasons import Remedy
from gatekeeper.review.actions import ActRequest, remedies, sentence
from gatekeeper.review.queue import Queue
from gatekeeper.staff.act_kinds import ACT_KINDS, State
from gatekeeper.staff.signed_acts import Refused
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
VERBS = "|".join(kind for kind, row in ACT_KINDS.items() if row.key)
COMMAND: dict[Language, re.Pattern[str]] = {
    "ja": re.compile(rf"gatekeeper|--[a-z]|(?<![a-z_])({VERBS})(?![a-z_])"),
    "en": re.compile(rf"gatekeeper|--[a-z]|redecide|\(({VERBS})\)"),  # else the verbs are words of the language
}


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


@pytest.mark.parametrize("lang", get_args(Language))
def test_a_remedy_an_outcome_or_a_reason_on_a_page_then_it_names_no_command(lang: Language) -> None:
    page = Words(lang, "Asia/Tokyo")
    said = [page.t(key) for key in catalogue() if key.startswith("act.remedy_")]
    said += [told(outcome, None, lang) for outcome in (None, *get_args(Outcome))]
    said += [told("refused", code, lang) for code in REFUSALS]
    said += [catalogue()[placed(key, "page")][lang] for key in catalogue() if key.startswith("reason.")]
    assert len(said) > 150
    assert [sentence for sentence in said if COMMAND[lang].search(sentence)] == []


@pytest.mark.parametrize("lang", get_args(Language))
def test_a_fact_that_may_be_mended_then_a_page_names_the_button_that_decides_again(lang: Language) -> None:
    assert text("act_kind.do_redecide", lang) in Words(lang, "Asia/Tokyo").t("act.remedy_F")
    assert text("act_kind.do_uphold", lang) in told("refused", "awaits_answer", lang)


def test_a_template_missing_then_a_page_tells_of_no_import_and_the_command_line_does() -> None:
    reason: dict[str, Any] = {"code": "ASK_TEMPLATE_MISSING", "clause": "", "facts": [], "says": {}}
    desk = Desk(*YOUNG)
    desk.send()
    header = orjson.loads(dict(desk.review[0].headers)["gate-decision"]) | {"reasons": [reason]}
    command, page = (rendered(orjson.dumps(header), place).reasons[0] for place in ("", "page"))
    assert ("import reference" in command.en, "import reference" in command.ja) == (True, True)
    assert ("import reference" in page.en, "import reference" in page.ja) == (False, False)
    record = orjson.loads(desk.records[0].model_dump_json(by_alias=True))
    for place, named in (("", True), ("page", False)):
        assert ("import reference" in Wording("en", place=place).because(reason, record).text) is named
