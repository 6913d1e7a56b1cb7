"""Records as an attacker writes them who may write to every input topic and has no key but a terminal's.

`Attacker` draws one after the other: an example of any kind, changed in its fields, its bytes or its headers. Headers
pass the cheap checks: a signature has the right id, hash, time and origin, a known or an unknown key, a good or a bad
proof. `Gate` takes each record as a worker does, and tells the number of answers that it gave.
"""

from __future__ import annotations

import copy
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from random import Random
from typing import Any

import orjson

from gatekeeper.confirmation.code import ENTROPY_BYTES
from gatekeeper.engine import signers
from gatekeeper.engine.act import ActRecord
from gatekeeper.engine.acts import handling
from gatekeeper.staff import signatures
from schemas.codec import canonical
from schemas.json_schema import examples
from schemas.record import Record, Refusal
from schemas.topics import INPUTS
from streams.worker.batch_input import cancels
from streams.worker.intake import InputRange
from tests.support import invented, staff
from tests.support.desk import TWO, YOUNG, Desk
from tests.support.published import document

KINDS = [
    (topic, copy.deepcopy(dict(examples()[kind])))
    for topic, channel in document("asyncapi")["channels"].items()
    for kind, message in channel["messages"].items()
    if topic in INPUTS and "payload" in message
]
"""An example of each kind of record that others may write."""
PEOPLE = ("P-1", "P-2", "P-3")
DEEP = (20, 190, 210, 1_020, 5_000)
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 0.5, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63), 10**400),
    *("", "*", "-", "/", "a/b/c", "=1", "\x00", "\u202e", "\U0001f600", "é", "x" * 300, "0312345678"),
    *([], {}, [[]], [None], {"": None}, {"a": {"a": {}}}, ["hanako", "taro"], [{}]),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-12-31T23:59:60Z", "2026-11-24T24:00:00Z"),
    *("1900-01-01", "2200-12-31T23:59:59-12:00", "2026-02-29", "2026-W48-2", "2026-11-24T10:00", "2026-11-24"),
    *("postal", "active", "corrected", "P-1", "K-1", "hanako", "error.partition_defect", "partition/3", "policy/x"),
)
KEYS = ("hanako", "taro", "yuki", "kenji", "ami", "console", "mallory")
"""The holders of keys that sign: people in force, and somebody unknown."""
PLAIN_HEADERS: tuple[tuple[str, bytes | None], ...] = (
    ("gate-arrived", None),
    ("gate-arrived", b"1"),
    ("gate-arrived", b"1;last"),
    ("gate-arrived", b"9" * 16),
    ("gate-token-key", None),
    ("gate-token-key", b"t4=0123456789abcdef"),
    ("gate-token-key", b"t4k2=0123456789abcdef,t4=0"),
    ("gate-signature", None),
    ("gate-signature", b"{}"),
    ("gate-decision", b"[" * 5_000),
    ("gate-decision-id", b"\xff"),
    ("traceparent", None),
    ("traceparent", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00"),
    ("x", b"\xff" * 200),
    ("", b""),
)
REFUSALS = (
    Refusal("headers_unreadable", "0" * 64, what="headers"),
    Refusal("record_unreadable", "0" * 64),
    Refusal("batch_unreadable", "0" * 64, what="batch", base=0),
)


def dumped(value: Any) -> bytes:
    """The value as JSON with numbers of any size, and names twice where a name ends with a space."""
    if isinstance(value, dict):
        return b"{" + b",".join(dumped(str(k).rstrip(" ")) + b":" + dumped(v) for k, v in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(dumped, value)) + b"]"
    if isinstance(value, bytes):
        return value
    return str(value).encode() if type(value) is int else orjson.dumps(value)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yields each container in a value, with each of its keys."""
    for key, part in [*value.items()] if isinstance(value, dict) else [*enumerate(value)]:
        yield value, key
        if isinstance(part, dict | list):
            yield from places(part)


class Attacker:
    """Draws records; the same `random` draws the same ones. `origin`: the log for which signatures are made."""

    def __init__(self, random: Random, origin: str = staff.ORIGIN) -> None:
        self.random, self.origin = random, origin

    def record(self, desk: Desk, offset: int) -> Record:
        """The next record, for a partition of the desk."""
        topic, said = self._said(desk)
        value = self._value(said)
        headers = [*self.signed(said, value, desk), *self.random.choices(PLAIN_HEADERS, k=self._few())]
        refused = self.random.choice(REFUSALS) if self.random.random() < 0.01 else None
        if refused and refused.what != "headers":
            value = None
        place = topic if topic not in ("sends", "acts") else f"mail.{topic}.v1"
        at = desk.at + self.random.choice((*[0] * 12, -600_001, 3_600_000))
        more = () if refused else tuple(headers)
        return Record(place, 3, offset, at, self._key(said), value, more, refused)  # type: ignore[arg-type]

    def unsigned(self) -> tuple[str, bytes | None, bytes, list[tuple[str, bytes | None]]]:
        """An example of any kind, changed: topic, key, value and headers. Nobody signed it."""
        topic, found = self.random.choice(KINDS)
        said = copy.deepcopy(found)
        for _ in range(self.random.choice((0, 1, 1, 2, 3))):
            self._change(said)
        return topic, self._key(said), self._value(said) or b"", self.random.choices(PLAIN_HEADERS, k=self._few())

    def _few(self) -> int:
        return self.random.choice((*[0] * 12, 1, 1, 2, 70))

    def _said(self, desk: Desk) -> tuple[str, dict[str, Any]]:
        """An example that is about somebody known, and then changed."""
        random = self.random
        kind = random.choice(("release", "approve", "uphold", "ask", "redecide", "undo", "note", "claim"))
        pool = [
            *((topic, said) for topic, said in random.sample(KINDS, 3)),
            ("acts", invented.item_act(kind, desk.told(random.randrange(len(desk.review))))),
            random.choice(
                (invented.source(), invented.consent(), invented.suppression(), invented.event(kind="moved"))
            ),
            ("sends", invented.send()),
        ]
        topic, found = random.choice(pool)
        said = copy.deepcopy(found)
        if "recipient_id" in said:
            said["recipient_id"] = random.choice(PEOPLE)
        for name in ("at", "recorded_at"):
            if name in said and random.random() < 0.7:
                said[name] = staff.instant(desk.at)
        if "act_id" in said:
            said["act_id"] = f"a-{random.randrange(10**9)}"
            said["by"] = random.choice(KEYS[:4] * 3 + KEYS)
        for _ in range(random.choice((0, 0, 0, 1, 1, 1, 2, 3))):
            self._change(said)
        return topic, said

    def _change(self, said: dict[str, Any]) -> None:
        random = self.random
        at, key = random.choice([*places(said)] or [(said, "v")])
        how = random.choice(("drop", "odd", "odd", "deep", "long", "other", "twice", "add", "kind"))
        if how == "drop" and isinstance(at, dict):
            at.pop(key, None)
        elif how == "odd":
            at[key] = copy.deepcopy(random.choice(ODD))
        elif how == "deep":
            depth = random.choice(DEEP)
            at[key] = random.choice((b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth))
        elif how == "long":
            at[key] = random.choice(("x", "花", "\\", "\x7f")) * random.choice((65, 201, 4_097, 17_000, 66_000))
        elif how == "other":
            _, other = random.choice(KINDS)
            name = random.choice([*other])
            said[name] = copy.deepcopy(other[name])
        elif how == "twice" and isinstance(at, dict):
            at[f"{key} "] = copy.deepcopy(random.choice(ODD))
        elif how == "add" and isinstance(at, dict):
            at[random.choice(("v", "kind", "by", "more", "token", "id", "act_id"))] = copy.deepcopy(random.choice(ODD))
        elif how == "kind":
            said["kind"] = random.choice([other["kind"] for _, other in KINDS if "kind" in other])

    def _value(self, said: dict[str, Any]) -> bytes | None:
        value, random = dumped(said), self.random
        how = random.random()
        if how < 0.005:
            return None
        if how < 0.02:
            return value[: random.randrange(len(value) + 1)]
        if how < 0.05 and value:
            place = random.randrange(len(value))
            return value[:place] + bytes([random.randrange(256)]) + value[place + 1 :]
        return value

    def _key(self, said: Mapping[str, Any]) -> bytes | None:
        named = said.get("recipient_id") or said.get("subject") or f"{said.get('kind')}/{said.get('id')}"
        right = named.encode("utf-8", "replace") if isinstance(named, str) else None
        return self.random.choice((*[None, right] * 6, b"P-1", b"\xff", b"", b"x" * 300))

    def signed(self, said: Mapping[str, Any], value: bytes | None, desk: Desk) -> Iterator[tuple[str, bytes]]:
        """Yields signatures that are readable, and right in all that a glance can see."""
        for _ in range(self.random.choice((0, 1, 1, 1, 2, 9))):
            named = {name: field for name, field in said.items() if isinstance(field, str) and 0 < len(field) < 64}
            by = self.random.choice((named.get("by", "hanako"), named.get("by", "hanako"), *KEYS))
            id_ = named.get("act_id") or named.get("suppression_id") or "a-1"
            act = {"kind": "release", **named, "act_id": id_}
            blind = sha256(value or b"").hexdigest()[:32]
            made: dict[str, Any] = {"v": 1, "id": id_, "by": by, "key": "k1", "method": "key"}
            made |= {"at": staff.instant(desk.at), "origin": self.origin}
            if self.random.random() < 0.2:
                made |= {"method": "vouched", "console": "console", "signin": "password"}
            if self.random.random() < 0.1:
                made |= {"method": "passkey", "authenticator": "AAAA", "client": "AAAA"}
                made |= {"tree": {"index": 2**20 - 1, "size": 1, "path": ["0" * 64] * 20}}
            made |= {"sha256": signatures.digest(value or b"", blind), "blind": blind}
            holder = self.random.choice((by, by, *KEYS))
            text = signatures.message(made, origin=self.origin, subject=signatures.act_subject(act))
            made["sig"] = b64encode(staff.key(holder).sign(text)).decode()
            if self.random.random() < 0.1:
                made[self.random.choice([*made])] = self.random.choice([one for one in ODD if not isinstance(one, int)])
            yield signatures.HEADER, canonical(made)


class Gate(Desk):
    """A desk that takes any record, as a worker does, and tells how many answers it gave."""

    def __init__(self) -> None:
        super().__init__(*YOUNG, *(invented.source(recipient_id="P-2"), *TWO[2:]))
        self.sign = lambda record: []
        for name in PEOPLE:
            self.send(recipient_id=name)

    def take(self, record: Record) -> int:
        """Takes a record of any topic; the result is the number of its own answers."""
        if record.topic == "mail.sends.v1":
            self.inputs["sends", record.offset] = record
            self._written(self.judge.judge(record, self.store, self.at, ledger=self.state), record.value)
            return 1
        if record.topic == "mail.acts.v1":
            return self._act(record)
        fault = self.store.apply(record)
        assert not (fault or "").startswith("failed_"), f"a defect: {fault}"
        return 1

    def _act(self, record: Record) -> int:
        self.inputs["acts", record.offset] = record
        asked = ActRecord.of(record, bytes(range(ENTROPY_BYTES)))
        if (place := asked.names) and place[1] == record.partition:
            shelf = self.review if place[0] == "review" else []
            asked = replace(asked, about=shelf[place[2]] if place[2] < len(shelf) else None)
        acts = InputRange(record.offset, record.offset + 1, (asked,))
        cancels(acts, lambda one: signers.counts(one, self.store.log, self.judge.acts))
        handled, answers = handling(asked), 0
        while not handled.done:
            for judged in handled.step(self.now, [], 2):
                self._written(judged, asked.about.value if asked.about else None)
                answers += judged.did == asked.cause.id
                assert not judged.failed, f"a defect: {orjson.loads(judged.audit)['act']}"
        return answers

    def holds(self) -> None:
        """Asserts that a take-over reads the ledger back, and that the next send of anybody is decided."""
        self.read_back()
        for name in PEOPLE:
            assert not self.send(recipient_id=name, campaign_id="K-9").failed
        self.weigh()
        self.reconsider()
