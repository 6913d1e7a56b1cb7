"""Kinds of bad bytes in `sends`: (name, key, value, fault). Each is one dead letter; its neighbours are decided."""

from __future__ import annotations

from typing import Any

import orjson

from schemas.codec import MAX_DEPTH
from tests.support import invented

KEY = b"P-1"


def _value(**fields: Any) -> bytes:
    return orjson.dumps({**invented.send(), **fields})


def _service(**fields: Any) -> bytes:
    return _value(**{"message_class": "transactional", **invented.SERVICE, **fields})


def _without(name: str) -> bytes:
    return orjson.dumps({k: v for k, v in invented.send().items() if k != name})


def _nested(depth: int) -> bytes:
    """A send with objects and lists within each other, itself one of them."""
    return _value(x=0).replace(b'"x":0', b'"x":' + b"[" * (depth - 1) + b"]" * (depth - 1))


_GOOD = _value()

BAD_SENDS: list[tuple[str, bytes | None, bytes | None, str]] = [
    ("no value", KEY, None, "value_missing"),
    ("not JSON", KEY, b"hello", "not_json"),
    ("something after the end", KEY, _GOOD + b"{}", "not_json"),
    ("not UTF-8", KEY, _GOOD.replace(b"T-1", b"T-\xff\xfe"), "not_json"),
    ("UTF-16", KEY, _GOOD.decode().encode("utf-16"), "not_json"),
    ("byte order mark", KEY, b"\xef\xbb\xbf" + _GOOD, "not_json"),
    ("not a number", KEY, _GOOD.replace(b'"v":1', b'"v":NaN'), "not_json"),
    ("nested one too deep", KEY, _nested(MAX_DEPTH + 1), "nested_too_deep"),
    ("nested as deep as is read", KEY, _nested(MAX_DEPTH), "field_unknown"),
    ("too long", KEY, _value(template_id="x" * 17_000), "value_too_long"),
    ("a list", KEY, b"[" + _GOOD + b"]", "field_invalid"),
    ("a key twice, deep inside", KEY, _GOOD.replace(b'"id":"cp-1"', b'"id":"cp-2","id":"cp-1"'), "key_twice"),
    ("an unknown field", KEY, _value(priority="high"), "field_unknown"),
    ("a field missing", KEY, _without("campaign_id"), "field_missing"),
    ("another version", KEY, _value(v=2), "field_invalid"),
    ("a key twice", KEY, _GOOD.replace(b'"v":1', b'"v":1,"purpose":"mkt.dm.own"'), "key_twice"),
    ("a float", KEY, _value(v=1.0), "field_invalid"),
    ("a day that does not exist", KEY, _value(mail_date="2026-02-30"), "field_invalid"),
    ("a number as text", KEY, _value(v="1"), "field_invalid"),
    ("a huge number", KEY, _GOOD.replace(b'"v":1', b'"v":' + b"9" * 400), "field_invalid"),
    ("an unknown channel", KEY, _value(channel="pigeon"), "field_invalid"),
    ("a token of the wrong length", KEY, _value(contact_point={"id": "cp-1", "token": "t1_abc"}), "field_invalid"),
    ("an e-mail address as recipient", None, _value(recipient_id="hanako@mail.example"), "field_invalid"),
    ("an e-mail address as the send's id", KEY, _value(event_id="hanako@mail.example"), "field_invalid"),
    ("a name as the send's id", KEY, _value(event_id="緑野花子"), "field_invalid"),
    ("a telephone number as recipient", None, _value(recipient_id="090-0000-0000"), "field_invalid"),
    ("a score above the scale", KEY, _value(match=[{"token": invented.token("cp-2"), "score": 1001}]), "field_invalid"),
    ("a mail date without time zone", KEY, _value(mail_date="2026-12-01T10:00:00"), "field_invalid"),
    ("a line break in the name", KEY, _value(delivery={"name": "a\nb"}), "text_unprintable"),
    ("a formula for a name", KEY, _value(delivery={"name": '=HYPERLINK("x")'}), "text_unprintable"),
    ("filed under another key", b"P-2", _GOOD, "key_differs"),
    ("filed under bytes", b"\xff\x00", _GOOD, "key_differs"),
    ("a key too long", b"P" * 300, _GOOD, "key_too_long"),
    ("a sender nobody registered", KEY, _value(controller_id="C9"), "controller_unknown"),
    ("a purpose nobody registered", KEY, _value(purpose="mkt.dm.other"), "purpose_unknown"),
    ("an advertisement for a service", KEY, _value(purpose="service.orders"), "class_differs"),
    ("a service on an advertisement", KEY, _service(template_id="T-1"), "class_differs"),
    ("a service on an unknown template", KEY, _service(template_id="T-9"), "class_not_registered"),
    ("a recall without a ground", KEY, _service(message_class="safety_legal"), "ground_missing"),
    ("a mail date years ahead", KEY, _value(mail_date="2199-01-01"), "mail_date_too_far"),
]
