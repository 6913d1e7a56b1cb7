"""The steps of a simulation: what people do, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from random import Random

import orjson
from aiokafka import ConsumerRecord, TopicPartition

from gatekeeper.ledger.head import Head
from schemas.topics import FACT_TOPICS, logical_name
from tests.simulation.company import CAMPAIGNS, LIST, SPOILT, Person, Word
from tests.simulation.log import Log, Row
from tests.simulation.network import FATES
from tests.simulation.simulation import Simulation
from tests.simulation.worker import RETENTION_MS, Worker

REQUESTS = ("InitProducerId", "AddPartitionsToTxn", "Produce", "TxnOffsetCommit", "EndTxn", "ListOffsets")
DOWN = 0.4
"""The share of losses of facts in which the workers' machines go down with the broker."""
KINDS = ("release", "uphold", "ask", "redecide", "undo", "note", "approve")


class Driver:
    """Draws one step after the other from `random`."""

    def __init__(self, simulation: Simulation, random: Random) -> None:
        self.it, self.random = simulation, random
        self.company, self.network = simulation.company, simulation.network
        self.company.register(lists=[LIST])
        self.pause = 0.0
        self.steps: list[tuple[Callable[[], str], int]] = [
            (self.send, 30),
            (self.send_in_a_transaction, 6),
            (self.say_no, 6),
            (self.say_no_unheard, 6),
            (self.say_yes, 12),
            (self.say_in_a_transaction, 5),
            (self.act, 12),
            (self.act_on_a_campaign, 3),
            (self.spoil, 1),
            (self.resolve, 1),
            (self.quarantine, 1),
            (self.erase, 1),
            (self.deliver, 2),
            (self.crash, 3),
            (self.stop, 1),
            (self.halt, 3),
            (self.overtake, 1),
            (self.resume, 4),
            (self.plan_a_fate, 10),
            (self.late_commit, 3),
            (self.trouble, 2),
            (self.withhold_facts, 4),
            (self.depose, 4),
            (self.depose_and_say_no, 3),
            (self.lose_chunks, 2),
            (self.rebalance, 2),
            (self.jump_the_clock, 1),
            (self.compact, 3),
            (self.forget_offsets, 1),
            (self.wait, 8),
        ]

        if simulation.lossy:
            self.steps += [(self.say_no_and_put_back, 6), (self.make_again, 1), (self.put_input_back, 2)]
            self.steps += [(self.make_input_again, 1), (self.resume, 8)]

    async def drive(self, steps: int) -> None:
        """Takes so many steps, with some time between them."""
        does, weights = zip(*self.steps, strict=True)
        for _ in range(steps):
            (step,) = self.random.choices(does, weights)
            if said := step():
                self.it.tell(said)
            await asyncio.sleep(self.pause or self.random.choice((0.0, 0.001, 0.005, 0.02, 0.05, 0.2, 0.5)))
            self.pause = 0.0
            self.it.watch()
        self.it.tell("the last step is taken")

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Has something done after so many seconds."""
        self.it.loop.call_later(seconds, call)

    def send(self) -> str:
        rows = self.company.sends(self.random.randint(1, 4))
        self.company.write("sends", rows)
        return f"{len(rows)} sends"

    def send_in_a_transaction(self) -> str:
        parts = self.company.placed("sends", self.company.sends(self.random.randint(1, 4)))
        commit, seconds = self.random.random() < 0.6, self.random.choice((0.0, 0.01, 0.1, 1.0))
        self.company.transact(parts, commit=commit, seconds=seconds)
        return f"sends in a transaction of {seconds} s, {'committed' if commit else 'aborted'}"

    def say_no(self) -> str:
        return self._say(no=True)

    def say_yes(self) -> str:
        return self._say(no=False)

    def _say(self, *, no: bool, person: Person | None = None) -> str:
        person = person or self.company.anybody("plain", "young", "bought")
        word = Word(no, self.it.loop.time())
        person.words.append(word)
        topic, key, value = self.company.say(person, no=no)
        then = (lambda: self._send_to(person.id)) if self.random.random() < 0.7 else None  # sends go on
        self.company.write(topic, [(key.encode(), orjson.dumps(value), ())], word, then)
        return f"{person.id} says {'no' if no else 'yes'}"

    def say_no_unheard(self) -> str:
        """Somebody says no, and workers hear of it late."""
        seconds = self.random.choice((0.05, 0.5, 4.0, 4.0, 12.0))
        workers = [one for one in self.it.workers if self.random.random() < 0.9]
        for worker in workers:
            for topic in ("consents", "suppressions"):
                self.network.withhold(worker.name, self.it.settings.topic(topic), seconds)
        names = " and ".join(worker.name for worker in workers) or "nobody"
        return f"{names} hears late, {self._say(no=True, person=self.company.willing())}"

    def _send_to(self, person: str) -> None:
        company = self.company
        value = company._send(company.people[person], company.number())
        company.write("sends", [(person.encode(), orjson.dumps(value), ())])

    def say_in_a_transaction(self) -> str:
        person, no = self.company.anybody("plain", "young"), self.random.random() < 0.7
        word = Word(no, self.it.loop.time())
        person.words.append(word)
        topic, key, value = self.company.say(person, no=no)
        parts = self.company.placed(topic, [(key.encode(), orjson.dumps(value), ())])
        commit, seconds = self.random.random() < 0.6, self.random.choice((0.0, 0.01, 0.3, 3.0, 20.0))
        self.company.transact(
            parts, commit=commit, seconds=seconds, words=[word], then=lambda: self._send_to(person.id)
        )
        said = "no" if no else "yes"
        return f"{person.id} says {said} in a transaction of {seconds} s, {'committed' if commit else 'aborted'}"

    def _items(self) -> list[ConsumerRecord]:
        """Returns the newest items of one partition of `review`."""
        number = self.random.randrange(self.it.settings.partitions)
        log = self.it.kafka.logs[TopicPartition(self.it.settings.topic("review"), number)]
        return log.committed(max(0, log.stable - 40))

    def act(self) -> str:
        items = self._items()
        if not items:
            return ""
        open_ = [one for one in items if dict(one.headers)["gate-verdict"] != b"block"]
        item = self.random.choice(open_ if open_ and self.random.random() < 0.9 else items)
        kinds = self.random.choices(KINDS, (8, 2, 3, 3, 2, 1, 1), k=self.random.randint(1, 2))
        acts = [self.company.act(item, kind) for kind in kinds]
        acts *= self.random.choice((1, 1, 1, 2))  # the same act once more
        for tp, row in acts:
            self.company.put(tp, [row])
        return f"{' and '.join(kinds)} of review {item.partition}/{item.offset}, {len(acts)} records"

    def act_on_a_campaign(self) -> str:
        kind, campaign = self.random.choice(("handoff", "handoff", "cancel")), f"K-{self.random.randint(1, CAMPAIGNS)}"
        self.company.transact(self.company.campaign(kind, campaign), commit=True, seconds=0.0)
        return f"{kind} of {campaign}"

    def spoil(self) -> str:
        topic, row = self.company.spoilt()
        self.company.write(topic, [row])
        return f"a record of {topic} that nobody can read"

    def resolve(self) -> str:
        topic = self.random.choice(FACT_TOPICS[:3])
        name = self.it.settings.topic(topic)
        spoilt = [
            (tp, one.offset)
            for tp, log in self.it.kafka.logs.items()
            if tp.topic == name
            for one in log.committed()
            if one.value in SPOILT
        ]
        if not spoilt:
            return ""
        tp, offset = self.random.choice(spoilt)
        self.company.resolve(topic, tp.partition, offset)
        return f"{topic}/{tp.partition}/{offset} is dealt with"

    def deliver(self) -> str:
        self.company.deliver()
        return "the feed delivers"

    def quarantine(self) -> str:
        end = self.random.random() < 0.6
        self.company.quarantine(end=end)
        return "the list is free again" if end else "the list is quarantined"

    def erase(self) -> str:
        erased = [one for one in self.company.people.values() if one.erased]
        back = bool(erased) and self.random.random() < 0.6
        person = self.random.choice(erased) if back else self.company.anybody("plain")
        person.erased = not back
        self.company.transact(self.company.erase(person, "readmit" if back else "erase"), commit=True, seconds=0.0)
        return f"{'readmit' if back else 'erase'} {person.id}"

    def _worker(self) -> Worker | None:
        up = [one for one in self.it.workers if one.up and not one.machine.halted]
        return self.random.choice(up) if up else None

    def crash(self) -> str:
        if (worker := self._worker()) is None:
            return ""
        worker.kill()
        return f"kill {worker.name}"

    def stop(self) -> str:
        if (worker := self._worker()) is None:
            return ""
        worker.machine.run(worker.stop())
        return f"stop {worker.name}"

    def overtake(self) -> str:
        number = self.random.randrange(self.it.settings.partitions)
        sends = self.it.kafka.logs[TopicPartition(self.it.settings.topic("sends"), number)]
        head = self.it.heads().get(number)
        if head is None or not self._goes_on("sends", number, head):
            return ""  # nobody has begun, so nothing is skipped
        sends.delete(head.sends + self.random.randint(1, 3))
        return f"sends/{number} begins at {sends.begin}"

    def say_no_and_put_back(self) -> str:
        """Somebody says no, and a little later that may be lost."""

        def put_back() -> None:
            if said := self.put_back():
                self.it.tell(said)

        self.later(self.random.uniform(0.5, 4.0), put_back)
        return self._say(no=True, person=self.company.willing())

    def put_back(self) -> str:
        """A broker is put back to an older state, in which a log of facts was shorter, and takes records again.

        Some partition's head names what is gone, and each worker at work has applied it. Before that nobody could know.
        """
        tp = self.random.choice(self._fact_logs())
        log = self.it.kafka.logs[tp]
        heads = self.it.heads().values()
        known = [head.facts[logical_name(tp.topic)]["at"][tp.partition] for head in heads if head.facts]
        nos = [one.offset for one in log.committed() if one.offset < min(known, default=0) and self._refuser(one)]
        cuts = log.ends(log.begin, max(nos, default=-1))[-5:]
        if len(known) < self.it.settings.partitions or not cuts or not self._may_lose([tp], cuts[0]):
            return ""
        cut, end = self.random.choice(cuts), log.end
        if self.random.random() < DOWN:  # the workers' machines went down with it
            for worker in self.it.workers:
                if not worker.machine.dead:
                    worker.kill()
        self._lose(tp, log.put_back(cut))
        self.network.restarted()
        if self.random.random() < 0.7:
            self._fill(tp, end + self.random.randint(0, 2) - cut)
        return f"{tp.topic}/{tp.partition} is put back to {cut}"

    def _lose(self, tp: TopicPartition, records: list[ConsumerRecord]) -> None:
        """Takes note of facts that are gone, and sends something later to whom a no that is gone is about."""
        self.company.lose(tp, records)
        for person in sorted({person.id for one in records if (person := self._refuser(one))}):
            self.later(self.random.uniform(1.0, 20.0), partial(self._send_to, person))

    def _refuser(self, fact: ConsumerRecord) -> Person | None:
        """Returns whose no a fact may be that still binds, if it is of somebody whose mail would be cleared else."""
        if fact.value in SPOILT:
            return None
        value = orjson.loads(fact.value or b"")
        if value["kind"] == "delivery":
            return None
        no, person = (
            "suppression_id" in value or value.get("state") == "Withdrawn",
            self.company.people[value["recipient_id"]],
        )
        binds = no and person.kind == "plain" and not person.erased and bool(person.words) and person.words[-1].no
        return person if binds else None

    def _fill(self, tp: TopicPartition, count: int) -> None:
        """Has people speak until a log has so many more records: the first says no, and is sent to later."""
        others = [one for one in self.company.people.values() if one.kind in ("young", "bought")]
        for person in (self.company.willing(), *others * 3 * count):
            no = person.kind == "plain" or logical_name(tp.topic) == "suppressions"
            topic, key, value = self.company.say(person, no=no)
            if not count or self.company.placed(topic, [(key.encode(), None, ())])[0][0] != tp:
                continue
            now, count = self.it.loop.time(), count - 1
            person.words.append(Word(no, now, acknowledged=now))
            self._append(tp, [(key.encode(), orjson.dumps(value), ())])
            self.later(self.random.uniform(1.0, 20.0), partial(self._send_to, person.id))

    def _append(self, tp: TopicPartition, rows: list[Row]) -> None:
        """Has a broker that was down take records before any worker reaches it."""
        if rows:
            self.it.kafka.produce(None, None, tp, rows)
            self.network.appended(tp)

    def make_again(self) -> str:
        """A topic of facts is deleted and made again."""
        topic = self.random.choice(self._fact_logs()).topic
        tps = [tp for tp in self.it.kafka.logs if tp.topic == topic]
        if len(self.it.heads()) < self.it.settings.partitions or not self._may_lose(tps, 0):
            return ""
        for tp, records in self.it.kafka.make_again(topic).items():
            self._lose(tp, records)
        self.network.restarted()
        return f"{topic} is made again"

    def put_input_back(self) -> str:
        """A broker is put back to an older state, in which an input was shorter, and takes records again.

        What was decided last is gone. Before that nobody could know.
        """
        name, number = (
            self.random.choice(("sends", "sends", "acts")),
            self.random.randrange(self.it.settings.partitions),
        )
        log = self.it.kafka.logs[TopicPartition(self.it.settings.topic(name), number)]
        cuts, end = log.ends(log.begin, self._last_decided(name, number)), log.end
        if not cuts:
            return ""
        cut = self.random.choice(cuts)
        log.put_back(cut)
        self.network.restarted()
        if self.random.random() < 0.7:
            self._fill_input(log, end + self.random.randint(0, 2) - cut)
        return f"{name}/{number} is put back to {cut}"

    def make_input_again(self) -> str:
        """The topic of sends or of acts is deleted and made again."""
        name = self.random.choice(("sends", "sends", "acts"))
        if any(self._last_decided(name, number) < 0 for number in range(self.it.settings.partitions)):
            return ""
        topic = self.it.settings.topic(name)
        self.it.kafka.make_again(topic)
        self.network.restarted()
        for tp, log in self.it.kafka.logs.items():
            if tp.topic == topic and self.random.random() < 0.7:
                self._fill_input(log, log.losses[-1][1][-1].offset + self.random.randint(0, 2))
        return f"{name} is made again"

    def _last_decided(self, name: str, number: int) -> int:
        """Returns the last offset of an input by which it is known again; -1 if it cannot be lost now.

        It cannot if the partition is refused, as one act would count for two losses.
        """
        log, head = (
            self.it.kafka.logs[TopicPartition(self.it.settings.topic(name), number)],
            self.it.heads().get(number),
        )
        if head is None or name not in head.last or log.open or self.company.note(number) is not None:
            return -1
        return head.last[name][0] if self._goes_on(name, number, head) else -1

    def _goes_on(self, name: str, number: int, head: Head) -> bool:
        """Tells whether people have said how to go on since an input was lost."""
        log = self.it.kafka.logs[TopicPartition(self.it.settings.topic(name), number)]
        return len(log.losses) == head.eras.get(name, 0)

    def _fill_input(self, log: Log, count: int) -> None:
        """Publishes so many records to a partition of an input."""
        if logical_name(log.tp.topic) == "sends":
            rows = dict(self.company.placed("sends", self.company.sends(3 * count))).get(log.tp, [])[:count]
        else:
            items = self.it.kafka.logs[TopicPartition(self.it.settings.topic("review"), log.tp.partition)].committed()
            rows = [self.company.act(self.random.choice(items), "note")[1] for _ in range(count) if items]
        self._append(log.tp, rows)

    def _fact_logs(self) -> list[TopicPartition]:
        names = [self.it.settings.topic(name) for name in ("consents", "suppressions")]
        return [tp for tp in self.it.kafka.logs if tp.topic in names]

    def _may_lose(self, tps: list[TopicPartition], first: int) -> bool:
        """Tells whether the records from `first` on can be lost: nobody reads them now, or would miss a dead letter.

        What people say of an earlier loss would count for this one, too.
        """
        logs = [self.it.kafka.logs[tp] for tp in tps]
        spoilt = any(one.value in SPOILT for log in logs for one in log.committed(first))
        booting = any(not (one.machine.dead or one.up) for one in self.it.workers)
        up = [one.followers._positions for one in self.it.workers if one.up]
        applied = all(positions.get(log.tp) == log.end for positions in up for log in logs)
        refused = any(self.company.note(number) for number in range(self.it.settings.partitions))
        back = not refused and not self.company.lost
        return back and not spoilt and not booting and applied and not any(log.open for log in logs)

    def resume(self) -> str:
        number = self.random.randrange(self.it.settings.partitions)
        return f"partition {number} is to go on" if self.company.resume(number) else ""

    def halt(self) -> str:
        if (worker := self._worker()) is None:
            return ""
        machine, seconds = worker.machine, self.random.choice((0.01, 0.1, 1.0, 4.0, 12.0, 25.0))
        machine.halt()

        def go_on() -> None:
            if machine.halted:
                machine.go_on()
                self.it.tell(f"{machine.name} goes on")
                self.later(self.random.uniform(0.0, 3.0), lambda: self.it.beside(self.it.group.heard(worker)))

        self.later(seconds, go_on)
        return f"halt {worker.name} for {seconds} s"

    def plan_a_fate(self) -> str:
        if (worker := self._worker()) is None:
            return ""
        request, fate = self.random.choice(REQUESTS), self.random.choice(FATES)
        self.network.planned.setdefault((worker.name, request), deque()).append(fate)
        return f"the next {request} of {worker.name} is {fate}"

    def late_commit(self) -> str:
        """A commit is on its way while the next transactions begin."""
        if (worker := self._worker()) is None:
            return ""
        self.network.planned.setdefault((worker.name, "EndTxn"), deque()).append("late")
        for number in range(10):
            self.later(number * 0.03, lambda: self.company.write("sends", self.company.sends(1)))
        return f"the next EndTxn of {worker.name} is late, and sends come all the time"

    def trouble(self) -> str:
        self.network.trouble = self.random.choice((0.01, 0.05, 0.2))
        self.later(self.random.uniform(0.5, 6.0), lambda: setattr(self.network, "trouble", 0.0))
        return f"{self.network.trouble:.0%} of all requests have a fate"

    def withhold_facts(self) -> str:
        if (worker := self._worker()) is None:
            return ""
        topic, seconds = self.random.choice(FACT_TOPICS), self.random.choice((0.2, 1.0, 3.0, 15.0))
        self.network.withhold(worker.name, self.it.settings.topic(topic), seconds)
        return f"{worker.name} hears nothing of {topic} for {seconds} s"

    def depose_and_say_no(self) -> str:
        """Somebody says no to the new leader, and workers are with the old one."""
        names = [self.it.settings.topic(name) for name in ("consents", "suppressions")]
        deposed = [self.depose(tp) for tp in self.it.kafka.logs if tp.topic in names]
        return f"{', '.join(deposed)}, and {self._say(no=True, person=self.company.willing())}"

    def depose(self, tp: TopicPartition | None = None) -> str:
        tp = tp or self.random.choice([*self.it.kafka.logs])
        log, seconds = self.it.kafka.logs[tp], self.random.choice((0.1, 1.0, 5.0))
        log.depose()
        epoch = log.leader_epoch

        def hear() -> None:
            if log.leader_epoch == epoch:
                log.hear()
                self.network.appended(tp)

        self.later(seconds, hear)
        return f"{tp.topic}/{tp.partition} has a new leader, of which the old one hears in {seconds} s"

    def lose_chunks(self) -> str:
        worker = self.random.choice(self.it.workers)
        worker.loses = self.random.choice((0.1, 0.5, 1.0))
        self.later(self.random.uniform(0.1, 3.0), lambda: setattr(worker, "loses", 0.0))
        return f"{worker.name} loses {worker.loses:.0%} of its chunks"

    def rebalance(self) -> str:
        self.it.group.changed()
        return "the group deals out anew"

    def jump_the_clock(self) -> str:
        machine = self.random.choice(self.it.workers).machine
        machine.skew_ms = self.random.choice((-600_000, -2_000, 2_000, 600_000))
        self.later(self.random.uniform(0.5, 8.0), lambda: setattr(machine, "skew_ms", 0))
        return f"the clock of {machine.name} jumps by {machine.skew_ms} ms"

    def compact(self) -> str:
        number = self.random.randrange(self.it.settings.partitions)
        topic = self.random.choice(("ledger", "salts"))
        log = self.it.kafka.logs[TopicPartition(self.it.settings.topic(topic), number)]
        log.compact(log.end - self.random.randint(0, 10), self.it.kafka.now(), RETENTION_MS)
        return f"{topic}/{number} is compacted"

    def forget_offsets(self) -> str:
        groups = self.it.kafka.groups
        for place in [place for place, offset in groups.items() if not offset.metadata]:
            del groups[place]
        return "the group's offsets have expired"

    def wait(self) -> str:
        self.pause = self.random.choice((1.0, 2.5, 6.0, 12.0))
        return f"nothing for {self.pause} s"
