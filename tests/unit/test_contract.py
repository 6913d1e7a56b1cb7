"""The published contract: its files are those of the models, and each says what the codec reads."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from schemas.codec import Unreadable, decode, encode, parse
from schemas.json_schema import examples
from schemas.topics import TOPICS
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


@pytest.mark.long("examples, by each file")
def test_files_then_each_is_json_schema_2020_12() -> None:
    for name in SCHEMAS:
        Draft202012Validator.check_schema(document(name))


def test_asyncapi_then_it_has_every_topic_but_those_of_the_worker_alone() -> None:
    assert TOPICS.keys() - CONTRACT["channels"].keys() == {"ledger", "salts"}


@pytest.mark.parametrize(("topic", "kind"), SAMPLES)
def test_an_example_then_codec_and_file_take_it_as_its_model(topic: str, kind: str) -> None:
    value = examples()[kind]
    assert faults(topic, value) == []
    model = decode(topic, None, orjson.dumps(value))
    assert type(model).__name__ == kind
    assert faults(topic, orjson.loads(encode(model))) == []


@pytest.mark.parametrize(("name", "kind", "message"), MESSAGES)
def test_examples_in_asyncapi_then_its_own_schemas_take_them(name: str, kind: str, message: dict[str, Any]) -> None:
    (example,) = message["examples"]
    for part in example:
        schema = {**message[part], "components": CONTRACT["components"]}
        assert list(Draft202012Validator(schema).iter_errors(example[part])) == []


GIVEN, STOP, ACT = examples()["Consent"], examples()["Suppression"], examples()["PairedAct"]
ROW = {"kind": "release", "campaign": "C1", "count": 2, "root": "0" * 64}
TABLE = {"rows": [ROW], "row": 0, "index": 0, "path": []}
STAFF, SIGNED, EVENT = examples()["Staff"], examples()["Signature"], examples()["PersonEvent"]
TOUCHED = {**SIGNED, "method": "passkey", "authenticator": "AAAA", "client": "AAAA"}
TOKEN = examples()["Source"]["contact_points"][0]["token"]
RP = {"id": "a.example", "origins": ["https://a.example"]}
PASSKEY = {"id": "k2", "method": "passkey", "public": "AAAA", "rp": RP}
CASES: list[tuple[str, str, dict[str, Any], bool]] = [
    ("a yes to every channel", "consents", {**GIVEN, "channels": "*"}, False),
    ("a yes to every purpose", "consents", {**GIVEN, "purpose": "*"}, False),
    ("a yes to everybody", "consents", {**GIVEN, "controller_id": "*"}, False),
    ("a no to everything", "consents", {**GIVEN, "state": "Withdrawn", "purpose": "*", "channels": "*"}, True),
    ("a no to an unknown channel", "consents", {**GIVEN, "state": "Refused", "channels": ["pigeon"]}, True),
    ("an event without its source", "consents", {**EVENT, "source_id": None}, False),
    ("a stop of nobody", "suppressions", {**STOP, "recipient_id": None}, False),
    ("a stop of a token", "suppressions", {**STOP, "recipient_id": None, "token": TOKEN}, True),
    ("a stop of everybody where a person is", "suppressions", {**STOP, "whole_address": True}, False),
    ("a death with an end", "suppressions", {**STOP, "kind": "deceased", "effective_until": "2098-12-31"}, False),
    ("an act about a list", "acts", {**ACT, "kind": "quarantine", "recipient_id": None, "subject": "batch/B-1"}, True),
    ("an erasure of a list", "acts", {**ACT, "kind": "erase", "recipient_id": None, "subject": "batch/B-1"}, False),
    ("a console with a person's key", "reference", {**STAFF, "roles": ["console"]}, False),
    ("a passkey", "reference", {**STAFF, "keys": [PASSKEY]}, True),
    ("a passkey of no pages", "reference", {**STAFF, "keys": [{**PASSKEY, "rp": None}]}, False),
    ("a passkey for a table", "reference", {**TOUCHED, "table": TABLE}, True),
    ("a passkey for a row that is not there", "reference", {**TOUCHED, "table": {**TABLE, "row": 64}}, False),
    ("three managers", "reference", {**examples()["VersionResolution"], "by": ["hanako", "taro", "yuki"]}, False),
    *(
        (f"{field} {value!r}", "sends", {**examples()["Send"], field: value}, taken)
        for field, value, taken in (
            ("audience", ["常連ーA"], True),
            ("audience", ["ー"], False),
            ("mail_date", "2026-12-07T10:00:00.5Z", True),
            ("mail_date", "2026-12-07T24:00+09:00", False),
            ("mail_date", "2026-12-07\n", False),
            ("delivery", {"name": "a-b"}, True),
            ("delivery", {"name": "\u3000=1"}, False),
            ("delivery", {"name": "\u202e"}, False),
            ("recipient_id", "0.9.0-1234-5678-", False),
            ("recipient_id", "031234567", True),
            ("recipient_id", "R1\n", False),
        )
    ),
]


@pytest.mark.parametrize(("topic", "value", "taken"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_case_then_codec_and_file_agree(topic: str, value: dict[str, Any], taken: bool) -> None:
    assert reads(topic, value) == taken
    assert (faults(topic, value) == []) == taken
