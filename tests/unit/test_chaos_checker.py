"""The checker of chaos must be seen to fail: each promise is broken once in a history that is right otherwise."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.chaos.checker import History, Seen, check
from tests.chaos.journal import UNKNOWN, Kind, Said
from tests.chaos.round import FEWEST, lacking

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
        said = Said(
            kind, f"{kind}-{at}", person, topic, 0, self._end(topic), at, None if aborted else at + 0.5, aborted
        )
        self.said.append(said)
        return said

    def put(self, topic: str, did: str, person: str = "", value: Any = None, **headers: bytes) -> Seen:
        one = Seen(
            topic,
            0,
            self._end(topic),
            person.encode(),
            json.dumps(value).encode(),
            {"gate-decision-id": did.encode(), **{name.replace("_", "-"): text for name, text in headers.items()}},
        )
        self.out.append(one)
        return one

    def audit(self, said: Said, stage: str, verdict: str | None, act: dict[str, Any] | None = None) -> str:
        did = f"D{len(self.audits)}"
        src = {"topic": f"t.{said.topic}.v1", "partition": said.partition, "offset": said.offset}
        self.audits.append(
            {"did": did, "src": src, "stage": stage, "verdict": verdict, **({"act": act} if act else {})}
        )
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
        did = self.audit(
            said,
            "release" if verdict == "clear" else "act",
            verdict,
            {"act_id": said.id, "item": item, "outcome": outcome},
        )
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


def a_send_lost(gate: Gate) -> None:
    gate.say("send", "ann", "sends")


def a_decision_doubled(gate: Gate) -> None:
    did = gate.send("ann")
    gate.audits.append(gate.audits[-1] | {"did": "DX"})
    gate.put("cleared", "DX", "ann")
    assert did


def an_output_doubled(gate: Gate) -> None:
    gate.put("cleared", gate.send("ann"), "ann")


def an_output_lost(gate: Gate) -> None:
    gate.send("ann")
    gate.out.pop()


def a_withheld_send_put_out(gate: Gate) -> None:
    gate.send("ann", "block")
    gate.out[-1] = replace(gate.out[-1], topic="cleared", offset=99)


def a_clear_after_a_no(gate: Gate) -> None:
    gate.say("no", "ada", "consents")
    gate.recall(gate.send("ada"), "ada")


def a_release_after_a_no(gate: Gate) -> None:
    item = gate.send("ada", "block")
    gate.say("no", "ada", "consents")
    gate.recall(gate.act("ada", item, "cleared"), "ada")


def a_hand_off_after_a_no(gate: Gate) -> None:
    item = gate.send("ada")
    gate.say("no", "ada", "consents")
    said = gate.say("handoff", "", "acts")
    did = gate.audit(said, "handoff", "clear", {"act_id": "h", "item": item, "outcome": "handed"})
    gate.result(did, "handed_off", item)
    gate.audit(said, "act", None, {"act_id": "h", "outcome": "done"})
    gate.recall(item, "ada")


def a_send_of_an_aborted_transaction_decided(gate: Gate) -> None:
    did = gate.audit(gate.say("send", "ann", "sends", aborted=True), "intake", "block")
    gate.put("review", did, "ann")
    gate.result(did, "withheld")


def an_act_lost(gate: Gate) -> None:
    gate.say("act", "ann", "acts")


def an_item_let_go_twice(gate: Gate) -> None:
    item = gate.send("ann", "block")
    for _ in range(2):
        gate.act("ann", item, "cleared")


def a_recall_doubled(gate: Gate) -> None:
    item = gate.send("ann")
    for _ in range(2):
        gate.recall(item, "ann")


def nobody_called_back(gate: Gate) -> None:
    gate.send("ada")
    gate.say("no", "ada", "consents")


def a_result_lost(gate: Gate) -> None:
    gate.send("ann")
    gate.results.pop()


def a_result_of_another_outcome(gate: Gate) -> None:
    did = gate.send("ann", "block")
    gate.results.pop()
    gate.result(did, "cleared")


def a_dead_letter_lost(gate: Gate) -> None:
    gate.poison("suppressions")
    gate.out.pop()


BROKEN: dict[Callable[[Gate], None], set[str]] = {
    a_send_lost: {"I1"},
    a_decision_doubled: {"I1", "I2 results"},
    an_output_doubled: {"I2"},
    an_output_lost: {"I2"},
    a_withheld_send_put_out: {"I2"},
    a_clear_after_a_no: {"I3"},
    a_release_after_a_no: {"I3"},
    a_hand_off_after_a_no: {"I3"},
    a_send_of_an_aborted_transaction_decided: {"I6"},
    an_act_lost: {"I8"},
    an_item_let_go_twice: {"I8"},
    a_recall_doubled: {"I8"},
    nobody_called_back: {"I8 recall"},
    a_result_lost: {"I2 results"},
    a_result_of_another_outcome: {"I2 results"},
    a_dead_letter_lost: {"I9"},
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_given_a_promise_broken_once_then_it_is_found_and_no_other(broken):
    gate = Gate()
    gate.story()
    broken(gate)
    assert numbers(gate.history()) == BROKEN[broken]


def test_an_acknowledgement_without_an_offset_then_its_record_is_found_by_its_id():
    gate = Gate()
    gate.send("ann")
    gate.audits[-1]["send"] = {"event_id": gate.said[-1].id}
    gate.said[-1] = replace(gate.said[-1], offset=UNKNOWN)
    assert check(gate.history()) == []
    gate.said.append(replace(gate.said[-1], id="another"))
    assert numbers(gate.history()) == {"I1"}


CHAIN = {
    "a link of another chain": {"prev": "0" * 64},
    "offsets taken twice": {"in": [{"topic": "t.sends.v1", "from": 0, "to": 10}]},
    "a record fewer": {"audit": {"n": 1}},
    "other records": {"root": "0" * 64},
    "a key that nobody knows": {"kid": "w+bb"},
}


@pytest.mark.parametrize("other", CHAIN.values(), ids=CHAIN)
def test_given_a_chain_of_manifests_broken_then_it_is_found(other):
    history = Gate().story()
    last = history.on("manifests")[-1]
    history._by_topic["manifests"][-1] = signed(json.loads(last.value or b"") | other, last.offset)
    assert numbers(history) == {"I5"}


def test_given_a_manifest_changed_after_it_was_signed_or_lost_then_it_is_found():
    for last in ([], [lambda one: replace(one, value=(one.value or b"") + b" ")]):
        history = Gate().story()
        gone = history._by_topic["manifests"].pop()
        history._by_topic["manifests"] += [change(gone) for change in last]
        assert numbers(history) == {"I5"}


def busy() -> Gate:
    """A gate at which enough goes on for a round of ten seconds."""
    gate = Gate()
    for number in range(max(FEWEST.values())):
        item = gate.send(f"p{number}", "block")
        gate.act(f"p{number}", item, "cleared")
        gone = gate.send(f"q{number}")
        gate.say("no", f"q{number}", "consents")
        gate.recall(gone, f"q{number}")
        said = gate.say("handoff", "", "acts")
        gate.audit(said, "handoff", "clear", {"act_id": said.id, "item": gone, "outcome": "handed"})
        gate.poison("consents")
    return gate


def test_given_a_round_in_which_little_happened_then_it_is_invalid():
    assert lacking(busy().history(), 10) == []
    assert len(lacking(busy().history(), 1000)) == 2  # sends, and decisions while it was hurt
    gate = busy()
    gate.audits = [a for a in gate.audits if a["stage"] != "handoff"]
    assert lacking(gate.history(), 10) == ["no handoff clear"]
