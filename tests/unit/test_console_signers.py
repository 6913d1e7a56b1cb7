"""The console says by what proof each act was done, and on each page when acts need no signature."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekeeper.audit.explanation.wording import Wording
from gatekeeper.console import passwords
from gatekeeper.console.inquiries import act_line
from gatekeeper.console.users import Users
from gatekeeper.index.act_log import Answered
from gatekeeper.review.review_item import ActProof
from schemas.events import PairedAct
from tests.support.desk import YOUNG, Desk
from tests.support.office import Office, acted_by
from tests.support.offline_console import OfflineConsole, offline_console, user_file

PEOPLE = {"rin": {"roles": ("manager",)}}


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "LOG_N", 10)


def console(folder: Path, desk: Desk) -> OfflineConsole:
    return offline_console(folder, Users(user_file(folder, PEOPLE)), desk)


@pytest.fixture
def signed() -> Desk:
    """An item with three notes: by a person's own key, by the console's word, and by nobody, which is refused."""
    desk = Office(*YOUNG)
    desk.send(event_id="E-1")
    desk.act("note", 0, **acted_by("kenji", "n-1"))
    desk.word = True
    desk.act("note", 0, **acted_by("yuki", "n-2"))
    desk.by = None
    desk.act("note", 0, **acted_by("taro", "n-3"))
    return desk


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answered(True, "refused", "unsigned"), "rin: entering a withdrawal. Refused."),
        (
            Answered(True, "recorded"),
            "rin: entering a withdrawal. Recorded. (not signed: the name is only what was typed)",
        ),
        (
            Answered(True, "recorded", None, ActProof("rin", "k1", "vouched", "console", "oidc")),
            "rin: entering a withdrawal. Recorded."
            " (by the console's word for rin, who signed in with a company account)",
        ),
    ],
)
def test_an_act_about_a_person_then_their_page_tells_its_answer_and_who_signed(answer: Answered, said: str) -> None:
    act = PairedAct.model_validate(
        {"v": 1, "kind": "withdraw", "act_id": "w-1", "by": "rin", "at": "2026-11-24", "recipient_id": "P-1"}
    )
    tell = Wording("en")
    assert tell.whole(act_line(act, answer, tell)).endswith(said)
