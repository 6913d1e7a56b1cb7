"""Holds what a gate put out against what was said to it, knowing nothing of how it works.

No line of the product is used here: records are read as the documents describe them, and hashes, trees and signatures
are computed anew. So what the product gets wrong twice in the same way is still seen.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.chaos.journal import UNKNOWN, Said

GOES_OUT = ("cleared", "withheld")
"""Outcomes of acts that put a piece on `cleared`, or on `review` once more."""
SHOWN = 5


@dataclass(frozen=True)
class Seen:
    """A committed record that a reader of ours was given; `topic`: its name in the registry."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def did(self) -> str:
        return self.headers.get("gate-decision-id", b"").decode()

    @cached_property
    def says(self) -> dict[str, Any]:
        """The value read as JSON; what an audit record may leave out is None."""
        return {"act": None, "send": None, "verdict": None} | json.loads(self.value or b"{}")


class History:
    """The records written for a gate, and all its outputs.

    `keys`: the public keys of workers, `NAME+HASH+BASE64`.
    """

    def __init__(self, said: Iterable[Said], seen: Iterable[Seen], keys: Iterable[str]) -> None:
        self._by_topic: dict[str, list[Seen]] = defaultdict(list)
        for record in sorted(seen, key=lambda one: (one.topic, one.partition, one.offset)):
            self._by_topic[record.topic].append(record)
        self.keys = dict(_public(key) for key in keys)
        self.said = [self._placed(one) for one in said]

    def on(self, *topics: str) -> list[Seen]:
        return [record for topic in topics for record in self._by_topic[topic]]

    def _placed(self, said: Said) -> Said:
        """Returns the same with its offset, where Kafka did not say it and the audit records do.

        Of what cannot be read they do not: it is taken for not acknowledged.
        """
        if said.offset != UNKNOWN or said.topic not in ("sends", "acts"):
            return said
        if said.kind == "poison":
            return replace(said, acknowledged=None)
        return replace(said, offset=self._offsets.get((said.topic, said.partition, said.id), UNKNOWN))

    @cached_property
    def _offsets(self) -> dict[tuple[str, int, str], int]:
        """The offsets of sends and acts by topic, partition and id."""
        found = {}
        for a in self.audits:
            ids = (a["send"] or {}).get("event_id"), (a["act"] or {}).get("act_id")
            for topic, id_ in zip(("sends", "acts"), ids, strict=True):
                if id_ is not None and _on(a) == topic:
                    found[topic, a["src"]["partition"], id_] = a["src"]["offset"]
        return found

    @cached_property
    def audits(self) -> list[dict[str, Any]]:
        return [record.says for record in self.on("audit")]

    @cached_property
    def decided(self) -> Counter[tuple[int, int]]:
        """The number of decisions about each place on `sends`."""
        return Counter(_place(a) for a in self.audits if a["stage"] == "intake")

    @cached_property
    def answered(self) -> Counter[tuple[int, int]]:
        """The number of answers to each place on `acts`."""
        return Counter(_place(a) for a in self.audits if _is_answer(a) and _on(a) == "acts")

    @cached_property
    def letters(self) -> Counter[str]:
        """The number of dead letters of each place, as `consents/3/120`."""
        return Counter(record.headers["gate-source"].decode() for record in self.on("deadletter"))

    def _ignored(self, said: Said) -> bool:
        """True for what an attacker wrote on `sends` or `acts` that has no decision, answer or dead letter."""
        found = {"sends": self.decided, "acts": self.answered}.get(said.topic)
        return found is not None and not found[said.partition, said.offset] and not self.letters[_name(said)]

    @cached_property
    def sends(self) -> dict[tuple[int, int], Said]:
        """The sends by their partition and offset."""
        return {(s.partition, s.offset): s for s in self.said if s.topic == "sends" and not s.aborted}

    def said_and_acknowledged(self, *kinds: str) -> list[Said]:
        return [s for s in self.said if s.kind in kinds and s.acknowledged is not None and not s.aborted]

    def unanswered(self) -> list[str]:
        """Returns what waits for an answer still: sends, acts, and what cannot be read."""
        found = [s.id for s in self.said_and_acknowledged("send") if not self.decided[s.partition, s.offset]]
        acts = self.said_and_acknowledged("act", "handoff")
        found += [s.id for s in acts if not self.answered[s.partition, s.offset]]
        found += [s.id for s in self.said_and_acknowledged("poison") if not self.letters[_name(s)]]
        found += [s.id for s in self.said_and_acknowledged("attack") if self._ignored(s)]
        return found + [f"recall of {did}" for did in standing(self)]


def check(history: History) -> list[str]:
    """Returns what was promised and not kept, one sentence each, with the number of the promise before it."""
    return [f"{number}: {sentence}" for number, promise in PROMISES.items() for sentence in _first(promise(history))]


def one_decision(history: History) -> Iterator[str]:
    """I1: each acknowledged send is decided once, and nothing is decided twice."""
    for said in history.said_and_acknowledged("send"):
        if not history.decided[said.partition, said.offset]:
            yield f"{said.id} at sends/{said.partition}/{said.offset} was never decided"
    for (partition, offset), times in history.decided.items():
        if times > 1:
            yield f"sends/{partition}/{offset} was decided {times} times"
    for did, times in Counter(a["did"] for a in history.audits).items():
        if times > 1:
            yield f"{did} has {times} audit records"


def one_output(history: History) -> Iterator[str]:
    """I2: each decision is put out once, where its verdict says."""
    out = {topic: Counter(one.did for one in history.on(topic)) for topic in ("cleared", "review")}
    out["deadletter"] = Counter(
        one.did for one in history.on("deadletter") if one.headers["gate-source"].startswith(b"sends/")
    )
    for a in _with_output(history.audits):
        places = {topic: found[a["did"]] for topic, found in out.items() if found[a["did"]]}
        right = {"cleared"} if a["verdict"] == "clear" else {"review", "deadletter"}
        if sum(places.values()) != 1 or not places.keys() <= right:
            yield f"{a['did']} ({a['verdict']}) was put out on {places or 'no topic'}"


def one_result(history: History) -> Iterator[str]:
    """I2: each outcome has one result, and what results let go is what was cleared and not called back."""
    wanted = {a["did"]: "cleared" if a["verdict"] == "clear" else "withheld" for a in _with_output(history.audits)}
    for a in history.audits:
        if _calls_back(a):
            wanted[a["did"]] = "recalled"
        elif a["act"] and a["act"]["outcome"] == "handed" and a["act"].get("code") is None:
            wanted[a["did"]] = "handed_off"
    told = [one.says for one in history.on("results")]
    found = Counter((value["decision_id"], value["outcome"]) for value in told)
    for did, outcome in found.keys() ^ wanted.items():
        yield f"{did} ({outcome}) has {found[did, outcome] or 'no'} result"
    for (did, outcome), times in found.items():
        if times > 1:
            yield f"{did} ({outcome}) has {times} results"
    stands: dict[str, str] = {}
    for value in told:
        before = (value.get("replaces") or {}).get("decision_id")
        if before is not None:
            stands.pop(before, None)
        stays = value["outcome"] == "handed_off" and before is not None  # by the decision that cleared it
        stands[before if stays else value["decision_id"]] = value["outcome"]
    going = {did for did, outcome in stands.items() if outcome in ("cleared", "handed_off")}
    cleared = {did for did, outcome in wanted.items() if outcome == "cleared"}
    for did in going ^ (cleared - _recalled(history).keys()):
        yield f"{did} may go out by the {'results' if did in going else 'other topics'} alone"


def no_clear_after_a_no(history: History) -> Iterator[str]:
    """I3: what was written after a no was acknowledged clears nothing for that person."""
    noes: dict[str, float] = {}
    for said in history.said_and_acknowledged("no"):
        assert said.acknowledged is not None
        noes[said.person] = min(said.acknowledged, noes.get(said.person, said.acknowledged))
    acts = {(s.partition, s.offset): s for s in history.said if s.topic == "acts"}
    people = {a["did"]: history.sends.get(_place(a)) for a in history.audits if a["stage"] == "intake"}
    for a in history.audits:
        if a["stage"] == "intake" and a["verdict"] == "clear":
            cause, person = history.sends.get(_place(a)), None
        elif a["act"] and a["act"]["outcome"] in ("cleared", "handed") and _on(a) == "acts":
            cause, person = acts.get(_place(a)), people.get(a["act"].get("item"))
        else:
            continue
        who = person.person if person else cause.person if cause else ""
        if cause and who in noes and cause.began > noes[who]:
            late = cause.began - noes[who]
            yield f"{a['did']}: {cause.id} came {late:.3f} s after the no of {who} and was cleared"


def manifests_in_a_chain(history: History) -> Iterator[str]:
    """I5: manifests are signed, chained, take each offset once, and name the very audit records that there are."""
    for partition, manifests in _by_partition(history.on("manifests")).items():
        audits = iter(_by_partition(history.on("audit")).get(partition, ()))
        prev, at = None, dict[tuple[str, int], int]()
        for record in manifests:
            value, where = record.value or b"", f"manifests/{partition}/{record.offset}"
            said = record.says
            key = history.keys.get(said["kid"])
            if key is None or not _signed(key, record.headers.get("gate-sig", b""), value):
                yield f"{where} is not signed by a worker"
            if said["prev"] != prev:
                yield f"{where} does not continue the one before"
            for taken in said["in"]:
                log = taken["topic"], taken.get("era", 0)
                if at.setdefault(log, taken["from"]) != taken["from"]:
                    yield f"{where} goes on at {taken['from']}, and the one before ended at {at[log]}"
                at[log] = taken["to"]
            records = [one for _, one in zip(range(said["audit"]["n"]), audits, strict=False)]
            if root([one.value or b"" for one in records]).hex() != said["root"]:
                yield f"{where} names other audit records than there are"
            prev = hashlib.sha256(value).hexdigest()
        if left := sum(1 for _ in audits):
            yield f"{left} audit records of partition {partition} are in no manifest"


def nothing_aborted(history: History) -> Iterator[str]:
    """I6: nothing that belongs to an aborted transaction is decided, and no output stands without its decision."""
    aborted = {(s.partition, s.offset): s.id for s in history.said if s.aborted and s.topic == "sends"}
    for place in aborted.keys() & history.decided.keys():
        yield f"{aborted[place]} was decided, and its transaction was aborted"
    known = {a["did"] for a in _with_output(history.audits)}
    for one in history.on("cleared", "review"):
        if one.did not in known:
            yield f"{one.topic}/{one.partition}/{one.offset} belongs to no decision"


def one_answer(history: History) -> Iterator[str]:
    """I8: each act is answered once, a piece is let go once until it is called back, and called back once."""
    for said in history.said_and_acknowledged("act", "handoff", "attack"):
        times = history.answered[said.partition, said.offset]
        right = (0, 1) if said.kind == "attack" else (1,)  # what cannot be read has a dead letter instead
        if said.topic == "acts" and times not in right:
            yield f"{said.id} at acts/{said.partition}/{said.offset} was answered {times} times"
    out: set[str] = set()
    for a in history.audits:
        if not _is_answer(a) or (item := a["act"].get("item")) is None:
            continue
        if a["act"]["outcome"] == "cleared":
            if item in out:
                yield f"{item} was let go again by {a['act']['act_id']}"
            out.add(item)
        elif a["act"]["outcome"] in ("recalled", "undone", "reopened"):
            out.discard(item)
    for did, times in _recalled(history).items():
        if times > 1:
            yield f"{did} was called back {times} times"
    by = Counter(a["did"] for a in history.audits if _calls_back(a))
    told = Counter(one.did for one in history.on("recalls"))
    for did in (by - told) + (told - by):
        yield f"{did}: {by[did]} audit records call back, and {told[did]} recalls"


def all_called_back(history: History) -> Iterator[str]:
    """I8: what was cleared for somebody who said no is called back."""
    for did in standing(history):
        yield f"{did} was cleared, its person said no, and it was not called back"


def one_letter(history: History) -> Iterator[str]:
    """I9: each record that cannot be read has one dead letter."""
    for said in history.said_and_acknowledged("poison"):
        if not history.letters[_name(said)]:
            yield f"{_name(said)} has no dead letter"
    for place, times in history.letters.items():
        if times > 1:
            yield f"{place} has {times} dead letters"


PROMISES = {
    "I1": one_decision,
    "I2": one_output,
    "I2 results": one_result,
    "I3": no_clear_after_a_no,
    "I5": manifests_in_a_chain,
    "I6": nothing_aborted,
    "I8": one_answer,
    "I8 recall": all_called_back,
    "I9": one_letter,
}


def standing(history: History) -> list[str]:
    """Returns the decisions that cleared something for somebody who has said no, and were not called back."""
    gone = {said.person for said in history.said_and_acknowledged("no")}
    recalled = _recalled(history)
    return [one.did for one in history.on("cleared") if (one.key or b"").decode() in gone and not recalled[one.did]]


def _recalled(history: History) -> Counter[str]:
    return Counter(one.says["decision_id"] for one in history.on("recalls"))


def _with_output(audits: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yields what was put out: each send, and each act that let a piece go or withheld it again."""
    return (a for a in audits if a["stage"] == "intake" or (_is_answer(a) and a["act"]["outcome"] in GOES_OUT))


def _calls_back(a: Mapping[str, Any]) -> bool:
    return a["stage"] == "recall" or (a["act"] or {}).get("outcome") == "recalled"


def _is_answer(a: Mapping[str, Any]) -> bool:
    return bool(a["act"]) and a["stage"] in ("act", "release")


def _on(a: Mapping[str, Any]) -> str:
    """Returns which topic an audit record's input stands on, by the name in the registry."""
    return str(a["src"]["topic"]).removesuffix(".v1").rpartition(".")[2]


def _place(a: Mapping[str, Any]) -> tuple[int, int]:
    return a["src"]["partition"], a["src"]["offset"]


def _name(said: Said) -> str:
    return f"{said.topic}/{said.partition}/{said.offset}"


def _by_partition(records: Iterable[Seen]) -> dict[int, list[Seen]]:
    found: dict[int, list[Seen]] = defaultdict(list)
    for record in records:
        found[record.partition].append(record)
    return found


def _public(key: str) -> tuple[str, Ed25519PublicKey]:
    """Returns a key's id and the key: `NAME+HASH+BASE64` of one byte of kind and 32 of key."""
    name, hash_, data = key.split("+", 2)
    return f"{name}+{hash_}", Ed25519PublicKey.from_public_bytes(base64.b64decode(data)[1:])


def _signed(key: Ed25519PublicKey, signature: bytes, value: bytes) -> bool:
    try:
        key.verify(base64.b64decode(signature), value)
    except (InvalidSignature, ValueError):
        return False
    return True


def root(leaves: Sequence[bytes]) -> bytes:
    """Returns the root of the Merkle tree of RFC 6962."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(leaves[:half]) + root(leaves[half:])).digest()


def _first(sentences: Iterator[str]) -> list[str]:
    found = list(sentences)
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return found[:SHOWN] + more
