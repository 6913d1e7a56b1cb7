"""Sentences: what is wrong is said in the reader's language, and reasons name what they stand on."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from gzip import BadGzipFile
from pathlib import Path
from typing import get_args

import orjson
import pytest

from gatekeeper.cli.decide import _read as read_case
from gatekeeper.deciding.answer import answer, sentence
from gatekeeper.ground import settings
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import Language, catalogue, language, text
from gatekeeper.ground.words import Words, asked, law, with_code, with_names
from gatekeeper.lists import mapping
from gatekeeper.policy.packs import load, shipped
from gatekeeper.policy.policy import read
from gatekeeper.policy.reasons import CATALOGUE, Found
from schemas.codec import decode
from tests.support import invented
from tests.support.golden_cases import CASES, events, millis
from tests.support.invented import decide
from tests.support.policies import SHIPPED

ENGLISH = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")


@pytest.fixture
def japanese(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GATEKEEPER_LANG", "ja")
    language.cache_clear()
    yield
    language.cache_clear()


def policy(old: bytes, new: bytes) -> Callable[[], object]:
    return lambda: read(SHIPPED.replace(old, new), file="mine.toml")


def case(content: bytes) -> Callable[[], object]:
    return lambda: read_case(content, file="case.json")


def column_map(content: bytes) -> Callable[[], object]:
    return lambda: mapping.read_map(content, topic="sources", file="map.toml")


@pytest.mark.usefixtures("japanese")
@pytest.mark.parametrize(
    ("wrong", "place", "hint"),
    [
        (policy(b"skew_ms", b"skw_ms"), "parameters.skw_ms", "skew_ms のことですか"),
        (policy(b"[rules]", b'[rules]\nSUBJECT_OBJECTED = "off"'), "rules.SUBJECT_OBJECTED", "止めることはできません"),
        (policy(b"[rules]", b'[rules]\nNOTICE_ITEM_MISSING = "on"'), "rules.NOTICE_ITEM", "NOTICE_ITEMS_MISSING の"),
        (policy(b"ask_cap = 1", b"ask_cap = 0"), "parameters.ask_cap", "1 以上"),
        (policy(b"ask_cap = 1", b'ask_cap = "1"'), "parameters.ask_cap", "整数"),
        (policy(b"Asia/Tokyo", b"Asia/Edo"), "timezone", "Asia/Tokyo"),
        (policy(b"T00:00:00+09:00", b"T00:00:00"), "effective_from", "時差"),
        (policy(b'jurisdictions = ["JP"]', b"jurisdictions = []"), "jurisdictions", "1個以上"),
        (case(b'{"at": "2026-11-24", "send": {}}'), "at", "日付だけ"),
        (case(b'{"at": "2026-11-24T10:00:00", "send": {}}'), "at", "時差"),
        (case(b'{"at": "2026-11-24T10:00:00Z"}'), "send", "必須"),
        (case(b'{"at": "2026-11-24T10:00:00Z", "send": {}, "zz": 1}'), "zz", "知らない"),
        (case(b"[]"), "case.json", "オブジェクト"),
        (
            lambda: mapping.read_map(b"recipient_id = { column = 1 }", topic="sources", file="map.toml"),
            "column",
            "文字列",
        ),
    ],
)
def test_given_a_value_that_is_wrong_then_place_and_hint_in_japanese(
    wrong: Callable[[], object], place: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        wrong()
    said = str(caught.value)
    assert place in said
    assert hint in said
    assert not ENGLISH.search(said)


@pytest.mark.usefixtures("japanese")
@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("GATEKEEPER_MODE", "test", "'live' or 'shadow'"),
        ("GATEKEEPER_LOG_LEVEL", "loud", "'debug'"),
        ("GATEKEEPER_PARTITIONS", "x", "整数"),
        ("GATEKEEPER_PARTITIONS", "257", "256 以下"),
        ("GATEKEEPER_PREFIX", "Bad", "mail."),
        ("GATEKEEPER_MAX_LAG", "0", "より大きい"),
        ("GATEKEEPER_SESSION_TIMEOUT", "5.9", "6.0 以上"),
    ],
)
def test_given_a_setting_that_is_wrong_then_its_variable_and_hint_in_japanese(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, hint: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        settings.load()
    said = str(caught.value)
    assert name in said
    assert hint in said
    assert "Input should" not in said


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GATEKEEPER_BROKR", "GATEKEEPER_BROKER"),
        ("gatekeeper_partition", "GATEKEEPER_PARTITIONS"),
        ("GATEKEEPER_", ""),
        ("gatekeeper_lang", "GATEKEEPER_LANG"),
        ("Gatekeeper_Jars", "GATEKEEPER_JARS"),
    ],
)
def test_a_variable_that_no_setting_has_then_the_nearest_known_one_and_the_list(name: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings.demand_known(["PATH", "GATEKEEPER_LANG", "GATEKEEPER_JARS", "gatekeeper_mode", name])
    said = str(caught.value)
    assert name in said
    assert f"did you mean {meant}?" in said or not meant
    assert "docs/reference/settings.md" in said


def test_given_the_variables_that_the_page_lists_then_each_is_known() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/settings.md").read_text("utf-8")
    listed = re.findall(r"^\| `(GATEKEEPER_\w+)`", page, re.M)
    assert len(listed) > 40
    settings.demand_known(listed)


@pytest.mark.parametrize("written", ["null", '["x"]', "7", "{}", "{"])
def test_given_a_broker_file_that_is_not_ours_then_no_broker_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str
) -> None:
    monkeypatch.setattr(settings, "BROKER_FILE", tmp_path / "broker.json")
    settings.BROKER_FILE.write_text(written)
    with pytest.raises(UsageError) as caught:
        _ = settings.Settings(broker="").bootstrap
    assert caught.value.key == "error.broker_unknown"


@pytest.mark.parametrize(
    ("name", "ja", "en"),
    [
        ("G03", "メールだけ", "for e-mail only"),
        ("G23", "みどりカード", "みどりカード"),
        ("G27", "旧あおば商店", "旧あおば商店"),
        ("G28", "ほしぞら食品", "ほしぞら食品"),
        ("G34", "2026-12-01", "2026-12-01"),
        ("G36", "2026-10-31", "2026-10-31"),
        ("G37", "みどりカード", "みどりカード"),
        ("G53", "2026-11-24T09:20:00+09:00", "2026-11-24T09:20:00+09:00"),
    ],
)
def test_given_a_reason_then_its_sentences_name_the_date_the_channel_or_the_company(
    name: str, ja: str, en: str
) -> None:
    case = CASES[name]
    reference, facts = events(case)
    found = invented.store(*facts, reference=reference)
    send = decode("sends", None, orjson.dumps(invented.send(**case.get("send", {}))))
    as_of = millis(case["as_of"]) if "as_of" in case else None
    decision = decide(send, invented.view(found, send), found.reference, load("jp-pmark"), invented.T, as_of=as_of)
    assert decision.codes == tuple(case["reasons"])
    said = answer(decision)["reasons"][0]
    assert ja in said["ja"]
    assert en in said["en"]


def test_clauses_then_japanese_readers_see_no_english_name_of_a_law() -> None:
    every = {one.cite for versions in shipped().values() for policy in versions for one in policy.clauses}
    every |= {kind.own_rule for kind in CATALOGUE.values()}
    for clause in "; ".join(every).split("; "):
        assert law(clause, "en") == clause
        if not clause.startswith("policy:"):
            assert not re.search(r"Act|Code|APPI|PPC|proviso|Mark|verified", law(clause, "ja")), clause


def test_a_clause_that_a_shipped_reason_cites_then_each_article_is_told_in_our_words() -> None:
    every = {one.cite for versions in shipped().values() for policy in versions for one in policy.clauses}
    every |= {kind.own_rule for kind in CATALOGUE.values() if kind.own_rule}
    used = set[str]()
    for clause in every:
        articles = clause.split("; ")
        for lang in get_args(Language):
            told = [asked(article, lang) for article in articles]
            assert all(told), clause
            assert asked(clause, lang) == {name: asks for one in told for name, asks in one.items()}
        used |= {asks for one in told for asks in one.values()}
    said = {both["en"] for key, both in catalogue().items() if key.startswith("clause.")}
    assert said - used == set(), "cited by nothing"


@pytest.mark.parametrize(
    ("clause", "names"),
    [
        ("J.8.7 b)", ["J.8.7"]),
        ("APPI 27(5)(i), 18; J.8.7 b)", ["APPI 27(5)(i)", "APPI 18", "J.8.7"]),
        ("APPI 27(2) proviso", ["APPI 27(2) proviso"]),
        ("APPI 27(1)(2)", ["APPI 27"]),
        ("Civil Code 99, 113", ["Civil Code 99", "Civil Code 113"]),
        ("policy: sender, contact and how to stop", ["policy: sender, contact and how to stop"]),
        ("GDPR 21(2); policy: our-own", []),
    ],
)
def test_what_a_clause_asks_then_it_is_named_by_the_article_that_asks_it(clause: str, names: list[str]) -> None:
    assert [*asked(clause, "en")] == names


def test_an_error_that_names_a_command_then_the_console_says_what_that_is_there() -> None:
    error = UsageError("error.filter_key", name="foo", known="state")
    console, report = (Words("en", "Asia/Tokyo", subject).said(error) for subject in ("page", "report"))
    assert "--filter" in report
    assert "--filter" not in console
    assert "foo" in console


def test_a_folder_then_it_has_one_name_in_japanese() -> None:
    assert [key for key, both in catalogue().items() if "フォルダー" in both["ja"]] == []


@pytest.mark.parametrize(
    ("error", "ja", "en"),
    [
        (
            FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "見本.csv"),
            "見つかりません",
            "No such file or directory",
        ),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "解決できません", "cannot be resolved"),
        (ssl.SSLError(1, "[SSL] certificate verify failed"), "certificate verify failed", "certificate verify failed"),
        (OSError(errno.EPROTO, os.strerror(errno.EPROTO)), "Protocol error", "Protocol error"),
        (BadGzipFile("見本"), "BadGzipFile", "BadGzipFile"),
    ],
)
def test_given_an_error_of_the_system_then_why_is_said_and_not_of_what(error: OSError, ja: str, en: str) -> None:
    said = {lang: text("error.disk_unread", lang, path="p", detail=error) for lang in get_args(Language)}
    assert ja in said["ja"]
    assert en in said["en"]
    assert "見本" not in "".join(said.values())


def test_why_the_system_refuses_then_it_is_one_of_its_errors_in_its_own_english() -> None:
    names = [key.removeprefix("os.") for key in catalogue() if key.startswith("os.E")]
    assert {name: os.strerror(getattr(errno, name)) for name in names} == {
        name: text(f"os.{name}", "en") for name in names
    }


def test_brackets_then_those_in_japanese_are_as_wide_as_its_letters() -> None:
    letter = "[぀-ヿ一-鿿、。「」]"
    narrow = re.compile(rf"{letter} ?\(|\) ?{letter}|\({letter}|{letter}\)")
    said = {key: narrow.findall(re.sub("`[^`]*`", "", both["ja"])) for key, both in catalogue().items()}
    assert {key: found for key, found in said.items() if found} == {}


FORMED = [
    name
    for name, field in settings.Settings.model_fields.items()
    if any(getattr(limits, "pattern", None) for limits in field.metadata)
]


@pytest.mark.parametrize("name", FORMED)
def test_a_setting_of_another_form_then_the_error_says_the_form_in_words(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(settings.variable(name), "a b!")
    with pytest.raises(UsageError) as told:
        settings.load()
    said = str(told.value)
    assert settings.variable(name) in said
    assert "such as" in said
    assert "^" not in said, "a regular expression is no advice"


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<p>See `audit`, and `a &lt;b&gt;`.</p>", "<p>See <code>audit</code>, and <code>a &lt;b&gt;</code>.</p>"),
        ('<a title="`x`">`y`</a>', '<a title="`x`"><code>y</code></a>'),
        ("<pre>`x`</pre><code>`y`</code>", "<pre>`x`</pre><code>`y`</code>"),
        ("<title>`x`</title><option>`y`</option>", "<title>`x`</title><option>`y`</option>"),
        ("<p>O`Brien D`Angelo</p>", "<p>O`Brien D`Angelo</p>"),
        ("<samp>a `b` c</samp> `d`", "<samp>a `b` c</samp> <code>d</code>"),
        ("<p>one ` alone</p><p>another ` alone</p>", "<p>one ` alone</p><p>another ` alone</p>"),
    ],
)
def test_a_name_between_backticks_then_a_page_shows_it_as_code_and_attributes_stay(html: str, shown: str) -> None:
    assert with_code(html) == shown


@pytest.mark.parametrize(
    ("method", "id_", "ja", "en"),
    [
        ("indirect.gift_recipient", "gift-sender", "本人以外（贈り主）から", "somebody else (the giver)"),
        ("indirect.purchased_list", "broker-a", "本人以外（名簿業者）から", "somebody else (a list broker)"),
        ("indirect.referral", "AOBA", "本人以外（旧あおば商店）から", "somebody else (旧あおば商店)"),
        ("public.web", "site-7", "本人以外（site-7）から", "somebody else (site-7)"),
    ],
)
def test_whoever_gave_the_data_then_a_page_has_the_name_or_their_part(method: str, id_: str, ja: str, en: str) -> None:
    reason = Found("REFERRAL_UNCONFIRMED", ("S-1",), {"method": method, "provider": id_})
    names = {"controller/AOBA": "旧あおば商店"}
    assert ja in with_names(sentence(reason, "ja"), names)
    assert en in with_names(sentence(reason, "en"), names)


def test_a_reason_that_names_a_list_then_a_page_has_the_name_and_all_else_stays() -> None:
    said, names = "名簿 B-1 は使用を止めています（B-11、B-1.a）。", {"batch/B-1": r"会員\1", "batch/B-11": "別"}
    assert with_names(said, names, ["S-1", "batch/B-1"]) == r"名簿 会員\1 は使用を止めています（B-11、B-1.a）。"
    assert with_names(said, names) == said, "only lists that are its facts"
