"""Policies are read exactly or refused with file, key path and hint."""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import sha256

import pytest

from gatekeeper.ground.errors import UsageError
from gatekeeper.policy.comparison import differences, wider
from gatekeeper.policy.later_clauses import CLAUSES
from gatekeeper.policy.packs import load, shipped
from gatekeeper.policy.policy import Policy, read
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
        (b"[rules]", b'[rules]\nNOTICE_ITEM_MISSING = "on"', "rules.NOTICE_ITEM_MISSING", "NOTICE_ITEMS_MISSING"),
        (b"[rules]", b'[rules]\nNOTICE_ITEMS_MISSING = "purpose"', "rules.NOTICE_ITEMS_MISSING", "on"),
        (b"[rules]", b"[rules]\nNOTICE_ITEMS_MISSING = false", "rules.NOTICE_ITEMS_MISSING", "on"),
        (b'["postal", "email"]', b'["postal", "mail"]', "parameters.confirm_channels", "email"),
        (b"ask_cap = 1", b"ask_cap = 0", "parameters.ask_cap", "greater"),
        (b"four_eyes_bulk = 100", b"four_eyes_bulk = 0", "parameters.four_eyes_bulk", "greater"),
        (b"four_eyes_bulk = 100", b"four_eyes_bulks = 100", "parameters.", "four_eyes_bulk"),
        (b"CONSENT_MISSING = {", b"CONSENT_MISING = {", "clauses.CONSENT_MISING", "CONSENT_MISSING"),
        (b"CONSENT_MISSING = {", b"# CONSENT_MISSING = {", "clauses.CONSENT_MISSING", "no clause"),
        (b'{ cite = "APPI 19", verified = true }', b'{ cite = "APPI 19", sure = true }', "clauses.IMPROPER_USE", "key"),
        (b'channels = ["fax"]', b'channels = ["telefax"]', "clauses.SUBJECT_OBJECTED", "fax"),
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
    assert (packs.at(first_day).name, packs.at(first_day).provisional) == ("jp-pmark@4", True)
    assert (packs.at(first_day - 1).name, packs.at(first_day - 1).provisional) == ("jp-pmark@3", False)
    third = 1_796_137_200_000  # 2026-12-02T00:00:00+09:00
    assert (packs.at(third).minor_age, packs.at(third - 1).minor_age) == (16, 15)
    assert len({policy.sha256 for policy in packs.home + packs.strictest}) == 6
    assert [policy.name for policy in packs.provisional(third)] == ["jp-pmark@4", "strictest@4"]


def test_text_that_amends_then_what_it_does_not_say_is_as_it_was() -> None:
    first, _, third, fourth = sorted(shipped()["jp-pmark"], key=lambda policy: policy.version)
    changed = {one.key for one in differences(first, third)}
    assert changed == {
        *("audience_exceptions", "written_methods", "minor_age", "minor_age_from"),
        "clauses.CONFIRMATION_CHANNEL_UNLAWFUL",
    }
    assert [one.key for one in differences(third, fourth)] == ["provisional"]


@pytest.mark.parametrize("named", ["jp-pmark@9", "jp-pmark", "../strictest@1", "7"])
def test_text_that_amends_what_is_not_shipped_then_refused(named: str) -> None:
    with pytest.raises(UsageError, match="amends"):
        read(f'amends = "{named}"\nid = "x"'.encode(), file="mine.toml")


def test_packs_of_earlier_rules_then_they_had_no_version_of_later_ones() -> None:
    names = [policy.name for policy in load("jp-pmark").known_to(6).every]
    assert names == ["jp-pmark@1", "jp-pmark@2", "strictest@1", "strictest@2"]
    assert load("jp-pmark").known_to(7) == load("jp-pmark")


def test_country_asked_for_then_home_decides_its_own_and_the_strictest_the_unknown() -> None:
    packs, now = load("jp-appi"), 1_795_482_000_000
    names = [(policy and policy.name) for policy in (packs.deciding(c, now) for c in ("JP", None, "GB"))]
    assert names == ["jp-appi@1", "strictest@1", None]
    assert packs.deciding("JP", 0) is None


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
        (b"match_floor = 900", b"match_floor = 901", ["match_floor"]),
        (b'"Asia/Tokyo"', b'"Asia/Seoul"', ["timezone"]),
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
        (b'"diabetic", ', b"", ["sensitive"]),
        (b'["race", "checkup"]', b'["race"]', ["sensitive_alone"]),
        (b"ask_cap = 1", b"ask_cap = 1\nsource_max_age_months = 36", []),
        (b"ask_cap = 1", b'ask_cap = 1\nwritten_methods = ["paper"]', []),
        (b"ask_cap = 1", b"ask_cap = 1\nminor_age_from = { 2020-01-01 = 14 }", ["minor_age_from"]),
        (b"ask_cap = 1", b"ask_cap = 1\nminor_age_from = { 2020-01-01 = 15, 2026-12-02 = 16 }", []),
        (b"[rules]", '[audience_exceptions]\nphrases = ["健康食品"]\n[rules]'.encode(), ["audience_exceptions"]),
    ],
)
def test_policy_changed_then_what_widens_is_told(old: bytes, new: bytes, wider: list[str]) -> None:
    assert old in SHIPPED
    before, after = read(SHIPPED, file="a.toml"), read(SHIPPED.replace(old, new), file="b.toml")
    found = differences(before, after)
    assert len(found) == 1
    assert [one.key for one in found if one.widens] == wider


def test_time_to_ask_again_shortened_or_added_then_wider_and_the_reverse_not() -> None:
    never = read(SHIPPED, file="a.toml")
    soon, late = (replace(never, ask_again_months=months) for months in (6, 12))
    for old, new in ((never, late), (late, soon), (never, soon)):
        assert wider(old, new) == ["ask_again_months"]
        assert wider(new, old) == []


@pytest.mark.parametrize(
    "policy", [one for versions in shipped().values() for one in versions], ids=lambda one: one.name
)
def test_shipped_text_then_nobody_has_verified_a_row_of_it_whatever_it_says(policy: Policy) -> None:
    assert set(policy.unverified) == {clause.name for clause in policy.clauses}


CHANNELS = ("postal", "email", "sms", "fax", "phone", "visit", None)


@pytest.mark.parametrize(
    "policy", [one for versions in shipped().values() for one in versions], ids=lambda one: one.name
)
def test_shipped_pack_then_each_reason_has_its_clause_and_none_of_2017(policy: Policy) -> None:
    cites = {(code, channel): policy.cites(code, channel) for code in CATALOGUE for channel in CHANNELS}
    assert all(cites.values())
    assert [said for said in cites.values() if re.search(r"A\.3\.|2017", said)] == []
    assert (policy.id == "jp-appi") != any("J.8.7" in said for said in cites.values())


def test_conditions_of_the_guide_then_each_is_a_row_that_nobody_has_verified() -> None:
    policy = load("jp-pmark").home[0]
    rows = {clause.name: clause.verified for clause in policy.clauses if clause.name.startswith("J.8.7 ")}
    assert rows == {f"J.8.7 {letter}": None for letter in "abcdef"}
    assert policy.cites("ENTRUSTED_OWN_USE") == "APPI 27(5)(i), 18; J.8.7 b)"
    assert ("A.3.4.2.7", "J.8.7") in policy.aliases


@pytest.mark.parametrize("code", ["CONSENT_WITHDRAWN", "SUBJECT_OBJECTED"])
def test_a_no_by_channel_then_the_law_of_that_channel_is_cited_beside(code: str) -> None:
    for name in ("jp-pmark", "jp-appi", "strictest"):
        cites = [
            load(name).home[0].cites(code, channel) for channel in ("postal", "email", "sms", "fax", "phone", "visit")
        ]
        post, email, sms, fax, phone, visit = (said.removeprefix(cites[0]) for said in cites)
        assert email == sms == "; Specified E-mail Act 3(3); Specified Commercial Transactions Act 12-3(2)"
        assert (post, fax) == ("", "; Specified Commercial Transactions Act 12-5")
        assert phone == "; Specified Commercial Transactions Act 17"
        assert visit == "; Specified Commercial Transactions Act 3-2"


@pytest.mark.parametrize("name", ["jp-pmark", "jp-appi", "strictest"])
def test_question_by_another_channel_then_no_mail_law_is_cited(name: str) -> None:
    third = next(one for one in shipped()[name] if one.version == 3)
    for channel in CHANNELS:
        by_mail = "Specified E-mail Act 3(1)" in third.cites("CONFIRMATION_CHANNEL_UNLAWFUL", channel)
        assert by_mail == (channel in ("email", "sms"))


def test_text_of_an_earlier_release_then_read_without_clauses() -> None:
    former = read(SHIPPED.partition(b"# The clause behind")[0], file="former.toml")
    assert (former.clauses, former.cites("FACTS_STALE"), former.cites("CONSENT_MISSING")) == (
        (),
        "policy: max_lag",
        "policy: jp-pmark@1",
    )


def test_clauses_changed_then_the_difference_names_the_reason_and_widens_nothing() -> None:
    verified = b'{ edition = "ver1.0", on = "2027-01-20", by = "hanako" }'
    new = read(SHIPPED.replace(b'J.8.7 b)", verified = false', b'J.8.7 b)", verified = ' + verified), file="new.toml")
    found = differences(load("jp-pmark").home[0], new)
    assert "J.8.7 b" not in new.unverified
    assert "J.8.7 a" in new.unverified
    assert {one.key for one in found} == {"clauses.ENTRUSTED_OWN_USE", "clauses.J.8.7 b"}
    assert not any(one.widens for one in found)


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


@pytest.mark.parametrize(
    "policy", [one for versions in shipped().values() for one in versions], ids=lambda one: one.name
)
def test_reason_that_came_after_a_shipped_text_then_this_release_has_its_clause(policy: Policy) -> None:
    assert all(CATALOGUE[code].since for code in policy.later)
    lent = {clause.name: clause.cite for clause in policy.clauses if clause.name in policy.later}
    assert lent == {code: CLAUSES[code][policy.id] for code in policy.later}
    assert all(policy.cites(code) == lent[code] for code in policy.later)


def test_text_with_the_row_of_a_later_reason_then_it_is_cited_and_owes_all_its_time() -> None:
    rows = [b'%s = { cite = "Act 7", verified = true }' % code.encode() for code in load("jp-pmark").home[0].later]
    with pytest.raises(UsageError, match="clauses"):
        read(SHIPPED.replace(b"[clauses]", b"[clauses]\n" + rows[0]), file="new.toml")
    new = read(SHIPPED.replace(b"[clauses]", b"[clauses]\n" + b"\n".join(rows)), file="new.toml")
    assert new.cites("EXTERNAL_PREFERENCE_LISTED") == "Act 7"
    assert [code for code in new.later if CATALOGUE[code].since <= 7] == []


def test_own_pack_of_a_country_then_no_law_of_another_one_is_lent_to_it() -> None:
    own = read(SHIPPED.replace(b'id = "jp-pmark"', b'id = "xa"'), file="xa.toml")
    assert "EXTERNAL_PREFERENCE_LISTED" in own.later
    assert own.cites("EXTERNAL_PREFERENCE_LISTED") == "policy: xa@1"
