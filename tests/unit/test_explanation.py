"""The page that answers an inquiry: pieces told from their records, in words of both languages, nothing personal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import orjson

from gatekeeper.audit.checks.trail import Link
from gatekeeper.audit.explanation.explanation import Explanation
from gatekeeper.audit.explanation.placed_record import NewestCheckpoint, PlacedRecord
from gatekeeper.audit.explanation.trail_search import SearchTerm, TrailSearch
from gatekeeper.audit.records import inquiry
from gatekeeper.audit.records.releases import RULES
from gatekeeper.audit.verify.findings import Finding
from gatekeeper.ground.texts import Language, text
from tests.support import invented
from tests.support.desk import YOUNG, Desk

NO = invented.consent(record_id="R-2", state="Withdrawn", purpose="*", channels=[], event_time="2026-11-01")


class Shelf:
    """A trail of one partition: what a desk decided, two records a manifest."""

    def __init__(self, desk: Desk) -> None:
        self.values = [one.model_dump_json(by_alias=True).encode() for one in desk.records]

    def partitions(self) -> list[int]:
        return [3]

    def links(self, partition: int) -> Any:
        for start in range(0, len(self.values), 2):
            records = tuple(self.values[start : start + 2])
            yield Link(partition, 100 + start, b"{}", b"", records)

    def policy(self, sha256: str) -> bytes | None:
        return None

    def reference(self, sha256: str) -> bytes | None:
        return None


def asked(desk: Desk, text: str) -> list[list[PlacedRecord]]:
    return TrailSearch(Shelf(desk), lambda: None).found(SearchTerm.read(text))


def page(piece: list[PlacedRecord], lang: Language, seal: NewestCheckpoint | None = None) -> str:
    return Explanation(piece, seal, local=lambda at: at, lang=lang).page()


def released() -> Desk:
    """A piece withheld, released, handed off and called back, and others around it."""
    desk = Desk(*YOUNG)
    desk.send(event_id="other-1", campaign_id="K-0")
    desk.send(event_id="asked-about")
    desk.act("release", evidence_ref="form-7")
    desk.send(event_id="again")
    desk.campaign("handoff")
    desk.learn(NO)
    desk.weigh()
    return desk


def test_item_of_any_record_of_a_piece_then_all_of_its_records_in_order() -> None:
    desk = released()
    wanted = [one.did for one in desk.records if one.campaign == "K-1" and one.stage != "act"]
    assert len(wanted) == 5
    for record in desk.records:
        if record.did in wanted:
            for text in (record.did, record.did.lower(), inquiry.make(record.did), inquiry.make(record.did).lower()):
                (piece,) = asked(desk, text)
                assert [told.did for told in piece] == wanted
    (piece,) = asked(desk, "asked-about")
    assert [told.did for told in piece] == wanted
    assert [(told.manifest, told.position) for told in piece] == [(100, 1), (102, 0), (102, 1), (104, 0), (106, 0)]


def test_page_then_it_tells_rule_clause_who_acted_and_the_seal_and_nothing_personal() -> None:
    (found,) = asked(released(), "asked-about")
    piece = [replace(told, leaf=leaf) for told, leaf in zip(found, (0, 1, 1, 2, 3), strict=True)]
    en = page(piece, "en", NewestCheckpoint(2, None))
    ja = page(piece, "ja", NewestCheckpoint(4, "2026-11-24T01:05:00.000Z"))
    for said in (
        *("(AGE_UNCERTAIN, ", "[PPC Q&A 1-62]", "hanako: release. Cleared.", "evidence form-7"),
        "leaf 1 (from 0) of the sealed log, within the checkpoint of size 2",
        *("No witness has cosigned it", "not yet sealed"),
    ):
        assert said in en, said
    for personal in ("P-1", invented.token("cp-1"), "looked at the form"):
        assert personal not in en + ja
    plain = Explanation(piece, None, local=str).plain()
    assert [one["seal"] for one in plain] == [None] * 5
    assert plain[0]["reasons"][0]["clause"] == "PPC Q&A 1-62"


def test_record_whose_proof_does_not_hold_then_the_page_says_so_and_names_no_seal() -> None:
    (found,) = asked(released(), "asked-about")
    piece = [replace(told, leaf=7) for told in found]
    piece[0] = replace(piece[0], wrong=(Finding("forged_manifest", 1, 3, 100, {"kid": "K"}),))
    en = page(piece, "en", NewestCheckpoint(9, "2026-11-24T01:05:00.000Z"))
    assert (en.count("The proof of this record does not hold"), en.count("leaf 7"), en.count("cosigned")) == (1, 4, 4)
    plain = Explanation(piece, NewestCheckpoint(9, None), local=str).plain()
    assert [(one["wrong"], one["seal"] is None) for one in plain] == [(["forged_manifest"], True), *[([], False)] * 4]


def test_reason_that_this_release_does_not_know_then_nothing_of_it_is_quoted() -> None:
    desk, late = Desk(), {"name": "山田太郎 東京都渋谷区1-2-3", "case": "late", "date": "\x1b[2J\x1b[31mCLEARED"}
    desk.send()
    told = PlacedRecord(orjson.loads(desk.records[0].model_dump_json(by_alias=True)), 3)
    told.record["engine"]["rules"] = RULES + 1
    told.record["reasons"] = [
        {"code": "NEW_RULE", "facts": [], "says": {**late, "山田花子": "late"}},
        {"code": "NEWER_RULE", "facts": [], "says": {"山田花子": "late"}},
    ]
    for lang in get_args(Language):
        found = page([told], lang)
        assert "case late, date ?, name ?" in found
        assert text("explanation.reason_unknown", lang, rules=RULES + 1) in found, "of NEWER_RULE nothing can be quoted"
        assert [one for one in ("山田", "渋谷", "\x1b", "CLEARED") if one in found] == []
