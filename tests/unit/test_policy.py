"""Policies are read exactly or refused with file, key path and hint."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from importlib.resources import files

import pytest

from gatekeeper.errors import UsageError
from gatekeeper.policy.comparison import differences, wider
from gatekeeper.policy.packs import load, shipped
from gatekeeper.policy.policy import read

SHIPPED = files("gatekeeper.policy").joinpath("jp-pmark.toml").read_bytes()


def test_shipped_policy_loaded_then_named_by_its_bytes() -> None:
    policy = load("jp-pmark").home[0]
    assert policy.ref == {"id": "jp-pmark", "version": 1, "sha256": sha256(SHIPPED).hexdigest()}
    assert policy.name == "jp-pmark@1"
    assert (policy.skew_ms, policy.max_lag_ms, policy.match_floor) == (300_000, 300_000, 900)


@pytest.mark.parametrize(
    ("old", "new", "place", "hint"),
    [
        (b"skew_ms = 300_000", b"skw_ms = 300_000", "parameters.", "skew_ms"),
        (b"version = 1", b"version = 0", "version", "greater"),
        (b"version = 1", b'version = "1"', "version", "integer"),
        (b'timezone = "Asia/Tokyo"', b'timezone = "Asia/Edo"', "timezone", "Asia/Tokyo"),
        (b'timezone = "Asia/Tokyo"', b'timezone = "../../etc/passwd"', "timezone", "Asia/Tokyo"),
        (b'"2024-10-01T00:00:00+09:00"', b'"2024-10-01T00:00:00"', "effective_from", "time zone"),
        (b"match_floor = 900", b"match_floor = 1001", "parameters.match_floor", "1000"),
        (b"match_floor = 900", b"match_floor = 0.9", "parameters.match_floor", "integer"),
        (b'jurisdictions = ["JP"]', b"jurisdictions = []", "jurisdictions", "at least 1"),
        (b"version = 1", b"version = 1\nswitch_off = true", "switch_off", "unknown key"),
        (b"version = 1", b"version = ", "TOML", "line"),
        (b"[rules]", b'[rules]\nSUBJECT_OBJECTED = "off"', "rules.SUBJECT_OBJECTED", "cannot be switched off"),
        (b"[rules]", b'[rules]\nFACTS_UNAVAILABLE = "off"', "rules.FACTS_UNAVAILABLE", "cannot be switched off"),
        (b"[rules]", b'[rules]\nSOURCE_UNKNOWN = "off"', "rules.SOURCE_UNKNOWN", "cannot be switched off"),
        (b"[rules]", b'[rules]\nNOTICE_ITEM_MISSING = "off"', "rules.NOTICE_ITEM_MISSING", "NOTICE_ITEMS_MISSING"),
        (b"[rules]", b'[rules]\nNOTICE_ITEMS_MISSING = "purpose"', "rules.NOTICE_ITEMS_MISSING", "on"),
        (b"[rules]", b"[rules]\nNOTICE_ITEMS_MISSING = false", "rules.NOTICE_ITEMS_MISSING", "on"),
        (b'["postal", "email"]', b'["postal", "mail"]', "parameters.confirm_channels", "email"),
        (b"ask_cap = 1", b"ask_cap = 0", "parameters.ask_cap", "greater"),
        (b"four_eyes_bulk = 100", b"four_eyes_bulk = 0", "parameters.four_eyes_bulk", "greater"),
        (b"four_eyes_bulk = 100", b"four_eyes_bulks = 100", "parameters.", "four_eyes_bulk"),
        (b"four_eyes_bulk = 100", b"rejudge_hours = 1441", "parameters.rejudge_hours", "1440"),
    ],
)
def test_policy_with_a_mistake_read_then_refused_with_place_and_hint(
    old: bytes, new: bytes, place: str, hint: str
) -> None:
    assert old in SHIPPED
    with pytest.raises(UsageError) as caught:
        read(SHIPPED.replace(old, new), file="mine.toml")
    said = str(caught.value)
    assert "mine.toml" in said
    assert place in said
    assert hint in said


def test_unknown_policy_loaded_then_refused_naming_the_known() -> None:
    with pytest.raises(UsageError, match="jp-pmark"):
        load("jp-nothing")


def test_amendment_shipped_then_in_force_from_its_day_only() -> None:
    packs = load("jp-pmark")
    first_day = 1_845_990_000_000  # 2028-07-01T00:00:00+09:00
    assert (packs.at(first_day).name, packs.at(first_day).minor_age) == ("jp-pmark@2", 16)
    assert (packs.at(first_day - 1).name, packs.at(first_day - 1).minor_age) == ("jp-pmark@1", 15)
    assert len({policy.sha256 for policy in packs.home + packs.strictest}) == 4


def test_country_asked_for_then_home_decides_its_own_and_the_strictest_what_nobody_knows() -> None:
    packs, now = load("jp-appi"), 1_795_482_000_000
    names = [(policy and policy.name) for policy in (packs.deciding(c, now) for c in ("JP", None, "GB"))]
    assert names == ["jp-appi@1", "strictest@1", None]
    assert packs.deciding("JP", 0) is None


@pytest.mark.parametrize("version", [0, 1])
def test_strictest_pack_then_no_line_of_any_other_is_stricter(version: int) -> None:
    strictest = shipped()["strictest"][version]
    for name, versions in shipped().items():
        wider = [one.key for one in differences(versions[version], strictest) if one.widens]
        assert set(wider) <= {"jurisdictions"}, name


@pytest.mark.parametrize(
    ("old", "new", "wider"),
    [
        (b"minor_age = 15", b"minor_age = 14", ["minor_age"]),
        (b"minor_age = 15", b"minor_age = 16", []),
        (b"ask_cap = 1", b"ask_cap = 2", ["ask_cap"]),
        (b"ask_cap = 1", b"ask_cap = 1\nask_again_months = 12", ["ask_again_months"]),
        (b"four_eyes_bulk = 100", b"four_eyes_bulk = 101", ["four_eyes_bulk"]),
        (b"four_eyes_bulk = 100", b"# no limit: 100", ["four_eyes_bulk"]),
        (b"four_eyes_bulk = 100", b"four_eyes_bulk = 99", []),
        (b"ask_cap = 1", b"ask_cap = 1\nrejudge_hours = 96", ["rejudge_hours"]),
        (b"ask_cap = 1", b"ask_cap = 1\nrejudge_hours = 0", []),
        (b'consent_channels = ["*"]', b'consent_channels = ["email"]', ["consent_channels"]),
        (b"[rules]", b'[rules]\nNOTICE_ITEMS_MISSING = "off"', ["off"]),
        (b"[rules]", b'[rules]\nJOINT_USE_NOT_COVERED = "purpose"', ["purpose_only"]),
        (b"postal = 30", b"postal = 60", ["confirm_days"]),
        (b'  "diabetic",\n', b"", ["sensitive"]),
        (b"ask_cap = 1", b"ask_cap = 1\nsource_max_age_months = 36", []),
    ],
)
def test_policy_changed_then_what_widens_is_told(old: bytes, new: bytes, wider: list[str]) -> None:
    assert old in SHIPPED
    before, after = read(SHIPPED, file="a.toml"), read(SHIPPED.replace(old, new), file="b.toml")
    found = differences(before, after)
    assert len(found) == 1
    assert [one.key for one in found if one.widens] == wider


def test_time_to_ask_again_shortened_or_added_then_wider_and_lengthened_or_dropped_then_not() -> None:
    never = read(SHIPPED, file="a.toml")
    soon, late = (replace(never, ask_again_months=months) for months in (6, 12))
    for old, new in ((never, late), (late, soon), (never, soon)):
        assert wider(old, new) == ["ask_again_months"]
        assert wider(new, old) == []
