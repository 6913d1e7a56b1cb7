"""A standing set of people with keys, who sign in every test.

    hanako, taro    managers            kenji   reviewer
    yuki            approver            ami     auditor
    console         the console, which vouches for people

`founding()` gives the records of `reference` that put them in force, and `stand()` puts them in force without records.
`signature()` signs an act in the bytes in which it is written. `key_file()` is a person's key for a command.
Keys are made from the names, so every process of a test has the same ones.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatekeeper.audit.checks.trail import PersonLine
from gatekeeper.keys import secret_text
from gatekeeper.knowledge.reference_log import ReferenceLog
from gatekeeper.staff import signatures
from gatekeeper.staff.person_keys import PersonKey
from gatekeeper.staff.roster import Member
from schemas.codec import Unreadable, canonical, decode, encode
from schemas.events import Act
from schemas.events.staff import SignIn
from tests.support.authenticator import Passkey
from tests.support.folders import kept

ORIGIN = "mail.gatekeeper"
"""The group of the default settings, which is the log's origin."""
ROLES: dict[str, tuple[str, ...]] = {
    "hanako": ("manager",),
    "taro": ("manager",),
    "yuki": ("approver",),
    "kenji": ("reviewer",),
    "ami": ("auditor",),
    "console": ("console",),
}
MANAGERS = ("hanako", "taro")
Line = tuple[str, bytes]
"""Key and value of a record of `reference`."""


@cache
def key(by: str, id_: str = "k1") -> PersonKey:
    """A person's key, the same each time."""
    return PersonKey.of(by, id_, Ed25519PrivateKey.from_private_bytes(sha256(f"{by}/{id_}".encode()).digest()))


@cache
def person_key_folder() -> Path:
    """The folder with everybody's key file, as GATEKEEPER_USER_KEY names one."""
    folder = kept("people")
    for one in ROLES:
        file = folder / f"{one}-k1.key"
        file.touch(0o600)
        file.write_text(f"{secret_text(key(one).signer)}\n", "ascii")
    return folder


def key_file(by: str) -> str:
    """The key file of a person."""
    return str(person_key_folder() / f"{by}-k1.key")


def now() -> str:
    """The current instant."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(milliseconds: int) -> str:
    """An instant in milliseconds since the epoch, as records write it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def person(by: str, roles: Sequence[str] | None = None, **more: Any) -> dict[str, Any]:
    """The record `staff` of a person, with one key unless `keys` says otherwise."""
    kinds = {"method": "console" if by == "console" else "key"}
    keys = more.pop("keys", [{"id": "k1", **kinds, "public": key(by).public}])
    said = {"v": 1, "kind": "staff", "id": by, "roles": list(ROLES[by] if roles is None else roles), "keys": keys}
    return {**said, **more}


def line(said: dict[str, Any]) -> Line:
    """A record of `reference` as it is written."""
    return f"{said['kind']}/{said['id']}", canonical(said)


def signed(
    said: dict[str, Any] | Line, *by: str, at: str | None = None, origin: str = ORIGIN, ids: Iterable[str] = ()
) -> list[Line]:
    """A record of `reference`, followed by one signature of each of these people."""
    name, value = said if isinstance(said, tuple) else line(said)
    given = iter(ids)
    lines = [(name, value)]
    for one in by:
        id_ = next(given, None) or uuid4().hex
        made = signatures.of_reference(name, value, key(one), origin=origin, at=at or now(), id_=id_)
        lines.append((f"signature/{id_}", made))
    return lines


def founding(*, at: str | None = None, origin: str = ORIGIN, ids: Iterable[str] = ()) -> list[Line]:
    """Everybody of this set: the first manager stands alone, and then each needs the signatures of the managers."""
    given = iter(ids)
    lines = [line(person("hanako")), *signed(person("taro"), "hanako", at=at, origin=origin, ids=given)]
    for one in ("yuki", "kenji", "ami", "console"):
        lines += signed(person(one), *MANAGERS, at=at, origin=origin, ids=given)
    return lines


def person_lines(*, arrived: int, lines: Sequence[Line] | None = None, first: int = 0) -> list[PersonLine]:
    """Records of `reference` as a trail gives them, by default those of `founding`.

    `arrived`: of all, in milliseconds. `first`: the offset of the first one.
    """
    given = founding(at=instant(arrived)) if lines is None else lines
    return [PersonLine(0, offset, arrived, value) for offset, (_, value) in enumerate(given, first)]


@cache
def _members(at: int) -> tuple[Member, ...]:
    return tuple(Member.of(person(one), at) for one in ROLES)


def stand(log: ReferenceLog, *, at: int, origin: str = ORIGIN) -> None:
    """Puts everybody of this set in force from this arrival on, in milliseconds since the epoch, without a record."""
    log.endorsements.origin = origin
    for one in _members(at):
        log.roster.put(one)


def known(log: ReferenceLog, by: str, *roles: str, at: int, **more: Any) -> None:
    """Puts a person in force without a record; every role of a person unless some are named."""
    said = person(by, roles or ("reviewer", "approver", "manager"), **more)
    log.roster.put(Member.of(said, at))


def header(act: Act, by: str | None = None, *, at: str | None = None, origin: str = ORIGIN) -> tuple[str, bytes]:
    """The header that signs an act, by default in the name of its own `by`."""
    person = by or act.by
    assert isinstance(person, str)
    return signatures.of_act(act, key(person), origin=origin, at=at or now(), blind=uuid4().hex)


def over(
    value: bytes,
    by: str | None = None,
    *,
    at: str | None = None,
    origin: str = ORIGIN,
    word: SignIn | None = None,
    signer: str | None = None,
) -> tuple[str, bytes]:
    """The header that signs an act in these very bytes, which need not be those that our own encoder writes.

    `by`: by default the person in the act. `word`: how this person signed in at the console, which signs then.
    `signer`: whose key makes the signature, by default that of `by`.
    """
    said = orjson.loads(value)
    return _header(said, value, by or said["by"], at=at, origin=origin, word=word, signer=signer)


def correction(value: bytes, by: str = "hanako", *, at: str | None = None, origin: str = ORIGIN) -> tuple[str, bytes]:
    """The header by which somebody signs what takes a no away, given in the bytes of its event."""
    event = orjson.loads(value)
    kind = "readmit" if event["kind"] == "erasure" else "correct"
    fact = {"kind": kind, "act_id": event.get("suppression_id") or event.get("record_id")}
    return _header(fact, value, by, at=at, origin=origin)


def corrected(topic: str, value: dict[str, Any], *, at: str) -> list[tuple[str, bytes]]:
    """The signatures of those in `by` if the fact counts by who signs it, as `orjson` writes it; none for any other."""
    signed = ("identity_resolved", "request_received", "print_accepted")
    taken = value.get("state") in ("corrected", "rejected") or value.get("kind") in signed
    if topic not in ("suppressions", "consents") or not taken:
        return []
    by = value.get("by", ())
    people = (by,) if isinstance(by, str) else by
    return [correction(orjson.dumps(value), one, at=at) for one in people if one in ROLES]


def _header(
    act: dict[str, Any],
    value: bytes,
    by: Any,
    *,
    at: str | None,
    origin: str,
    word: SignIn | None = None,
    signer: str | None = None,
) -> tuple[str, bytes]:
    assert isinstance(by, str)
    blind = sha256(value).hexdigest()[:32]  # the same each time, or trails of one seed would differ
    said = {"v": 1, "id": act["act_id"], "by": by, "key": "k1", "method": "key", "at": at or now(), "origin": origin}
    said |= {"method": "vouched", "console": "console", "signin": word} if word else {}
    said |= {"sha256": signatures.digest(value, blind), "blind": blind}
    text = signatures.message(said, origin=origin, subject=signatures.act_subject(act))
    sig = key(signer or ("console" if word else by)).sign(text)
    return signatures.HEADER, canonical({**said, "sig": b64encode(sig).decode()})


def signature(value: bytes | None, *, at: str | None = None, origin: str = ORIGIN) -> list[tuple[str, bytes]]:
    """The header by which the person in `by` signs an act; none for bytes that are no act of one person.

    `at`: as of `over`.
    """
    with suppress(Unreadable):
        act = decode("acts", None, value)
        if act.act_id and isinstance(act.by, str):
            return [over(value or b"", at=at, origin=origin)]
    return []


def vouched(
    act: Act, *, at: str | None = None, origin: str = ORIGIN, signin: SignIn = "password", user: str | None = None
) -> tuple[str, bytes]:
    """The header by which the console signs an act for its user."""
    person = user or act.by
    assert isinstance(person, str)
    made = signatures.of_act(
        act, key("console"), origin=origin, at=at or now(), blind=uuid4().hex, user=person, signin=signin
    )
    return made


def touched(
    passkey: Passkey,
    acts: Sequence[Any],
    *,
    at: str | None = None,
    origin: str = ORIGIN,
    row: tuple[str, str | None] | None = None,
    old: bool = False,
) -> list[Line]:
    """The headers that sign these acts, which are of one row, with one touch of a passkey.

    `row`: its kind and campaign, by default those of the acts. `old`: in the form of up to release 0.3.0.
    """
    drafts, messages = list[dict[str, Any]](), list[bytes]()
    for act in acts:
        blind, when = uuid4().hex, at or now()
        said = {"v": 1, "id": act.act_id, "by": act.by, "key": passkey.id, "at": when, "origin": origin}
        said |= {"sha256": signatures.digest(encode(act), blind), "method": "passkey", "blind": blind}
        drafts.append(said)
        subject = signatures.act_subject(act.model_dump(mode="json"))
        messages.append(signatures.message(said, origin=origin, subject=subject))
    kind, campaign = row or (acts[0].kind, acts[0].campaign_id)
    proofs = passkey.signed_tree(messages) if old else passkey.signed_table([(kind, campaign, messages)])
    return [(signatures.HEADER, canonical({**said, **proof})) for said, proof in zip(drafts, proofs, strict=True)]
