"""The promises, checked on the committed records alone, without the product's own code.

The exceptions are the contract's models, which say how records are written, and `tests.support.ledger_oracle`, which
says what a ledger must hold.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import orjson
from aiokafka import ConsumerRecord, TopicPartition

from gatekeeper.ground.settings import Settings
from gatekeeper.policy.packs import Packs
from gatekeeper.staff.message import milliseconds
from gatekeeper.staff.signatures import HEADER
from schemas.audit import AuditRecord
from schemas.topics import FACT_TOPICS
from tests.chaos.checker import root
from tests.simulation.company import LIMIT, LISTED, SPOILT, Company, Person
from tests.simulation.kafka import Kafka
from tests.simulation.log import Log, Place
from tests.simulation.loop import EPOCH_MS
from tests.support.ledger_oracle import Implied, Piece

OUTPUTS = ("cleared", "review", "confirmations", "recalls", "deadletter", "results")
COUNTED = {"cleared": "cleared", "review": "review", "confirmations": "confirm", "recalls": "recall",
           "deadletter": "dead", "results": "result"}  # fmt: skip


class Broken(AssertionError):
    """A promise that does not hold."""


def demand(right: bool, promise: str, *where: Any) -> None:
    """Raises Broken where something is not right."""
    if not right:
        raise Broken(": ".join(map(str, (promise, *where))))


class Told:
    """All committed records of one partition number."""

    def __init__(self, kafka: Kafka, settings: Settings, number: int) -> None:
        self.number, self.settings = number, settings
        self._kafka = kafka
        self.sends, self.acts = self._log("sends").written(), self._log("acts").written()
        self.audits = [AuditRecord.model_validate_json(one.value or b"") for one in self.of("audit")]
        self.proofs = [one.value or b"" for one in self.of("audit")]
        self.outputs = {name: self.of(name) for name in OUTPUTS}
        self.manifests = self.of("manifests")
        self.ledger: dict[str, Any] = {}
        for one in (*self.of("ledger"), *self.of("salts")):
            key = (one.key or b"").decode()
            salted = one.topic == settings.topic("salts")
            demand(salted == (key == "pulse" or key.startswith("salt/")), "a salt, and not on its topic", number, key)
            if key == "pulse":
                continue
            if one.value is None:
                self.ledger.pop(key, None)
            else:
                self.ledger[key] = orjson.loads(one.value)

    def of(self, topic: str) -> list[ConsumerRecord]:
        """Returns a topic's committed records."""
        return self._log(topic).committed()

    def _log(self, topic: str) -> Log:
        return self._kafka.logs[TopicPartition(self.settings.topic(topic), self.number)]

    def undecided(self) -> list[Place]:
        """Returns the places of the sends that have no decision, and are not lost."""
        taken = {place(audit) for audit in self.audits if audit.stage == "intake"}
        return sorted(self._log("sends").written(lost=False).keys() - taken - self.skipped("sends"))

    def unacted(self) -> list[Place]:
        """Returns the places of the acts that have no answer of their own; those of pieces are none."""
        topic = self.settings.topic("acts")
        answered = {
            place(audit)
            for audit in self.audits
            if audit.src.topic == topic
            and (audit.stage in ("act", "release") or (audit.act and audit.act.kind == "reemit"))
        }
        return sorted(self._log("acts").written(lost=False).keys() - answered - self.skipped("acts"))

    def skipped(self, topic: str) -> set[Place]:
        """Returns the places of an input that people had passed over."""
        eras, name = Counter[str](), self.settings.topic(topic)
        return {one for manifest in self.manifests for one in skips(manifest, eras).get(name, ())}


def place(audit: AuditRecord) -> Place:
    """Returns the place of a record's input."""
    return audit.src.era, audit.src.offset


def skips(manifest: ConsumerRecord, eras: Counter[str]) -> dict[str, list[Place]]:
    """Returns what a manifest says that people passed over, by topic. `eras`: those of the inputs before it."""
    said = orjson.loads(manifest.value or b"")
    eras.update({one["topic"]: one.get("era", 0) - eras[one["topic"]] for one in said["in"]})
    found: dict[str, list[Place]] = defaultdict(list)
    for range_ in said.get("skipped", ()):
        topic = range_["topic"]
        found[topic] += [(eras[topic], offset) for offset in range(range_["from"], range_["to"])]
    return found


class Left:
    """The inputs without an audit record; each call looks only at records since the last one."""

    def __init__(self, kafka: Kafka, settings: Settings) -> None:
        self._logs = kafka.logs
        self._topics = [settings.topic(name) for name in ("sends", "acts", "audit", "manifests")]
        self._partitions = settings.partitions
        self._open: dict[tuple[str, int], set[Place]] = {}
        self._at: Counter[tuple[str, int]] = Counter()
        self._eras = [Counter[str]() for _ in range(self._partitions)]

    def places(self) -> list[str]:
        """Returns which sends and acts are left."""
        sends, acts, audit, manifests = self._topics
        for number in range(self._partitions):
            for topic in (sends, acts):
                found, log = self._open.setdefault((topic, number), set()), self._logs[TopicPartition(topic, number)]
                found |= {log.place(one) for one in self._new(topic, number)}
            for one in self._new(audit, number):
                source = orjson.loads(one.value or b"")["src"]
                if source["topic"] in (sends, acts):
                    self._open[source["topic"], number].discard((source.get("era", 0), source["offset"]))
            for one in self._new(manifests, number):
                for topic, skipped in skips(one, self._eras[number]).items():
                    self._open[topic, number] -= set(skipped)
        return [f"{topic}/{number}/{one}" for (topic, number), open_ in self._open.items() for one in sorted(open_)]

    def _new(self, topic: str, number: int) -> list[ConsumerRecord]:
        log = self._logs[TopicPartition(topic, number)]
        begin, self._at[topic, number] = self._at[topic, number], log.stable
        return log.committed(begin)


def did(headers: Iterable[tuple[str, bytes]]) -> str:
    """Returns the decision that an output names."""
    return dict(headers).get("gate-decision-id", b"").decode()


def check(kafka: Kafka, settings: Settings, packs: Packs, company: Company) -> dict[str, int]:
    """Raises Broken, or AssertionError, for the first promise that does not hold; returns what there was."""
    counts: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    for number in range(settings.partitions):
        told = Told(kafka, settings, number)
        one_decision_and_one_output(told)
        none_cleared_after_a_no(told, company.people)
        if company.delivered is not None:
            none_cleared_while_the_feed_is_silent(told, company.delivered)
        manifests_are_contiguous(told)
        facts_are_those_of_asof(kafka, told, company.unsettled)
        one_recall_a_clearance(told, company.people)
        results_say_what_became(told)
        one_audit_record_an_act(told)
        nobody_acts_unsigned(told)
        campaigns_are_ended(told)
        lag_tools_see_the_end(kafka, told)
        ledger_is_what_follows(told, packs)
        letters.update(
            source
            for one in told.outputs["deadletter"]
            if (source := dict(one.headers)["gate-source"].decode()).split("/")[0] in FACT_TOPICS
        )
        counts["sends"] += len(told.sends)
        counts["acts"] += len(told.acts)
        counts["transactions"] += len(told.manifests)
        for name, records in told.outputs.items():
            counts[name] += len(records)
    one_dead_letter_a_fact(kafka, settings, letters)
    return counts


def one_decision_and_one_output(told: Told) -> None:
    """Every send has one audit record and one output; nothing else has any."""
    topic = told.settings.topic("sends")
    decided = Counter(place(audit) for audit in told.audits if audit.stage == "intake")
    demand(all(audit.src.topic == topic for audit in told.audits if audit.stage == "intake"), "a decision of no send")
    twice = [offset for offset, count in decided.items() if count > 1]
    demand(not twice, "decided twice", told.number, twice[:5])
    demand(decided.keys() <= told.sends.keys(), "decided, and not there", decided.keys() - told.sends.keys())
    both = decided.keys() & told.skipped("sends")
    demand(not both, "decided and skipped", told.number, both)
    demand(not told.undecided(), "not decided", told.number, told.undecided()[:5])
    for names in (("cleared", "review", "deadletter"), ("recalls",), ("confirmations",), ("results",)):
        out = Counter(did(one.headers) for name in names for one in told.outputs[name])
        out.pop("", None)  # the dead letter of a fact
        twice_out = [one for one, count in out.items() if count > 1]
        demand(not twice_out, "put out twice", told.number, names, twice_out[:5])
        known = {audit.did for audit in told.audits}
        demand(out.keys() <= known, "put out without an audit record", told.number, sorted(out.keys() - known)[:5])
    where = {did(one.headers): name for name in ("cleared", "review", "deadletter") for one in told.outputs[name]}
    for audit in told.audits:
        if audit.stage == "intake":
            demand(audit.did in where, "decided, and not put out", told.number, audit.src.offset)
            right = (where[audit.did] == "cleared") == (audit.verdict == "clear")
            demand(right, "put out elsewhere than decided", told.number, audit.src.offset)
    sent = {send.value for send in told.sends.values()}
    for one in (*told.outputs["cleared"], *told.outputs["review"]):
        demand(one.value in sent, "other bytes than the send's", one.offset)


def none_cleared_after_a_no(told: Told, people: dict[str, Person]) -> None:
    """No send is cleared that was published after a no was acknowledged, and nothing without any word."""
    topic = told.settings.topic("sends")
    by_did = {audit.did: audit for audit in told.audits}
    for one in told.outputs["cleared"]:
        audit, person = by_did[did(one.headers)], people[orjson.loads(one.value or b"")["recipient_id"]]
        cleared = (one.timestamp - EPOCH_MS) / 1000
        published = cleared
        if audit.src.topic == topic:
            published = (told.sends[place(audit)].timestamp - EPOCH_MS) / 1000
        elif audit.act is not None and audit.src.topic == told.settings.topic("acts"):
            published = (told.acts[place(audit)].timestamp - EPOCH_MS) / 1000
        else:
            published = 0.0  # the gate's own redecision: it has no instant of which others know
        demand(person.kind != "stranger", "cleared by an absence", person.id)
        no = standing_no(person, published, cleared)
        demand(not no, "cleared after an acknowledged no", person.id, f"send {audit.src}", f"at {cleared:.3f} s")


def none_cleared_while_the_feed_is_silent(told: Told, delivered: Iterable[float]) -> None:
    """Nobody of whom a feed speaks is cleared by facts that are older than its limit."""
    by_did = {audit.did: audit for audit in told.audits}
    for one in told.outputs["cleared"]:
        person, cleared = orjson.loads(one.value or b"")["recipient_id"], (one.timestamp - EPOCH_MS) / 1000
        if person in LISTED:
            at = (milliseconds(by_did[did(one.headers)].at) - EPOCH_MS) / 1000
            last = max((begun for begun in delivered if begun <= cleared), default=0.0)
            demand(at <= last + LIMIT, "cleared while its feed was silent", person, f"{at:.3f} s, last {last:.3f} s")


def standing_no(person: Person, acknowledged: float, until: float) -> bool:
    """Tells whether a no that was acknowledged by then had no yes behind it, not even an attempted one, `until`."""
    for word in person.words:
        if word.no and not word.void and word.acknowledged is not None and word.acknowledged + 0.001 < acknowledged:
            after = [one for one in person.words if not one.no and word.begun <= one.begun <= until]
            if not after:
                return True
    return False


def one_recall_a_clearance(told: Told, people: dict[str, Person]) -> None:
    """A clearance that a refusal followed is recalled, once."""
    recalled = Counter(orjson.loads(one.value or b"")["decision_id"] for one in told.outputs["recalls"])
    demand(set(recalled.values()) <= {1}, "recalled twice", told.number)
    cleared = {did(one.headers): one for one in told.outputs["cleared"]}
    demand(recalled.keys() <= cleared.keys(), "recalled, and never cleared", told.number)
    superseding: dict[tuple[str, ...], str] = {}
    for name, one in cleared.items():
        said = orjson.loads(one.value or b"")
        superseding[tuple(said[field] for field in ("recipient_id", "campaign_id", "channel"))] = name
    for name, one in cleared.items():
        person = people[orjson.loads(one.value or b"")["recipient_id"]]
        if standing_no(person, float("inf"), float("inf")):
            demand(name in recalled, "a no, and no recall", told.number, person.id, name)


def results_say_what_became(told: Told) -> None:
    """Each change of a send's outcome has its result, and no result replaces one that does not stand."""
    of_sends = (one for one in told.outputs["deadletter"] if dict(one.headers)["gate-source"].startswith(b"sends/"))
    wanted = {
        **{did(one.headers): "withheld" for one in (*told.outputs["review"], *of_sends)},
        **{did(one.headers): "cleared" for one in told.outputs["cleared"]},
        **{did(one.headers): "recalled" for one in told.outputs["recalls"]},
        **{audit.did: "handed_off" for audit in told.audits
           if audit.act and audit.act.outcome == "handed" and audit.act.code is None},
    }  # fmt: skip
    values = [orjson.loads(one.value or b"") for one in told.outputs["results"]]
    found = {value["decision_id"]: value["outcome"] for value in values}
    differ = sorted(found.items() ^ wanted.items())
    demand(not differ, "other results than there are outcomes", told.number, differ[:5])
    pieces = (*told.outputs["cleared"], *told.outputs["review"])
    owners, erased = {did(one.headers): (one.key or b"").decode() for one in pieces}, set(erasures(told).values())
    events = {did(one.headers): orjson.loads(one.value or b"")["event_id"] for one in pieces}
    sends = {a.did: f"sends/{told.number}/{a.src.offset}" for a in told.audits if a.stage == "intake"}
    stands: dict[str, str] = {}
    for value in values:
        where = told.number, value["decision_id"]
        right = value["decision_id"] not in events or value["event_id"] == events[value["decision_id"]]
        demand(right, "a result with another event", *where)
        demand(value.get("send") == sends.get(value["decision_id"]), "a result of another send", *where)
        if before := value.get("replaces"):
            stood = stands.pop(before["decision_id"], None)
            forgotten = stood is None and owners.get(before["decision_id"]) in erased  # with the acts about its items
            right = stood == before["outcome"] or forgotten
            demand(right, "a result that replaces what does not stand", *where, before)
        moved = value["outcome"] == "handed_off"  # the decision that cleared it stays the same
        stands[before["decision_id"] if moved and before else value["decision_id"]] = value["outcome"]
    ours = {name for name, outcome in stands.items() if outcome in ("cleared", "handed_off")}
    recalled = {orjson.loads(one.value or b"")["decision_id"] for one in told.outputs["recalls"]}
    cleared = {did(one.headers) for one in told.outputs["cleared"]}
    demand(
        ours == cleared - recalled, "results say otherwise what may go out", told.number, ours ^ (cleared - recalled)
    )
    last = {
        value["event_id"]: value["outcome"] for value in values if "event_id" in value and "duplicate_of" not in value
    }
    stand = {event for event, outcome in last.items() if outcome in ("cleared", "handed_off")}
    going = {events[name] for name in cleared - recalled}
    demand(stand == going, "an event's last result says otherwise", told.number, sorted(stand ^ going)[:5])


def one_audit_record_an_act(told: Told) -> None:
    """Every act has its audit record, and what one act names is done once."""
    topic = told.settings.topic("acts")
    done = Counter(
        (place(audit), audit.act.item if audit.act.kind in ("handoff", "cancel") else "", audit.act.outcome)
        for audit in told.audits
        if audit.src.topic == topic and audit.act is not None
    )
    twice = [one for one, count in done.items() if count > 1]
    demand(not twice, "an act judged twice", told.number, twice[:5])
    demand(not told.unacted(), "an act without audit record", told.number, told.unacted()[:5])


def nobody_acts_unsigned(told: Told) -> None:
    """An act that nobody signed is refused on record, and does nothing."""
    topic = told.settings.topic("acts")
    for audit in told.audits:
        if audit.src.topic == topic and audit.act is not None and audit.act.outcome != "unreadable":
            signed = any(name == HEADER for name, _ in told.acts[place(audit)].headers)
            demand(signed or audit.act.outcome == "refused", "an act of nobody", told.number, audit.did)
            known = audit.act.signed is not None or audit.act.code in ("seen_before", "called_off")
            known = known or audit.act.item is not None  # a piece of a campaign, whose act is on record by itself
            demand(known or not signed, "a signed act is refused", told.number, audit.did, audit.act.code)


def campaigns_are_ended(told: Told) -> None:
    """An act about a campaign is done once each clearance from before it is handed on, or called back."""
    campaigns = {did(one.headers): orjson.loads(one.value or b"")["campaign_id"] for one in told.outputs["cleared"]}
    since = {did(one.headers): one.timestamp for one in told.outputs["cleared"]}
    live, handed, led_to = set[str](), set[str](), dict[str | None, str]()
    for audit in told.audits:
        act, item = audit.act, audit.act.item if audit.act else None
        if audit.did in campaigns and audit.verdict == "clear":
            live.add(audit.did)
            led_to[item] = audit.did
        if audit.stage == "recall" or (act and act.outcome == "recalled"):
            live -= {audit.clearance, item, led_to.get(item) if act and act.kind == "undo" else None}
        elif act and act.outcome == "handed":
            handed.add(item or "")
        elif act and act.kind in ("handoff", "cancel") and act.outcome == "done" and act.code is None:
            before = told.acts[place(audit)].timestamp
            left = {name for name in live if campaigns[name] == audit.campaign and since[name] < before}
            left -= handed if act.kind == "handoff" else set()
            demand(not left, "a campaign is done, and was not", told.number, act.kind, audit.campaign, left)


def lag_tools_see_the_end(kafka: Kafka, told: Told) -> None:
    """After the traffic, the group's offsets are where the partition's last manifest ends, unless they expired."""
    for one in ("sends", "acts"):
        shown = kafka.offset(told.settings.group, TopicPartition(told.settings.topic(one), told.number))
        if shown is not None:
            demand(shown.offset == told.ledger["head"][one], "a lag that stays", told.number, one, shown.offset)


def one_dead_letter_a_fact(kafka: Kafka, settings: Settings, letters: Counter[str]) -> None:
    """Every unreadable fact has one dead letter."""
    wanted = {
        f"{name}/{tp.partition}/{one.offset}"
        for name in FACT_TOPICS
        for tp, log in kafka.logs.items()
        if tp.topic == settings.topic(name)
        for one in log.committed()
        if one.value in SPOILT
    }
    demand(letters.keys() == wanted, "dead letters of facts", sorted(letters.keys() ^ wanted))
    twice = [place for place, count in letters.items() if count > 1]
    demand(not twice, "two dead letters", twice)


def manifests_are_contiguous(told: Told) -> None:
    """Manifests are chained, take every offset once, and prove all audit records in their order."""
    prev, taken = None, {"sends": 0, "acts": 0}
    records, out = iter(told.proofs), Counter[str]()
    dids = iter(told.audits)
    for one in told.manifests:
        value = one.value or b""
        manifest, where = orjson.loads(value), f"manifest {told.number}/{one.offset}"
        demand(manifest["prev"] == prev, "a manifest that is not chained", where)
        prev = sha256(value).hexdigest()
        for part in manifest["in"]:
            name = "sends" if part["topic"] == told.settings.topic("sends") else "acts"
            _range(told, name, part, taken, where)
        for part in manifest.get("skipped", ()):  # behind what the manifest took
            name = "sends" if part["topic"] == told.settings.topic("sends") else "acts"
            demand(part["from"] == taken[name], "a skip from elsewhere", where, name, taken[name], part["from"])
            taken[name] = part["to"]
        held = [proof for _, proof in zip(range(manifest["audit"]["n"]), records, strict=False)]
        ids = [audit.did for _, audit in zip(range(manifest["audit"]["n"]), dids, strict=False)]
        demand(len(held) == manifest["audit"]["n"], "an audit record is missing", where)
        demand(ids[:1] == [one for one in [manifest["audit"]["from_id"]] if one], "another first record", where)
        demand(root(held).hex() == manifest["root"], "a manifest's root", where)
        out.update(manifest["out"])
    demand(next(records, None) is None, "an audit record that no manifest proves", told.number)
    there = {COUNTED[name]: len(found) for name, found in told.outputs.items() if found}
    demand(dict(+out) == there, "other outputs than the manifests count", told.number, dict(+out), there)
    head = told.ledger.get("head")
    if head is not None:
        demand(head["prev"] == prev, "the head's manifest is not the last", told.number)
        demand(head["sends"] == taken["sends"], "the head is elsewhere than the manifests", told.number)


def facts_are_those_of_asof(kafka: Kafka, told: Told, unsettled: set[str]) -> None:
    """The facts below a manifest's `asof` were seen by its decisions, and no later ones.

    `unsettled`: people about whom that cannot be told.
    """
    unsettled = set(unsettled)
    said: dict[str, list[tuple[str, int, int, bool, str]]] = {}
    for name in ("consents", "suppressions"):
        for tp, log in kafka.logs.items():
            for one in log.committed() if tp.topic == told.settings.topic(name) else ():
                if one.value not in SPOILT and (value := orjson.loads(one.value or b""))["kind"] != "delivery":
                    no = name == "suppressions" or value.get("state") == "Withdrawn"
                    when = value.get("event_time") or value.get("received_at")
                    said.setdefault(value["recipient_id"], []).append((name, tp.partition, one.offset, no, when))
                    if log.place(one)[0]:
                        unsettled.add(value["recipient_id"])
    whose = {
        did(one.headers): orjson.loads(one.value or b"")["recipient_id"]
        for name in ("cleared", "review")
        for one in told.outputs[name]
    }
    audits = iter(told.audits)
    for one in told.manifests:
        manifest = orjson.loads(one.value or b"")
        asof = manifest["asof"]
        for audit in [next(audits) for _ in range(manifest["audit"]["n"])]:
            if audit.stage != "intake" or audit.did not in whose or audit.asof is not None:
                continue
            if whose[audit.did] in unsettled:
                continue
            known = [word for word in said.get(whose[audit.did], ()) if word[2] < asof[word[0]][word[1]]]
            nos, yeses = [word[4] for word in known if word[3]], [word[4] for word in known if not word[3]]
            codes = {reason.code for reason in audit.reasons}
            if codes & {"CONSENT_WITHDRAWN", "SUBJECT_OBJECTED"}:
                demand(bool(nos), "a no that its manifest does not know", told.number, audit.src.offset)
            if audit.verdict == "clear" and nos:
                demand(max(yeses) > max(nos), "a no that its manifest knows was not seen", told.number, audit.src)


def _range(told: Told, name: str, part: dict[str, Any], taken: dict[str, int], where: str) -> None:
    demand(part["from"] == taken[name], "a hole between manifests", where, name, taken[name], part["from"])
    taken[name] = part["to"]
    gaps = {offset for gap in part["gaps"] for offset in range(gap["first"], gap["first"] + gap["n"])}
    there = told.sends if name == "sends" else told.acts
    inside = {at for era, at in there if era == part.get("era", 0) and part["from"] <= at < part["to"]}
    demand(not gaps & inside, "a record passed over as a gap", where, name, sorted(gaps & inside)[:5])
    demand(part["n"] == len(inside), "another number of records", where, name, part["n"], len(inside))
    demand(part["n"] + len(gaps) == part["to"] - part["from"], "records and gaps are not the range", where, name)


def ledger_is_what_follows(told: Told, packs: Packs) -> None:
    """The ledger is what the audit records imply, and one terminal act, one release an item."""
    pieces = {}
    for one in (*told.outputs["cleared"], *told.outputs["review"]):
        pieces[did(one.headers)] = Piece.of(orjson.loads(one.value or b""), one.offset)
    entries = {key: value for key, value in told.ledger.items() if key != "head" and not key.startswith("dead/")}
    implied = Implied(packs, pieces, erasures(told))
    try:
        implied.take(told.audits).check(entries, told.ledger["head"]["at"])
    except AssertionError as error:
        differ = {key for key in entries if entries[key].get("act_id") != implied._entries.get(key, {}).get("act_id")}
        missing = implied._entries.keys() - entries.keys()
        where = f"lacks {sorted(missing)[:5]}, has otherwise {sorted(differ)[:5]}"
        raise Broken(f"the ledger of {told.number}: {where}: {str(error)[:500]}") from None


def erasures(told: Told) -> dict[str, str]:
    """Returns whose each erasure is that erased somebody, by its audit record's id; the second one erases nothing."""
    topic, erased, found = told.settings.topic("acts"), set[str](), dict[str, str]()
    readmitting = dict[str, str]()
    for audit in told.audits:
        act = audit.act
        if audit.src.topic == topic and act and act.kind in ("erase", "readmit") and act.outcome == "recorded":
            whose = orjson.loads(told.acts[place(audit)].value or b"")["recipient_id"]
            if act.kind == "readmit":
                if readmitting.setdefault(whose, act.by or "") != act.by:  # the second of two managers
                    erased.discard(whose)
                continue
            readmitting.pop(whose, None)
            if whose not in erased:
                erased.add(whose)
                found[audit.did] = whose
    return found
