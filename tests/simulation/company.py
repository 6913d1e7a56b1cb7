"""The writers outside the gate: the CRM's facts, the platform's sends, and colleagues' acts.

They know only what an outside producer knows: when it began to write, and when Kafka acknowledged it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from gatekeeper.ground.partitioner import partition_of
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.times import instant
from gatekeeper.ledger.refused import Refused
from gatekeeper.ledger.resumption import fingerprint
from gatekeeper.staff import signatures
from schemas.codec import decode, encode
from schemas.topics import FACT_TOPICS, logical_name
from tests.simulation.kafka import Identity
from tests.simulation.log import Refusal, Row
from tests.simulation.loop import EPOCH_MS, Machine
from tests.simulation.network import Network
from tests.support import desk, invented, staff
from tests.support.staff import MANAGERS

CAMPAIGNS = 6
LIST = "B-LIST"
LISTED = ("P-0", "P-1")
"""People who came with a list that can be quarantined, and of whom a feed speaks."""
LIMIT = 8
"""The longest silence of the feed, in seconds here, and in minutes in its record."""
PLAIN, YOUNG, BOUGHT, STRANGERS = 6, 2, 2, 1
SHARES = {"plain": 4, "young": 3, "bought": 2, "stranger": 1}
"""The weight of each kind of people among the sends."""
OPEN_MS = 15_000
FORGED = 0.05
"""Share of the acts that nobody signs."""
GONE, REPLACED = "error.facts_made_again", "error.input_replaced"
"""The refusals of a partition whose facts are gone, or whose input is another log."""
SPOILT = (b"{", b"[1]", b'{"v":7}')
"""Values that nobody can read."""


@dataclass
class Word:
    """A person's word: a no or a yes, when it was begun to be written, and when it was acknowledged (None: never).

    Times are seconds of the loop. `void`: it was written in a transaction that was aborted.
    """

    no: bool
    begun: float
    acknowledged: float | None = None
    void: bool = False


@dataclass
class Person:
    """A recipient, and all their words."""

    id: str
    kind: str
    words: list[Word] = field(default_factory=list)
    erased: bool = False


class Company:
    """Publishes, each record once; whatever is not acknowledged may be there or not."""

    def __init__(self, settings: Settings, network: Network, random: Random, tell: Callable[[str], None]) -> None:
        self.settings, self.network, self.random = settings, network, random
        self.machine = Machine("company")
        self.people: dict[str, Person] = {}
        self.open: list[_Transaction] = []
        """Transactions of others that are open at the moment."""
        self.lost: list[tuple[TopicPartition, ConsumerRecord]] = []
        """Facts that were acknowledged and are gone from their log, until they are written again."""
        self.unsettled: set[str] = set()
        """People with facts on a log that was put back: what a manifest knew of them cannot be told any more."""
        self.delivered: list[float] | None = None
        """The instants at which the feed's deliveries were begun to be written; None without a feed."""
        self._returning = False
        self._tell, self._number, self._names = tell, 0, 0
        kinds = ["plain"] * PLAIN + ["young"] * YOUNG + ["bought"] * BOUGHT + ["stranger"] * STRANGERS
        for number, kind in enumerate(kinds):
            self.people[f"P-{number}"] = Person(f"P-{number}", kind)

    def begin(self) -> None:
        """Writes what is known before anything is sent."""
        for topic, value in invented.REFERENCE:
            self._put(topic, f"{value['kind']}/{value.get('id') or value.get('terms_id')}", value)
        for person in self.people.values():
            whose = {"recipient_id": person.id}
            if person.kind == "stranger":
                continue
            bought = {**desk.BROKER, "contact_points": [{"id": "cp-1", "written": _home(person)}]}
            more: dict[str, Any] = {"young": {"may_be_minor": True}, "bought": bought}.get(person.kind, {})
            if person.id in LISTED:
                more = {"batch_id": LIST}
            self._put(*_keyed(invented.source(**{**more, **whose})))
            if person.kind != "bought":
                self._put(*_keyed(invented.consent(**whose, event_time="2024-05-01")))

        origin, tp = self.settings.group, self._where("reference", "staff")
        lines = staff.founding(at=self.now(), origin=origin, ids=(f"F-{number}" for number in itertools.count()))
        for key, bytes_ in lines:
            self.network.kafka.produce(None, None, tp, [(key.encode(), bytes_, ())])

    def _put(self, topic: str, key: str, value: dict[str, Any]) -> None:
        tp = self._where(topic, key)
        self.network.kafka.produce(None, None, tp, [(key.encode(), orjson.dumps(value), ())])

    def _signed(self, key: str, value: dict[str, Any]) -> Row:
        """An act, signed by the person who acts; now and then nobody signs it."""
        act = decode("acts", None, orjson.dumps(value))
        if self.random.random() < FORGED:
            return key.encode(), encode(act), []
        blind = f"{self.random.getrandbits(128):032x}"
        person = staff.key(value["by"])
        header = signatures.of_act(act, person, origin=self.settings.group, at=self.now(), blind=blind)
        return key.encode(), encode(act), [header]

    def _endorsed(self, key: str, value: dict[str, Any]) -> list[Row]:
        """A record of `reference`, with a manager's signature behind it."""
        lines = staff.signed(
            (key, orjson.dumps(value)), "hanako", at=self.now(), origin=self.settings.group, ids=[f"G-{self.number()}"]
        )
        return [(name.encode(), bytes_, ()) for name, bytes_ in lines]

    def _where(self, topic: str, key: str) -> TopicPartition:
        name = self.settings.topic(topic)
        count = sum(tp.topic == name for tp in self.network.kafka.logs)
        return TopicPartition(name, partition_of(key.encode(), count))

    def anybody(self, *kinds: str) -> Person:
        """Returns some person."""
        return self.random.choice([one for one in self.people.values() if not kinds or one.kind in kinds])

    def willing(self) -> Person:
        """Returns somebody who may be written to as far as we know, if there is anybody."""
        known = [one for one in self.people.values() if one.kind == "plain" and not one.erased]
        found = [one for one in known if not one.words or not one.words[-1].no]
        return self.random.choice(found or known or list(self.people.values()))

    def number(self) -> int:
        """Returns a new number."""
        self._number += 1
        return self._number

    def now(self) -> str:
        """Returns the time by Kafka's clock, as events write it."""
        return instant(EPOCH_MS + int(asyncio.get_running_loop().time() * 1000))

    def say(self, person: Person, *, no: bool) -> tuple[str, str, dict[str, Any]]:
        """Returns the record of a no or of a yes of now."""
        number, whose = self.number(), {"recipient_id": person.id}
        if no and self.random.random() < 0.15:
            event = invented.suppression(**whose, suppression_id=f"X-{number}", received_at=self.now())
        else:
            more: dict[str, Any] = {"event_time": self.now(), "recorded_at": self.now(), "record_id": f"R-{number}"}
            if no:
                more |= {
                    "state": "Withdrawn",
                    "purpose": "*",
                    "channels": None,
                    "notice_id": None,
                    "evidence_ref": None,
                }
            event = invented.consent(**whose, **more)
        return _keyed(event)

    def sends(self, count: int) -> list[Row]:
        """Returns new sends, a few of them the same piece again, or unreadable."""
        found: list[Row] = []
        for _ in range(count):
            (person,) = self.random.choices(
                list(self.people.values()), [SHARES[one.kind] for one in self.people.values()]
            )
            number = self.number()
            value = orjson.dumps(self._send(person, number))
            key: bytes | None = person.id.encode()
            if self.random.random() < 0.05:
                value = self.random.choice([b"{", b"", b'{"v":1}', value[:-1]])
            if self.random.random() < 0.05:
                key = None
            found.append((key, value, [("platform", b"x")]))
        return found

    def _send(self, person: Person, number: int) -> dict[str, Any]:
        campaign = self.random.randint(1, CAMPAIGNS) if self.random.random() < 0.3 else number
        more: dict[str, Any] = {"delivery": _home(person)} if person.kind == "bought" else {}
        return invented.send(event_id=f"E-{number}", recipient_id=person.id, campaign_id=f"K-{campaign}", **more)

    def placed(self, topic: str, rows: list[Row]) -> list[tuple[TopicPartition, list[Row]]]:
        """Returns rows by the partition of their keys; what has none goes anywhere."""
        found: dict[TopicPartition, list[Row]] = {}
        for row in rows:
            key = row[0] if row[0] is not None else b"%d" % self.random.randrange(9)
            found.setdefault(self._where(topic, key.decode()), []).append(row)
        return list(found.items())

    def write(
        self, topic: str, rows: list[Row], word: Word | None = None, then: Callable[[], None] | None = None
    ) -> None:
        """Publishes records, without a transaction; `then` is called once they are acknowledged."""
        self.machine.run(self._written(topic, rows, word, then))

    async def _written(self, topic: str, rows: list[Row], word: Word | None, then: Callable[[], None] | None) -> None:
        for tp, held in self.placed(topic, rows):
            try:
                await self.network.ask("Produce", self._produced(None, None, tp, held))
            except KafkaError:
                continue
            if word is not None:
                word.acknowledged = asyncio.get_running_loop().time()
        if then is not None:
            asyncio.get_running_loop().call_later(0.002, then)

    def _produced(
        self, name: str | None, who: Identity | None, tp: TopicPartition, rows: list[Row]
    ) -> Callable[[], int]:
        def append() -> int:
            offset = self.network.kafka.produce(name, who, tp, rows)
            self.network.appended(tp)
            return offset

        return append

    def transact(
        self,
        parts: list[tuple[TopicPartition, list[Row]]],
        *,
        commit: bool,
        seconds: float,
        words: list[Word] | None = None,
        then: Callable[[], None] | None = None,
    ) -> None:
        """Publishes records in a transaction of our own, which stays open for so long."""
        self._names += 1
        found = _Transaction(self, f"company-{self._names}", parts, commit, seconds, words or [], then)
        self.machine.run(found.run())

    def act(self, item: ConsumerRecord, kind: str, **more: Any) -> tuple[TopicPartition, Row]:
        """Returns an act about an item of `review`."""
        named = invented.named_item(item.value, item.headers, item.partition, item.offset)
        value = invented.item_act(kind, named, **{"act_id": f"A-{self.number()}", "at": self.now(), **more})
        tp = TopicPartition(self.settings.topic("acts"), item.partition)
        return tp, self._signed(named["recipient_id"], value)

    def campaign(self, kind: str, campaign: str) -> list[tuple[TopicPartition, list[Row]]]:
        """Returns an act about a campaign, one record a partition."""
        value = {"v": 1, "kind": kind, "act_id": f"A-{self.number()}", "at": self.now(), "by": "hanako",
                 "subject": f"campaign/{campaign}"}  # fmt: skip
        return self._everywhere(value["subject"], value)

    def erase(self, person: Person, kind: str) -> list[tuple[TopicPartition, list[Row]]]:
        """Returns the act of an erasure, or the two of a return, one record a partition."""
        value = {"v": 1, "kind": kind, "at": self.now(), "recipient_id": person.id}
        people = MANAGERS if kind == "readmit" else MANAGERS[:1]
        acts = ({**value, "by": by, "act_id": f"A-{self.number()}"} for by in people)
        return [row for act in acts for row in self._everywhere(person.id, act)]

    def _everywhere(self, key: Any, value: dict[str, Any]) -> list[tuple[TopicPartition, list[Row]]]:
        row = self._signed(str(key), value)
        topic = self.settings.topic("acts")
        return [(TopicPartition(topic, number), [row]) for number in range(self.settings.partitions)]

    def resumption(self, number: int, by: str = "hanako") -> tuple[TopicPartition, Row] | None:
        """Returns the act by which a person lets a partition go on; None for one that no act lets go on.

        That is one that retention has overtaken, or one that stands at a record of which two people must say this. Or
        facts are gone, and all of them are back. Or an input was put back: it is taken anew from there.
        """
        kafka, settings, note = self.network.kafka, self.settings, self.note(number)
        sends, acts, ledger = (TopicPartition(settings.topic(name), number) for name in ("sends", "acts", "ledger"))
        if note is None or not (note.record or note.key in (GONE, REPLACED, "error.sends_expired")):
            return None
        if note.key == GONE and self.lost:
            return None
        head = next(one.value for one in reversed(kafka.logs[ledger].committed()) if one.key == b"head")
        at = orjson.loads(head or b"")
        behind = {"sends": max(at["sends"], kafka.logs[sends].begin), "acts": at["acts"]}
        if note.record is not None:
            behind["acts" if note.record[0] == acts.topic else "sends"] = note.record[1] + 1
        for tp in (sends, acts) if note.key == REPLACED else ():
            name, log = logical_name(tp.topic), kafka.logs[tp]
            if len(log.losses) > at.get("eras", {}).get(name, 0):
                behind[name] = max(log.losses[-1][0], log.begin)
        value = {"v": 1, "kind": "resume_partition", "act_id": f"A-{self.number()}", "at": self.now(), "by": by,
                 "subject": f"partition/{number}", "refused": note.key, "head": fingerprint(head, note.key),
                 **behind}  # fmt: skip
        return acts, self._signed(value["subject"], value)

    def resume(self, number: int) -> bool:
        """Lets a partition go on, if an act does; two people write it.

        If it says that facts are gone, these are brought back first. True if anything was written.
        """
        note = self.note(number)
        if self.lost and note is not None and note.key == GONE and not self._returning:
            self.machine.run(self._brought_back())
        acts = [act for by in ("hanako", "taro") if (act := self.resumption(number, by))]
        for tp, row in acts:
            self.put(tp, [row])
        return bool(acts or self.lost)

    def note(self, number: int) -> Refused | None:
        """Returns why a partition is refused, None if it is not."""
        known = self.network.kafka.offset(self.settings.group, TopicPartition(self.settings.topic("sends"), number))
        return Refused.decode(known.metadata) if known and known.metadata else None

    def lose(self, tp: TopicPartition, records: list[ConsumerRecord]) -> None:
        """Takes note of facts that are gone from their log, and of whom they are about."""
        self.lost += [(tp, one) for one in records]
        self.unsettled |= {orjson.loads(one.value or b"").get("recipient_id", "") for one in records}

    async def _brought_back(self) -> None:
        """Writes the facts that are gone once more, in their order, each until it is acknowledged."""
        self._returning = True
        while self.lost:
            tp, one = self.lost[0]
            with suppress(KafkaError):
                row = (one.key, one.value, one.headers)
                await self.network.ask("Produce", self._produced(None, None, tp, [row]))
                self.lost.remove((tp, one))
        self._returning = False

    def put(self, tp: TopicPartition, rows: list[Row]) -> None:
        """Publishes records to one partition, without a transaction."""
        self.machine.run(self._put_rows(tp, rows))

    async def _put_rows(self, tp: TopicPartition, rows: list[Row]) -> None:
        with suppress(KafkaError):
            await self.network.ask("Produce", self._produced(None, None, tp, rows))

    def spoilt(self) -> tuple[str, Row]:
        """Returns a record that nobody can read, for a topic of facts or for `acts`."""
        topic = self.random.choice([*FACT_TOPICS[:3], "acts"])
        person = self.random.choice([*self.people][-5:])
        return topic, (person.encode(), self.random.choice(SPOILT), ())

    def quarantine(self, *, end: bool) -> None:
        """Quarantines the list, or ends that: a no, or a yes, of all who came with it."""
        word = Word(not end, asyncio.get_running_loop().time())
        for name in LISTED:
            self.people[name].words.append(word)
        _, value = invented.batch(id=LIST, **({} if end else {"state": "quarantined"}))
        self.write("reference", self._endorsed(f"batch/{LIST}", value), word)

    def deliver(self) -> None:
        """Says that the feed has told everything up to now."""
        assert self.delivered is not None
        self.delivered.append(asyncio.get_running_loop().time())
        _, value = invented.delivery(delivery_id=f"F-{self.number()}", at=self.now(), recorded_at=None)
        self.write("consents", [(b"crm", orjson.dumps(value), ())])

    def register(self, **fields: Any) -> None:
        """Registers the feed of the company's CRM, whatever the network does."""
        self.delivered = []
        _, value = invented.feed(rhythm="PT1M", limit=f"PT{LIMIT}M", **fields)
        self.network.kafka.produce(None, None, self._where("reference", "feed/crm"), self._endorsed("feed/crm", value))

    def resolve(self, topic: str, partition: int, offset: int) -> None:
        """Says that an unreadable record has been dealt with."""
        value = {"v": 1, "kind": "resolution", "id": f"Z-{self.number()}", "topic": topic, "partition": partition,
                 "offset": offset, "by": "hanako", "reason": "looked at", "at": self.now()}  # fmt: skip
        self.write("reference", self._endorsed(f"resolution/{value['id']}", value))


class _Transaction:
    """One transaction of somebody else."""

    def __init__(
        self,
        company: Company,
        name: str,
        parts: list[tuple[TopicPartition, list[Row]]],
        commit: bool,
        seconds: float,
        words: list[Word],
        then: Callable[[], None] | None,
    ) -> None:
        self._then = then
        self._company, self._name, self._parts = company, name, parts
        self._commit, self._seconds, self._words = commit, seconds, words

    async def run(self) -> None:
        company, name = self._company, self._name
        kafka, network = company.network.kafka, company.network
        loop = asyncio.get_running_loop()
        try:
            who = await network.ask("InitProducerId", lambda: kafka.init(name, OPEN_MS))
            await network.ask("AddPartitionsToTxn", lambda: kafka.add(name, who, [tp for tp, _ in self._parts]))
            for tp, rows in self._parts:
                await network.ask("Produce", company._produced(name, who, tp, rows))
            company.open.append(self)
            await asyncio.sleep(self._seconds)
            company.open.remove(self)

            def end() -> None:
                kafka.end(name, who, commit=self._commit)
                network.decided(name)

            if not self._commit:
                for word in self._words:
                    word.void = True
            await network.ask("EndTxn", end)
        except (KafkaError, Refusal):
            return  # left open; Kafka ends it
        if self._commit:
            for word in self._words:
                word.acknowledged = loop.time()
        if self._then is not None:
            loop.call_later(0.002, self._then)


def _keyed(event: invented.Event) -> tuple[str, str, dict[str, Any]]:
    topic, value = event
    return topic, value["recipient_id"], value


def _home(person: Person) -> dict[str, Any]:
    """Returns the address of somebody whose data was bought: a no would bind all who share one (rule 8.1.36)."""
    return {**desk.DELIVERY, "lines": [f"緑山県若葉市青葉町1-2-{person.id.removeprefix('P-')}"]}
