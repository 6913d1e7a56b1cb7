"""The plain reading of a send takes only what the codec takes, and finds the same in it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from schemas.codec import Unreadable, canonical, parse
from schemas.events import Send
from schemas.plain_send import PlainDelivery, PlainPoint, PlainSend, read_plain
from tests.support import invented
from tests.support.bad_sends import BAD_SENDS

SEND = invented.send()
TEXT = st.one_of(
    st.text(max_size=12),
    st.text("=+-@ \t\n\x7f\u200f\u2028'\"\\", max_size=4),
    st.sampled_from(
        ["林 誠", "x" * 200, "x" * 201, "", "-", "=1", " +81", "09012345678", "810901234567", "\U00020bb7"]
    ),
)
ODD = st.one_of(
    TEXT,
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([1.0, [], {}, ["x"], "2026-12-01", "2026-12-01T10:00", "2026-12-01T10:00:00+09:00", "1800-01-01"]),
    st.lists(TEXT, max_size=9),
)
TIMES = st.sampled_from(["2026-12-01", "2026-12-01T10:00", "2026-12-01T10:00:00+09:00", "1800-01-01", "2026-13-01", ""])
IDS = st.from_regex(r"[08A-Za-z+.:-][0-9A-Za-z._:-]{0,11}", fullmatch=True)
FIELDS = st.one_of(
    st.just({}),
    st.dictionaries(
        st.sampled_from(["event_id", "template_id", "purpose", "mail_date"]), st.one_of(IDS, TIMES), max_size=2
    ),
    st.dictionaries(st.sampled_from([*Send.model_fields, "other"]), ODD, max_size=1),
)
DELIVERY = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {}, optional={"name": TEXT, "postcode": TEXT, "lines": st.lists(TEXT, max_size=9), "email": TEXT}
    ),
    st.dictionaries(st.sampled_from(["name", "postcode", "lines", "email", "phone", "other"]), ODD, max_size=1),
)
POINT = st.one_of(
    st.just({}),
    st.fixed_dictionaries({}, optional={"id": IDS, "country": st.sampled_from(["JP", "jp", "JPN", "", "J1"])}),
    st.dictionaries(st.sampled_from(["id", "token", "country"]), ODD, max_size=1),
)
BYTES = [b" ", b"\\u0041", b'"v":1,', b'"purpose":"mkt.dm.own",', b"\x00", b"\xff", b"1", b'"', b",", b"{}"]


def seen(found: Any) -> Any:
    """Returns the fields that rules read, of either class."""
    if isinstance(found, PlainSend):
        fields = {name: seen(getattr(found, name)) for name in Send.model_fields}
        return fields
    if isinstance(found, PlainPoint | PlainDelivery):
        return {name: getattr(found, name) for name in found.__struct_fields__}
    return found


def agrees(key: bytes | None, value: bytes | None) -> bool:
    """Holds the plain reading against the codec's; the result is False if there is none."""
    plain = read_plain(key, value)
    if plain is None:
        return False
    strict = parse("sends", key, value)
    assert seen(plain) == {name: seen_strictly(one) for name, one in strict.model}
    assert canonical(plain.published) == canonical(strict.json)
    return True


def seen_strictly(found: Any) -> Any:
    return dict(found) if isinstance(found, BaseModel) else found


@settings(max_examples=150)
@given(FIELDS, DELIVERY, POINT, st.sampled_from([False, False, False, True]), st.data())
def test_any_value_that_is_read_plainly_then_the_codec_reads_the_same(
    fields: dict[str, Any], delivery: dict[str, Any], point: dict[str, Any], spaced: bool, data: st.DataObject
) -> None:
    written = {**SEND, "delivery": {**invented.written("cp-1"), **delivery}}
    written = {**written, "contact_point": {**SEND["contact_point"], **point}, **fields}
    try:
        value = orjson.dumps(written, option=orjson.OPT_INDENT_2 if spaced else 0)
    except TypeError:  # half a surrogate pair
        return
    if data.draw(st.integers(0, 3)) == 0:
        at = data.draw(st.integers(0, len(value)))
        value = value[:at] + data.draw(st.sampled_from(BYTES)) + value[at:]
    agrees(data.draw(st.sampled_from([None, b"P-1", b"P-1", b"P-2"])), value)


def test_bad_bytes_of_every_kind_then_the_codec_reads_the_same_or_reads_alone() -> None:
    assert sum(agrees(key, value) for _, key, value, _ in BAD_SENDS) < len(BAD_SENDS) / 2


def test_field_named_twice_then_no_reading_takes_it() -> None:
    value = orjson.dumps(SEND).replace(b'"v":1', b'"v":1,"v":1')
    assert read_plain(b"P-1", value) is None
    with pytest.raises(Unreadable, match="key_twice"):
        parse("sends", b"P-1", value)
