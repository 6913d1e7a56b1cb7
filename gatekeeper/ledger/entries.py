"""Entries of the ledger: clearances, asks, releases, items, erasures, cancellations, ids of signed acts; and salts.

The key is `kind/RECIPIENT/rest`, `seen/ACT/`, or `cancel/CAMPAIGN/CHANNEL` (* for any channel). The rest of a
clearance's key is CAMPAIGN/CHANNEL. Mail that is owed to the person adds /EVENT, because every event of it goes out.
The value is canonical JSON with `v` and `until`. `until` is the instant (milliseconds) from which the entry no longer
matters (null: it always does). A salt is an entry of the topic `salts`, because whoever reads the ledger may not read
salts. A question is also one of the topic `asked`, which the owners of all partitions read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from gatekeeper.identity import Identified, Printed
from schemas.codec import Parsed, canonical
from schemas.events import Ask, Send
from schemas.values import OWED

CLEAR, ASK, RELEASE, ACT, ERASED, CANCEL = b"clear", b"ask", b"release", b"act", b"erased", b"cancel"
SEEN = b"seen"
KINDS = frozenset((CLEAR, ASK, RELEASE, ACT, ERASED, CANCEL, SEEN))
"""Every kind of entry that this engine knows beside its own position; a newer engine wrote any other."""
SALT = b"salt"
"""The kind of the only entry of the topic `salts`."""
SALT_BYTES = 16
QUESTION = b"asked"
"""The kind of the only entry of the topic `asked`, which the owners of all partitions read."""
ASKED = b',"state":"asked",'
"""Part of the value of an item's entry while the item waits for an answer."""
REJUDGED = b',"rejudge":'
"""Part of the value of an item's entry while the gate itself judges the item again once facts are known."""
ENDING = re.compile(rb'[{,]"until":(null|[0-9]{1,16}),"v":1}\Z')
"""End of every value, as its keys are sorted: a take-over need not decode a million values whole."""
_NOT_KEPT = ("recipient_id", "campaign_id", "channel", "delivery")
"""Fields of a send that its clearance does not hold. The key has three, and the delivery stays on the topics."""
_PLACE = ("topic", "partition", "offset", "timestamp", "era")
"""The fields of a place; the last one is absent in the first era."""


_TOPICS = {SALT: "salts", QUESTION: "asked"}


class Entry(NamedTuple):
    """One entry to write; without value it is a deletion. `until` as in the value."""

    key: bytes
    value: bytes | None
    until: int | None = None

    @property
    def topic(self) -> str:
        """The topic (registry name) to which the entry is written."""
        return _TOPICS.get(self.key.partition(b"/")[0], "ledger")


@dataclass(frozen=True, slots=True)
class Clearance:
    """A send that was cleared and is not recalled, with decision, source, and a mark if a release cleared it.

    `at`, `until`: milliseconds since the epoch. `src`: the place of the input that was cleared, as in its audit record.
    `send`: without `delivery`; `printed`: the result of comparing the delivery.
    `handed`, `reemitted`: the last act by which it was handed to the print house, or written to `cleared` again.
    """

    did: str
    at: int
    until: int
    basis: str | None
    released: bool
    src: dict[str, Any]
    send: Send
    printed: Printed | None = None
    handed: str | None = None
    reemitted: str | None = None

    @property
    def key(self) -> bytes:
        """The key of its entry."""
        return clear_key(self.send)

    @property
    def forgotten(self) -> tuple[Entry, ...]:
        """The deletions that its recall writes. A question that nobody was handed was not asked."""
        if self.send.message_class != "confirmation" or self.handed is not None:
            return (Entry(self.key, None),)
        return Entry(self.key, None), Entry(question_key(self.send.recipient_id, self.did), None)


@dataclass(frozen=True, slots=True)
class ItemState:
    """State of a review item: last act, actor, resulting decision.

    `said`: the redacted form of the release that the state is about, None without one. `before`: the earlier acts, of
    which a late copy must not count. `rejudge`: the instant (milliseconds) until which the gate judges the item again
    by itself, None if it does not. It is set while nobody has acted on an item that only late or unreadable facts
    withheld.
    `signed`: the last act was signed by a person, and not by the console for a person.
    `offset`: the item's offset on `review`, set while the gate itself judges the item again. Before the first act
    (`act_id` is empty) the offset is a lower bound, from which the item is searched.
    """

    state: str
    act_id: str
    by: str
    did: str | None = None
    said: dict[str, Any] | None = None
    offset: int | None = None
    before: tuple[str, ...] = ()
    rejudge: int | None = None
    signed: bool = False

    @property
    def acts(self) -> tuple[str, ...]:
        """Every act about the item, the last one last."""
        return (*self.before, self.act_id) if self.act_id else self.before


def cancel_key(campaign: str, channel: str | None) -> bytes:
    """The key of the entry of a cancelled campaign."""
    return f"cancel/{campaign}/{channel or '*'}".encode()


def cancelled(campaign: str, channel: str | None, at: int, *, until: int) -> Entry:
    """The entry of a cancelled campaign: the gate no longer clears by itself items withheld up to then."""
    return _entry(cancel_key(campaign, channel), until, at=at)


def seen(act_id: str, until: int) -> Entry:
    """The entry of a signed act: a copy of it is refused. A copy that arrives after `until` is too old anyway."""
    return _entry(f"seen/{act_id}/".encode(), until)


def clear_key(send: Send) -> bytes:
    """The key of the entry of this send's clearance: one per send key, or per event of owed mail."""
    event = f"/{send.event_id}" if send.message_class in OWED else ""
    return f"clear/{send.recipient_id}/{send.campaign_id}/{send.channel}{event}".encode()


def clearance(
    sent: Parsed[Send],
    *,
    did: str,
    at: int,
    until: int,
    basis: str | None,
    released: bool,
    src: dict[str, Any],
    printed: Printed | None = None,
) -> Entry:
    """The entry of a cleared send; `src`: the place of its input."""
    kept = {name: value for name, value in sent.json.items() if name not in _NOT_KEPT}
    fields: dict[str, Any] = {"did": did, "at": at, "basis": basis, "released": released, "send": kept}
    at_point: Any = printed
    if isinstance(printed, Identified):
        # what was printed before there was `beside`, as 0.3.0 reads it
        *at_point, places, further, beside, text, named, lines = printed.remembered
        fields |= {"beside": beside} if beside else {}
        fields |= {"further": further} if further else {}
        fields |= {"named": named} if named else {}
        fields |= {"places": [(token.removeprefix("t"), score) for token, score in places]} if places else {}
        fields |= {"lines": lines} if lines else {}
        # a release of what is printed is for that text alone, and so is what a source gave
        fields |= {"text": text} if text and (released or lines) else {}
    fields["src"] = [src[name] for name in _PLACE if name in src]
    return _entry(clear_key(sent.model), until, **fields, printed=at_point)


def ask(recipient_id: str, request_id: str, said: dict[str, Any], **more: Any) -> Entry:
    """The entry of an ask in its redacted form `said`. It never expires: asks count as long as the person does."""
    return _entry(f"ask/{recipient_id}/{request_id}".encode(), None, said=said, **more)


def question_key(recipient_id: str, request_id: str) -> bytes:
    """The key of the entry of a question; `request_id`: the decision that asked."""
    return f"asked/{recipient_id}/{request_id}".encode()


def question(recipient_id: str, request_id: str, tokens: Iterable[str], **more: str) -> Entry:
    """The entry by which a question counts under other ids, for whoever has one of the `tokens`."""
    return _entry(question_key(recipient_id, request_id), None, tokens=sorted(tokens), **more)


def asked(key: bytes, value: bytes) -> Ask | None:
    """The ask in an entry of the ledger, without text and delivery; None for any other entry."""
    kind, _, rest = key.partition(b"/")
    if kind != ASK:
        return None
    content = orjson.loads(value)
    owner = {"recipient_id": rest.partition(b"/")[0].decode()}
    more = {name: content[name] for name in ("answer_code", "contact_point_id") if name in content}
    return Ask.model_validate_json(canonical({**content["said"], **owner, **more}))


def release_key(send: Send, item: str) -> bytes:
    """The key of the entry of a release of this item."""
    return f"release/{send.recipient_id}/{send.campaign_id}/{send.channel}/{item}".encode()


def release(send: Send, item: str, said: dict[str, Any], *, until: int) -> Entry:
    """The entry of a release of this item, `said` being its redacted form."""
    return _entry(release_key(send, item), until, said=said)


def act(recipient_id: str, item: str, standing: ItemState, *, until: int) -> Entry:
    """The entry with the state of an item."""
    fields = {name: getattr(standing, name) for name in ItemState.__slots__}
    if standing.rejudge is None:
        del fields["rejudge"]
    if not standing.signed:
        del fields["signed"]
    return _entry(f"act/{recipient_id}/{item}".encode(), until, **fields)


def held(recipient_id: str, item: str, *, offset: int, until: int, rejudge: int | None = None) -> Entry:
    """The entry of an item that the gate itself may clear, before any act about it.

    The gate clears it after an answer of the person, or until `rejudge` (milliseconds) once facts are known.
    """
    return act(recipient_id, item, ItemState("open", "", "", offset=offset, rejudge=rejudge), until=until)


def salt(recipient_id: str, master: int, salt: bytes) -> Entry:
    """The entry of a person's salt, which belongs to the master key with that number."""
    return Entry(_salt_key(recipient_id.encode()), canonical({"v": 1, "master": master, "salt": salt.hex()}))


def unsalted(owner: bytes) -> Entry:
    """The deletion of a person's salt; `owner`: the bytes of the recipient id."""
    return Entry(_salt_key(owner), None)


def erased(recipient_id: str, at: int, readmitted_by: str | None = None) -> Entry:
    """The mark of an erased person, for whom no salt is made until they are readmitted.

    `at`: milliseconds. `readmitted_by`: the first of the two managers who readmit the person.
    """
    return _entry(_erased_key(recipient_id), None, at=at, **({"by": readmitted_by} if readmitted_by else {}))


def readmitted(recipient_id: str) -> Entry:
    """The deletion of the mark of an erased person."""
    return Entry(_erased_key(recipient_id), None)


def _salt_key(owner: bytes) -> bytes:
    return b"%b/%b/" % (SALT, owner)


def _erased_key(recipient_id: str) -> bytes:
    return f"erased/{recipient_id}/".encode()


def read_clearance(key: bytes, value: bytes) -> Clearance:
    """Decodes the entry of a clearance."""
    _, recipient_id, campaign_id, channel, *_ = key.decode().split("/")
    content = orjson.loads(value)
    content["send"].update(recipient_id=recipient_id, campaign_id=campaign_id, channel=channel)
    send, printed = Send.model_validate_json(orjson.dumps(content["send"])), content["printed"]
    if isinstance(printed, list):
        token, readings, others, accounted, same = printed
        less, more = (tuple(map(tuple, rows)) for rows in (readings, others))
        places = tuple((f"t{bare}", score) for bare, score in content.get("places", ()))
        kept = ("further", "beside", "named", "lines")
        further, texts, named, lines = (tuple(map(tuple, content.get(name, ()))) for name in kept)
        text = content.get("text", "")
        printed = Identified(token, less, more, accounted, tuple(same), places, further, texts, text, named, lines)
    fields = {name: content[name] for name in ("did", "at", "until", "basis", "released")}
    src = dict(zip(_PLACE, content["src"], strict=False))
    return Clearance(
        **fields, src=src, send=send, printed=printed, handed=content.get("handed"), reemitted=content.get("reemitted")
    )


def read_standing(value: bytes) -> ItemState:
    """Decodes the value of the entry with the state of an item."""
    content = orjson.loads(value)
    fields = {name: content[name] for name in ("state", "act_id", "by", "did", "said", "offset")}
    more = {"rejudge": content.get("rejudge"), "signed": content.get("signed", False)}
    return ItemState(**fields, before=tuple(content.get("before", ())), **more)


def clearance_of(entry: Entry) -> str | None:
    """Recipient id of the clearance in an entry, None for any other entry, and for a deletion."""
    if entry.value is None or not entry.key.startswith(b"clear/"):
        return None
    return entry.key.split(b"/", 2)[1].decode()


def left_open(entry: Entry) -> str | None:
    """Recipient id of the item that an entry leaves open, None for any other entry."""
    kind, owner, _ = entry.key.split(b"/", 2)
    if kind != ACT or entry.value is None or read_standing(entry.value).state != "open":
        return None
    return owner.decode()


def _entry(key: bytes, until: int | None, **fields: Any) -> Entry:
    if max(fields, default="") > "until":
        raise ValueError("a field of an entry must sort before `until`")
    return Entry(key, canonical({"v": 1, "until": until, **fields}), until)
