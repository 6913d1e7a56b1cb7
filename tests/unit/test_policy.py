"""Policies are read exactly or refused with file, key path and hint."""

from __future__ import annotations

import re
from hashlib import sha256

import pytest

from gatekeeper.ground.errors import UsageError
from gatekeeper.policy.comparison import differences
from gatekeeper.policy.packs import load, shipped
from gatekeeper.policy.policy import read
from gatekeeper.policy.reasons import CATALOGUE
from tests.support.policies import SHIPPED


def test_shipped_policy_loaded_then_named_by_its_bytes() -> None:
    policy = load("jp-pmark").home[0]
    assert policy.ref == {"id": "jp-pmark", "version": 1, "sha256": sha256(SHIPPED).hexdigest()}
    assert policy.name == "jp-pmark@1"
    assert (policy.skew_ms, policy.max_lag_ms, policy.match_floor) == (300_000, 300_000, 900)


@pytest.mark.parametrize(
    ("old", "new", "place", "hint"),
    [
        (b"skew_ms = 300_000", b"skw_ms = 300_000", "parameters.", "skew_ms"),
        (b'timezone = "Asia/Tokyo"', b'timezone = "../../etc/passwd"', "timezone", "Asia/Tokyo"),
        (b"version = 1", b"version = 1\nswitch_off = true", "switch_off", "unknown key"),
        (b"version = 1", b"version = ", "TOML", "line"),
        (b"[rules]", b'[rules]\nSUBJECT_OBJECTED = "off"', "rules.SUBJECT_OBJECTED", "cannot be switched off"),
        (b"[rules]", b'[rules]\nNOTICE_ITEMS_MISSING = "purpose"', "rules.NOTICE_ITEMS_MISSING", "on"),
        (b"CONSENT_MISSING = {", b"CONSENT_MISING = {", "clauses.CONSENT_MISING", "CONSENT_MISSING"),
        (b'{ cite = "APPI 19", verified = true }', b'{ cite = "APPI 19", sure = true }', "clauses.IMPROPER_USE", "key"),
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


def test_amendment_shipped_then_in_force_from_its_day_only() -> None:
    packs = load("jp-pmark")
    first_day = 1_845_990_000_000  # 2028-07-01T00:00:00+09:00
    assert (packs.at(first_day).name, packs.at(first_day).provisional) == ("jp-pmark@4", True)
    assert (packs.at(first_day - 1).name, packs.at(first_day - 1).provisional) == ("jp-pmark@3", False)
    third = 1_796_137_200_000  # 2026-12-02T00:00:00+09:00
    assert (packs.at(third).minor_age, packs.at(third - 1).minor_age) == (16, 15)
    assert len({policy.sha256 for policy in packs.home + packs.strictest}) == 6
    assert [policy.name for policy in packs.provisional(third)] == ["jp-pmark@4", "strictest@4"]


@pytest.mark.parametrize("named", ["jp-pmark@9", "../strictest@1"])
def test_text_that_amends_what_is_not_shipped_then_refused(named: str) -> None:
    with pytest.raises(UsageError, match="amends"):
        read(f'amends = "{named}"\nid = "x"'.encode(), file="mine.toml")


@pytest.mark.parametrize("version", [0, 1, 2, 3])
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
        (b"match_floor = 900", b"match_floor = 899", ["match_floor"]),
        (b"ask_cap = 1", b"ask_cap = 2", ["ask_cap"]),
        (b"four_eyes_bulk = 100", b"# no limit: 100", ["four_eyes_bulk"]),
        (b"four_eyes_bulk = 100", b"four_eyes_bulk = 99", []),
        (b"ask_cap = 1", b"ask_cap = 1\nrejudge_hours = 96", ["rejudge_hours"]),
        (b'consent_channels = ["*"]', b'consent_channels = ["email"]', ["consent_channels"]),
        (b"[rules]", b'[rules]\nNOTICE_ITEMS_MISSING = "off"', ["off"]),
        (b"[rules]", b'[rules]\nJOINT_USE_NOT_COVERED = "purpose"', ["purpose_only"]),
        (b"ask_cap = 1", b'ask_cap = 1\nwritten_methods = ["paper"]', []),
        (b"ask_cap = 1", b"ask_cap = 1\nminor_age_from = { 2020-01-01 = 14 }", ["minor_age_from"]),
        (b"ask_cap = 1", b"ask_cap = 1\nminor_age_from = { 2020-01-01 = 15, 2026-12-02 = 16 }", []),
    ],
)
def test_policy_changed_then_what_widens_is_told(old: bytes, new: bytes, wider: list[str]) -> None:
    assert old in SHIPPED
    before, after = read(SHIPPED, file="a.toml"), read(SHIPPED.replace(old, new), file="b.toml")
    found = differences(before, after)
    assert len(found) == 1
    assert [one.key for one in found if one.widens] == wider


def test_shipped_texts_then_nobody_has_verified_a_row_and_each_reason_has_its_clause() -> None:
    for policy in (one for versions in shipped().values() for one in versions):
        assert set(policy.unverified) == {clause.name for clause in policy.clauses}, policy.name
        channels = ("postal", "email", "sms", "fax", "phone", "visit", None)
        cites = {(code, channel): policy.cites(code, channel) for code in CATALOGUE for channel in channels}
        assert all(cites.values()), policy.name
        assert [said for said in cites.values() if re.search(r"A\.3\.|2017", said)] == [], policy.name
        assert (policy.id == "jp-appi") != any("J.8.7" in said for said in cites.values())


RELEASED = {
    "jp-appi@1": "aa5fd69198ce27dd371724a43e0dfa3cf40b96a4f4411718cdaa37602b37499a",
    "jp-appi@2": "1b3512f19e00f146c900061839ed1948071847e6b924df98ab8ec516cc4c8de1",
    "jp-pmark@1": "f228d701bb903618cecf19df5d34a6453798fa51528730af9b06f724ce0d29c7",
    "jp-pmark@2": "02c7cdc1617d167e18712b2be246ea684248be1b326ce8541df0c64e116740fa",
    "strictest@1": "a34a4d7b47f3836592dded757ed1d403240715e4eec8858ca7cf8b614c9afa47",
    "strictest@2": "c8c5dbfad86b2e3e6e5e9a47351959d102a02daf02deacf025df786dae0115cf",
}
"""SHA-256 of each text of a pack that was released. Records name it for good, so no line changes or goes."""


def test_text_that_was_released_then_not_a_byte_of_it_changes() -> None:
    now = {policy.name: policy.sha256 for versions in shipped().values() for policy in versions}
    assert {name: now.get(name) for name in RELEASED} == RELEASED, "give what changed the next version of its pack"
