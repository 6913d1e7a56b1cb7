"""Delivered rows against the gate's records: each kind of finding, and one answer to every row."""

from __future__ import annotations

import pytest

from gatekeeper.management.reconciliation import Books, Delivered
from tests.support import invented

K = "K-1"
RECALLED_AT = invented.T  # 2026-11-24 in Tokyo


def books() -> Books:
    keys = {did: (f"P-{did}", K, "postal") for did in ("good", "other", "back", "kept", "no")}
    return Books(
        "Asia/Tokyo",
        cleared={did: keys[did] for did in ("good", "other", "back", "kept")},
        withheld={"no": keys["no"], "old": keys["good"]},
        recalled={"back": RECALLED_AT},
        handed={"good", "other", "back"},
    )


def found(*rows: Delivered) -> list[str | None]:
    return [kind for _, _, kind in books().compare(rows)]


def by_key(person: str, **more: str) -> Delivered:
    return Delivered(2, recipient_id=person, campaign_id=K, channel="postal", **more)


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (Delivered(2, "good"), None),
        (by_key("P-good", decision_id="good", date="2026-12-01"), None),
        (Delivered(2), "unreadable"),
        (Delivered(2, recipient_id="P-good", campaign_id=K), "unreadable"),
        (Delivered(2, "花子"), "unreadable"),
        (Delivered(2, "nothing"), "unknown"),
        (by_key("P-other", decision_id="good"), "differs"),
        (Delivered(2, "no"), "withheld"),
        (Delivered(2, "back"), "recalled"),
        (by_key("P-back", date="2026-11-24"), "recalled"),
        (by_key("P-back", date="2026-11-23"), None),
        (Delivered(2, "kept"), "not_handed"),
    ],
)
def test_row_then_it_is_right_or_has_this_finding(row: Delivered, kind: str | None) -> None:
    assert found(row) == [kind]


def test_piece_sent_twice_then_the_second_row_is_told_however_it_is_named() -> None:
    assert found(Delivered(2, "good"), Delivered(3, "other"), by_key("P-good")) == [None, None, "twice"]


def test_piece_cleared_anew_after_a_recall_then_its_key_means_the_one_that_stands() -> None:
    told = books()
    told.cleared["anew"] = told.cleared["back"]
    told.handed.add("anew")
    assert [did for _, did, _ in told.compare([by_key("P-back")])] == ["anew"]
