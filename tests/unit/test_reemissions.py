"""A cleared piece asked for again: the very bytes if it still stands, and nothing after a withdrawal."""

from __future__ import annotations

from typing import Any

import orjson

from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.judged import Judged
from schemas.audit import AuditRecord
from schemas.record import Record
from tests.support import invented
from tests.support.desk import JUDGE, Desk

NO = invented.consent(
    record_id="R-9", state="Withdrawn", purpose="*", channels="*", notice_id=None, event_time="2026-11-24"
)
SENT = orjson.dumps(invented.send())


def again(desk: Desk, **fields: Any) -> tuple[Judged, str, str | None]:
    """Judges an act that asks for the one piece; returns what came of it, its outcome and code."""
    act = {
        "v": 1, "kind": "reemit", "act_id": "re-1", "at": "2026-11-24T10:00:00+09:00", "by": "hanako",
        "recipient_id": "P-1", "campaign_id": "K-1", "channel": "postal", "decision_id": desk.records[0].did,
        "source": {"topic": "sends", "partition": 3, "offset": 1}, **fields,
    }  # fmt: skip
    record = Record("mail.acts.v1", 3, 9, desk.at, b"P-1", orjson.dumps(act))
    item = Record("mail.sends.v1", 3, 1, desk.at, None, SENT)
    desk.at += 60_000
    found = desk.asked(record, item, Moment(JUDGE, desk.store, desk.state, desk.at, None))
    for entry in found.entries:
        desk.state.put(entry)
    told = AuditRecord.model_validate_json(found.audit)
    assert told.act
    return found, told.act.outcome, told.act.code


def test_withdrawn_since_then_nothing_is_written_and_the_record_says_why() -> None:
    desk = Desk(invented.source(), invented.consent())
    assert desk.send().verdict == "clear"
    desk.learn(NO)
    found, *refused = again(desk)
    assert (refused, found.outputs) == (["refused", "stands_no_longer"], ())
    reasons = AuditRecord.model_validate_json(found.audit).reasons
    assert [reason.code for reason in reasons] == ["CONSENT_WITHDRAWN"]
    assert len(desk.weigh()) == 1, "its recall goes out by itself"
    assert again(desk, act_id="re-2")[1:] == ("refused", "not_cleared")
