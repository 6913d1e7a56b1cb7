"""The published contract: its files are those of the models, and each says what the codec reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from pydantic import StringConstraints, TypeAdapter

from schemas.codec import Unreadable, decode, encode, parse
from schemas.json_schema import described, examples
from schemas.topics import FACT_TOPICS, TOPICS
from schemas.values import AUDIENCE_PATTERN, Day
from schemas.webhooks import WEBHOOKS
from tests.support.bad_sends import BAD_SENDS
from tests.support.published import FILES, document, faults
from tests.support.renewed import HOW, stale

CONTRACT = document("asyncapi")
SCHEMAS = sorted({file.stem for file in FILES.iterdir()} - {"asyncapi", "openapi"})
MESSAGES = [
    (name, kind, message)
    for name, channel in CONTRACT["channels"].items()
    for kind, message in channel["messages"].items()
]
SAMPLES = [(name, kind) for name, kind, _ in MESSAGES if TOPICS[name].model is not None]


def reads(topic: str, value: Any) -> bool:
    """Tells whether the codec reads a value."""
    try:
        parse(topic, None, orjson.dumps(value))
    except Unreadable:
        return False
    return True


def test_files_then_they_are_what_the_models_say() -> None:
    assert stale() == [], HOW


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_file_then_it_is_json_schema_2020_12(name: str) -> None:
    Draft202012Validator.check_schema(document(name))


def test_asyncapi_then_each_reference_leads_somewhere() -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else ())
        for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from references(part)

    found = set(references(CONTRACT))
    assert len(found) > 50
    for reference in found:
        node: Any = CONTRACT
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_asyncapi_then_it_has_every_topic_but_those_of_the_worker_alone() -> None:
    assert TOPICS.keys() - CONTRACT["channels"].keys() == {"ledger", "salts", "asked"}


def test_examples_then_each_is_used() -> None:
    used = {kind for _, kind in SAMPLES} | {topic.headers.__name__ for topic in TOPICS.values() if topic.headers}
    used |= {model.__name__ for model in WEBHOOKS.values()}
    assert examples().keys() == used


@pytest.mark.parametrize(("topic", "kind"), SAMPLES)
def test_an_example_then_codec_and_file_take_it_as_its_model(topic: str, kind: str) -> None:
    value = examples()[kind]
    assert faults(topic, value) == []
    model = decode(topic, None, orjson.dumps(value))
    assert type(model).__name__ == kind
    assert faults(topic, orjson.loads(encode(model))) == []


@pytest.mark.parametrize("topic", [name for name, topic in TOPICS.items() if topic.headers])
def test_example_headers_then_model_and_file_take_them(topic: str) -> None:
    model = TOPICS[topic].headers
    value = examples()[model.__name__]
    assert faults(f"{topic}.headers", value) == []
    model.model_validate(value)


@pytest.mark.parametrize("name", WEBHOOKS)
def test_an_example_webhook_then_model_and_file_take_it(name: str) -> None:
    model = WEBHOOKS[name]
    value = examples()[model.__name__]
    assert faults(f"webhook.{name}", value) == []
    assert orjson.loads(encode(model.model_validate_json(orjson.dumps(value)))) == value


@pytest.mark.parametrize(("name", "kind", "message"), MESSAGES)
def test_examples_in_asyncapi_then_its_own_schemas_take_them(name: str, kind: str, message: dict[str, Any]) -> None:
    (example,) = message["examples"]
    for part in example:
        schema = {**message[part], "components": CONTRACT["components"]}
        assert list(Draft202012Validator(schema).iter_errors(example[part])) == []


@pytest.mark.parametrize(
    ("topic", "kind"), [one for one in SAMPLES if one[0] in ("sends", *FACT_TOPICS) and one[0] != "reference"]
)
def test_an_event_about_a_person_then_it_names_its_clause(topic: str, kind: str) -> None:
    (said,) = (
        one["description"]
        for one in (document(topic), *document(topic).get("$defs", {}).values())
        if one.get("title") == kind
    )
    assert re.search(r"\((J\.|APPI )[0-9].*\)", said)


UNSAID = {
    *("a key twice", "a key twice, deep inside"),  # bytes, of which a schema sees the last value
    *("a float", "a day that does not exist"),  # 1.0 is an integer there; months have 31 days
    *("filed under another key", "filed under bytes", "a key too long", "too long"),
    *("a sender nobody registered", "a purpose nobody registered", "an advertisement for a service"),
    *("a service on an advertisement", "a service on an unknown template", "a recall without a ground"),
    "a mail date years ahead",
}
"""Faults that JSON Schema has no words for, or that only the present `reference` shows."""


def test_bad_sends_then_the_file_refuses_each_as_far_as_json_schema_can_say_it() -> None:
    taken = set()
    for name, _, value, _ in BAD_SENDS:
        try:
            found = orjson.loads(value or b"")
        except ValueError:
            continue
        if not faults("sends", found):
            taken.add(name)
    assert taken == UNSAID - {"too long"}


GIVEN, STOP, ACT = examples()["Consent"], examples()["Suppression"], examples()["PairedAct"]
ROW = {"kind": "release", "campaign": "C1", "count": 2, "root": "0" * 64}
TABLE = {"rows": [ROW], "row": 0, "index": 0, "path": []}
STAFF, SIGNED, EVENT = examples()["Staff"], examples()["Signature"], examples()["PersonEvent"]
TOKEN = examples()["Source"]["contact_points"][0]["token"]
PASSKEY = {
    "id": "k2",
    "method": "passkey",
    "public": "AAAA",
    "rp": {"id": "a.example", "origins": ["https://a.example"]},
}
CASES: list[tuple[str, str, dict[str, Any], bool]] = [
    ("a yes without channels", "consents", {**GIVEN, "channels": []}, False),
    ("a yes to every channel", "consents", {**GIVEN, "channels": "*"}, False),
    ("a yes to an unknown channel", "consents", {**GIVEN, "channels": ["pigeon"]}, False),
    ("a yes to every purpose", "consents", {**GIVEN, "purpose": "*"}, False),
    ("a yes to everybody", "consents", {**GIVEN, "controller_id": "*"}, False),
    ("a yes for every contact point", "consents", {**GIVEN, "contact_point_id": "*"}, False),
    ("a yes without a purpose", "consents", {**GIVEN, "purpose": None}, False),
    ("a no to everything", "consents", {**GIVEN, "state": "Withdrawn", "purpose": "*", "channels": "*"}, True),
    ("a no to an unknown channel", "consents", {**GIVEN, "state": "Refused", "channels": ["pigeon"]}, True),
    ("an event without its source", "consents", {**EVENT, "source_id": None}, False),
    ("an event of another kind without its ask", "consents", {**EVENT, "kind": "ask_undelivered"}, False),
    ("an event without a time", "consents", {**EVENT, "kind": "identity_resolved", "at": None}, False),
    (
        "an event with the time of its recording",
        "consents",
        {**EVENT, "kind": "identity_resolved", "at": None, "recorded_at": "2026-10-02"},
        True,
    ),
    ("a stop of nobody", "suppressions", {**STOP, "recipient_id": None}, False),
    ("a stop of a person and a token", "suppressions", {**STOP, "token": TOKEN}, False),
    ("a stop of a token", "suppressions", {**STOP, "recipient_id": None, "token": TOKEN}, True),
    ("readings of a person", "suppressions", {**STOP, "readings": [{"token": TOKEN, "score": 900}]}, False),
    (
        "readings of a token",
        "suppressions",
        {**STOP, "recipient_id": None, "token": TOKEN, "readings": [{"token": TOKEN, "score": 900}]},
        True,
    ),
    ("a stop of everybody where a person is", "suppressions", {**STOP, "whole_address": True}, False),
    (
        "a stop of everybody at an address",
        "suppressions",
        {**STOP, "recipient_id": None, "token": TOKEN, "whole_address": True},
        True,
    ),
    ("an objection with an end", "suppressions", {**STOP, "kind": "objection", "effective_until": "2098-12-31"}, True),
    ("a death with an end", "suppressions", {**STOP, "kind": "deceased", "effective_until": "2098-12-31"}, False),
    ("an act about nobody", "acts", {**ACT, "recipient_id": None}, False),
    ("an act about two", "acts", {**ACT, "subject": "batch/B-1"}, False),
    ("an act about a list", "acts", {**ACT, "kind": "quarantine", "recipient_id": None, "subject": "batch/B-1"}, True),
    ("an erasure of a list", "acts", {**ACT, "kind": "erase", "recipient_id": None, "subject": "batch/B-1"}, False),
    ("a console with another role", "reference", {**STAFF, "roles": ["console", "viewer"], "keys": []}, False),
    ("a console with a person's key", "reference", {**STAFF, "roles": ["console"]}, False),
    (
        "a person with a console's key",
        "reference",
        {**STAFF, "keys": [{**STAFF["keys"][0], "method": "console"}]},
        False,
    ),
    ("a passkey", "reference", {**STAFF, "keys": [PASSKEY]}, True),
    ("a passkey of no pages", "reference", {**STAFF, "keys": [{**PASSKEY, "rp": None}]}, False),
    ("a key with a credential", "reference", {**STAFF, "keys": [{**STAFF["keys"][0], "credential": "AAAA"}]}, False),
    ("a word of a console without its name", "reference", {**SIGNED, "method": "vouched", "signin": "oidc"}, False),
    (
        "a word of the console",
        "reference",
        {**SIGNED, "method": "vouched", "signin": "oidc", "console": "console-1"},
        True,
    ),
    ("a key that names a console", "reference", {**SIGNED, "signin": "oidc", "console": "console-1"}, False),
    ("a passkey without its data", "reference", {**SIGNED, "method": "passkey"}, False),
    (
        "a passkey for many",
        "reference",
        {
            **SIGNED,
            "method": "passkey",
            "authenticator": "AAAA",
            "client": "AAAA",
            "tree": {"index": 0, "size": 2, "path": ["0" * 64]},
        },
        True,
    ),
    (
        "a passkey for a table",
        "reference",
        {**SIGNED, "method": "passkey", "authenticator": "AAAA", "client": "AAAA", "table": TABLE},
        True,
    ),
    (
        "a passkey for a row that is not there",
        "reference",
        {**SIGNED, "method": "passkey", "authenticator": "AAAA", "client": "AAAA", "table": {**TABLE, "row": 64}},
        False,
    ),
    ("a key for a table", "reference", {**SIGNED, "table": TABLE}, False),
    ("a key for many", "reference", {**SIGNED, "tree": {"index": 0, "size": 2, "path": ["0" * 64]}}, False),
    ("two managers", "reference", {**examples()["VersionResolution"], "by": ["hanako", "taro"]}, True),
    ("three managers", "reference", {**examples()["VersionResolution"], "by": ["hanako", "taro", "yuki"]}, False),
    ("a resolution of no form", "reference", {**examples()["Resolution"], "of": "notice/N-1"}, False),
    *(
        (f"display_ok {shown}", "reference", {**examples()["Template"], "display_ok": shown}, taken)
        for shown, taken in (
            ({"marketing": {"postal": True, "email": False}}, True),
            ({"marketing": {"pigeon": True}}, False),
            ({"marketing": {"pigeon": False}}, True),
            ({"marketing": {"postal": "yes"}}, False),
            ({"marketing": ["pigeon"]}, False),
            ({"advert": ["postal"]}, False),
        )
    ),
    *(
        (f"audience {word!r}", "sends", {**examples()["Send"], "audience": [word]}, taken)
        for word, taken in (
            ("常連ーA", True),
            ("カード会員", True),
            ("々", True),
            ("ー", False),
            ("𠮷", True),
            ("한", False),
        )
    ),
    *(
        (f"mail date {text!r}", "sends", {**examples()["Send"], "mail_date": text}, taken)
        for text, taken in (
            ("2026-12-07", True),
            ("2026-12-07T10:00+09:00", True),
            ("2026-12-07T10:00:00.5Z", True),
            ("2026-12-07T10:00:00+0900", True),
            ("2026-12-07T10:00", False),
            ("2026-12-07T24:00+09:00", False),
            ("2026-13-07", False),
            ("1899-12-31", False),
            ("2201-01-01", False),
            ("2026-12-07\n", False),
            ("2026/12/07", False),
        )
    ),
    *(
        (f"name {text!r}", "sends", {**examples()["Send"], "delivery": {"name": text}}, taken)
        for text, taken in (
            ("", True),
            ("-", True),
            ("--", False),
            (" -", False),
            ("\u3000=1", False),
            ("\u00a0@a", False),
            ("a-b", True),
            ("+81", False),
            ("a\n", False),
            ("\u202e", False),
            ("x" * 200, True),
            ("x" * 201, False),
        )
    ),
    *(
        (f"recipient {text!r}", "sends", {**examples()["Send"], "recipient_id": text}, taken)
        for text, taken in (
            ("0312345678", False),
            ("03-1234-5678", False),
            ("0.9.0-1234-5678-", False),
            ("8-1-90-1234-5678", False),
            ("819012345678", False),
            ("031234567", True),
            ("0312345678:1", True),
            ("R1\n", False),
        )
    ),
]


@pytest.mark.parametrize(("topic", "value", "taken"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_case_then_codec_and_file_agree(topic: str, value: dict[str, Any], taken: bool) -> None:
    assert reads(topic, value) == taken
    assert (faults(topic, value) == []) == taken


def test_scripts_of_an_audience_then_they_are_those_of_the_codecs_unicode() -> None:
    letters = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    ours = AUDIENCE_PATTERN[1 : AUDIENCE_PATTERN.index("]") + 1]
    scripts = r"A-Za-z0-9\p{Han}\p{Hiragana}\p{Katakana}"
    assert valid(form(rf"^[{scripts}]+$"), "".join(re.findall(ours, letters)))
    assert valid(form(rf"^[^{scripts}]+$"), re.sub(ours, "", letters))


@pytest.mark.parametrize("day", ["２０２６-12-20", "2026-12-2０"])
def test_a_day_in_full_width_digits_then_it_is_refused(day: str) -> None:
    assert not valid(TypeAdapter(Day), day)


def form(pattern: str) -> TypeAdapter[str]:
    return TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])


def valid(adapter: TypeAdapter[Any], value: Any) -> bool:
    try:
        adapter.validate_python(value)
    except ValueError:
        return False
    return True


def test_a_docstring_then_sentences_about_fields_are_theirs() -> None:
    said = "A thing (J.8.7). It is.\n\n`a`: one thing. More of it. `b`, `c`: two\nthings. `kind`: no field.\n\nMore."
    general, fields = described(said, ["a", "b", "c"])
    assert general == "A thing (J.8.7). It is.\n\n`kind`: no field.\n\nMore."
    assert fields == {"a": "One thing. More of it.", "b": "Two things.", "c": "Two things."}
