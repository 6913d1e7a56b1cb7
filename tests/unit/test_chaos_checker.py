"""The checker of chaos must be seen to fail: each promise is broken once in a history that is right otherwise."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.chaos.checker import History, Seen, check
from tests.chaos.journal import Kind, Said

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = base64.b64encode(b"\x01" + KEY.public_key().public_bytes_raw()).decode()


class Gate:
    """A gate of one partition that does everything right: what was said to it, and what it put out."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.audits: list[dict[str, Any]] = []
        self.out: list[Seen] = []
        self.results: list[Seen] = []
        self._clock, self._ends = count(100), dict[str, int]()

    def say(self, kind: Kind, person: str, topic: str, *, aborted: bool = False) -> Said:
        at = self._clock.__next__()
        over = None if aborted else at + 0.5
        said = Said(kind, f"{kind}-{at}", person, topic, 0, self._end(topic), at, over, aborted)
        self.said.append(said)
        return said

    def put(self, topic: str, did: str, person: str = "", value: Any = None, **headers: bytes) -> Seen:
        told = {"gate-decision-id": did.encode(), **{name.replace("_", "-"): text for name, text in headers.items()}}
        one = Seen(topic, 0, self._end(topic), person.encode(), json.dumps(value).encode(), told)
        self.out.append(one)
        return one

    def audit(self, said: Said, stage: str, verdict: str | None, act: dict[str, Any] | None = None) -> str:
        did = f"D{len(self.audits)}"
        src = {"topic": f"t.{said.topic}.v1", "partition": said.partition, "offset": said.offset}
        one = {"did": did, "src": src, "stage": stage, "verdict": verdict}
        self.audits.append({**one, "act": act} if act else one)
        return did

    def send(self, person: str, verdict: str = "clear") -> str:
        did = self.audit(self.say("send", person, "sends"), "intake", verdict)
        self.put("cleared" if verdict == "clear" else "review", did, person)
        self.result(did, "cleared" if verdict == "clear" else "withheld")
        return did

    def result(self, did: str, outcome: str, replaces: str | None = None) -> None:
        """Puts in a result; it replaces an outcome of the decision that withheld or cleared the piece before."""
        before = {} if replaces is None else {"replaces": {"decision_id": replaces}}
        value = {"decision_id": did, "outcome": outcome, **before}
        self.results.append(Seen("results", 0, len(self.results), b"K", json.dumps(value).encode()))

    def act(self, person: str, item: str, outcome: str, kind: Kind = "act") -> str:
        said = self.say(kind, person, "acts")
        verdict = {"cleared": "clear", "withheld": "block"}.get(outcome)
        told = {"act_id": said.id, "item": item, "outcome": outcome}
        did = self.audit(said, "release" if verdict == "clear" else "act", verdict, told)
        if verdict:
            self.put("cleared" if verdict == "clear" else "review", did, person)
            self.result(did, "cleared" if verdict == "clear" else "withheld", item)
        return did

    def recall(self, item: str, person: str) -> str:
        did = self.audit(self.said[-1], "recall", "block")
        self.put("recalls", did, person, {"decision_id": item})
        self.result(did, "recalled", item)
        return did

    def poison(self, topic: str) -> None:
        said = self.say("poison", "", topic)
        did = self.audit(said, "intake", "block") if topic == "sends" else ""
        self.put("deadletter", did, gate_source=f"{topic}/0/{said.offset}".encode())
        if topic == "sends":
            self.result(did, "withheld")

    def story(self) -> History:
        """Returns what a day at the gate came to."""
        self.send("ann")
        item = self.send("bob", "block")
        self.act("bob", item, "cleared")
        gone = self.send("eve")
        self.say("no", "eve", "consents")
        self.recall(gone, "eve")
        self.send("eve", "block")
        self.poison("sends")
        self.poison("consents")
        self.say("send", "foreign", "sends", aborted=True)
        return self.history()

    def history(self) -> History:
        audits = [
            Seen("audit", 0, offset, one["did"].encode(), json.dumps(one).encode())
            for offset, one in enumerate(self.audits)
        ]
        half = len(audits) // 2
        return History(
            self.said, [*self.out, *self.results, *audits, *manifests(audits[:half], audits[half:])], [f"w+aa+{PUBLIC}"]
        )

    def _end(self, topic: str) -> int:
        self._ends[topic] = self._ends.get(topic, -1) + 1
        return self._ends[topic]


def manifests(*parts: list[Seen]) -> list[Seen]:
    found: list[Seen] = []
    at, prev = 0, None
    for part in parts:
        said = {
            "kid": "w+aa",
            "prev": prev,
            "in": [{"topic": "t.sends.v1", "from": at, "to": at + len(part)}],
            "audit": {"n": len(part)},
            "root": root([one.value or b"" for one in part]).hex(),
        }
        found.append(signed(said, len(found)))
        at, prev = at + len(part), hashlib.sha256(found[-1].value or b"").hexdigest()
    return found


def signed(said: dict[str, Any], offset: int) -> Seen:
    value = json.dumps(said).encode()
    return Seen("manifests", 0, offset, b"w", value, {"gate-sig": base64.b64encode(KEY.sign(value))})


def root(leaves: list[bytes]) -> bytes:
    """RFC 6962 once more, level by level."""
    level = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves] or [hashlib.sha256().digest()]
    while len(level) > 1:
        pairs = [level[n : n + 2] for n in range(0, len(level), 2)]
        level = [hashlib.sha256(b"\1" + b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]


def numbers(history: History) -> set[str]:
    return {sentence.split(":")[0] for sentence in check(history)}


def test_given_a_gate_that_does_everything_right_then_nothing_is_found():
    history = Gate().story()
    assert check(history) == []
    assert history.unanswered() == []


def after_a_no(gate: Gate, item: str) -> str:
    gate.say("no", "ada", "consents")
    return item


def a_hand_off_after_a_no(gate: Gate) -> None:
    item = after_a_no(gate, gate.send("ada"))
    said = gate.say("handoff", "", "acts")
    did = gate.audit(said, "handoff", "clear", {"act_id": "h", "item": item, "outcome": "handed"})
    gate.result(did, "handed_off", item)
    gate.audit(said, "act", None, {"act_id": "h", "outcome": "done"})
    gate.recall(item, "ada")


def a_send_of_an_aborted_transaction_decided(gate: Gate) -> None:
    did = gate.audit(gate.say("send", "ann", "sends", aborted=True), "intake", "block")
    gate.put("review", did, "ann")
    gate.result(did, "withheld")


def twice(do: Callable[[str, str], str], item: str, *more: str) -> None:
    for _ in range(2):
        do(item, *more)


BROKEN: dict[str, tuple[Callable[[Gate], Any], set[str]]] = {
    "a send lost": (lambda gate: gate.say("send", "ann", "sends"), {"I1"}),
    "an output lost": (lambda gate: (gate.send("ann"), gate.out.pop()), {"I2"}),
    "a clear after a no": (lambda gate: gate.recall(gate.send(after_a_no(gate, "ada")), "ada"), {"I3"}),
    "a hand-off after a no": (a_hand_off_after_a_no, {"I3"}),
    "a send of an aborted transaction decided": (a_send_of_an_aborted_transaction_decided, {"I6"}),
    "an item let go twice": (
        lambda gate: twice(lambda item, who: gate.act(who, item, "cleared"), gate.send("ann", "block"), "ann"),
        {"I8"},
    ),
    "nobody called back": (lambda gate: after_a_no(gate, gate.send("ada")), {"I8 recall"}),
    "a result lost": (lambda gate: (gate.send("ann"), gate.results.pop()), {"I2 results"}),
    "a dead letter lost": (lambda gate: (gate.poison("suppressions"), gate.out.pop()), {"I9"}),
}


@pytest.mark.parametrize(("broken", "found"), BROKEN.values(), ids=BROKEN)
def test_given_a_promise_broken_once_then_it_is_found_and_no_other(broken, found):
    gate = Gate()
    gate.story()
    broken(gate)
    assert numbers(gate.history()) == found


CHAIN = {
    "a link of another chain": {"prev": "0" * 64},
    "offsets taken twice": {"in": [{"topic": "t.sends.v1", "from": 0, "to": 10}]},
    "a key that nobody knows": {"kid": "w+bb"},
}


@pytest.mark.parametrize("other", CHAIN.values(), ids=CHAIN)
def test_given_a_chain_of_manifests_broken_then_it_is_found(other):
    history = Gate().story()
    last = history.on("manifests")[-1]
    history._by_topic["manifests"][-1] = signed(json.loads(last.value or b"") | other, last.offset)
    assert numbers(history) == {"I5"}
