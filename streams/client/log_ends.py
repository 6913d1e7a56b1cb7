"""The bounds of logs, safe against a deposed leader that does not know it was deposed.

Each answer rests on requests sent after the call, to the brokers of enough replicas (`leaders.newest`). A leader that
knows itself to have the newest epoch among them gives it. Until that is possible the call waits.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from typing import Any, TypeVar

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import TopicAuthorizationFailedError

from streams.client.brokers import RETRY_MS, Brokers, UnansweredError
from streams.client.leaders import NOBODY, Answer, Leader, Leaders, needed, newest, partitions
from streams.client.requests import Metadata, as_answer, list_offsets, metadata_requests

log = structlog.get_logger(__name__)

TELL_SECONDS = 1.0
"""Seconds between log lines about a question that stays open."""
LATE_SECONDS = 0.1
"""Seconds for which only as many brokers are asked as suffice; then the others are asked, too."""
SILENT_SECONDS = 1.0
"""Seconds after which a silent leader may have been deposed: the leader is looked up again."""
LATEST, EARLIEST = -1, -2
Question = tuple[int, bool]
"""A question about a log: a time (milliseconds), LATEST or EARLIEST; and whether open transactions end it."""
T = TypeVar("T")


class UnsureError(Exception):
    """Raised if too few brokers answered, or their answers do not fit together: ask again."""


class Ends:
    """Client for the bounds of logs, on connections of its own, so that no long fetch delays the question.

    Every method waits as long as necessary, so give it a deadline. Raises TopicAuthorizationFailedError if the user may
    not ask.
    """

    def __init__(self, leaders: Leaders, topic: str, **reached: Any) -> None:
        """`leaders`: learns the leaders found on the way. `topic` and `reached`: as `Brokers` takes them."""
        self._leaders, self._brokers = leaders, Brokers(leaders, topic, **reached)
        self._of = dict[tuple[str, ...], tuple[TopicPartition, ...]]()
        """The partitions of topics, as they were last found."""
        self._late = set[int]()
        """Brokers that did not answer in time when last asked."""
        self.doubts = 0
        """Number of times that a leader changed or a broker failed. It may have an older log since."""
        self.topic_ids: Mapping[str, str] = {}
        """Kafka's id of each topic, by its name there, as any broker told it last."""
        self._beside: tuple[str, ...] = ()
        self._told: dict[tuple[int, tuple[str, ...]], Answer] = {}
        """The last answer of each broker about some topics."""
        self._led: dict[TopicPartition, Leader] = {}
        """The newest leaders of the topics beside that any broker has named."""

    async def start(self) -> None:
        """Connects; raises KafkaConnectionError where no bootstrap server answers."""
        await self._brokers.start()

    async def stop(self) -> None:
        """Disconnects."""
        await self._brokers.stop()

    async def ends(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The end of each log, uncommitted records included."""
        return (await self._found(tps, (LATEST, False)))[0]

    async def of_topics(self, topics: Iterable[str]) -> dict[TopicPartition, int]:
        """The end of each log of these topics, uncommitted records included.

        It covers each partition that may hold a record acknowledged before the call, however new the partition is.
        """
        wanted = tuple(topics)
        return await self._sure(lambda: self._of_topics(wanted))

    async def stable(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The stable end of each log: where its first open transaction begins, or the log's end."""
        return (await self._found(tps, (LATEST, True)))[0]

    async def beginnings(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The first offset that each log keeps."""
        return (await self._found(tps, (EARLIEST, False)))[0]

    async def kept(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """The first offset that each log keeps, and its stable end; leaders are looked for once for both."""
        first, stable = await self._found(tps, (EARLIEST, False), (LATEST, True))
        return {tp: (first[tp], stable[tp]) for tp in first}

    async def since(self, tps: Iterable[TopicPartition], at: int) -> dict[TopicPartition, int]:
        """The first offset of each log that Kafka received at that time (milliseconds) or later, or its stable end."""
        ends = await self.stable(tps)  # asked before, as records in between are later
        (offsets,) = await self._found(tps, (at, True))
        return {tp: offsets[tp] if offsets[tp] >= 0 else ends[tp] for tp in offsets}

    async def partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        """The partitions of these topics, in order: all that may hold an acknowledged record."""
        return await self._sure(lambda: self._partitions(topics))

    async def listed(self, *topics: str) -> list[TopicPartition]:
        """The partitions of topics as any broker knows them, in order; none of a topic that it does not know."""
        return await self._sure(lambda: self._listed(topics))

    def watch(self, topics: Iterable[str]) -> None:
        """Has each question ask for these topics, too, so that `topic_ids` and `doubts` are about them as well."""
        self._beside = tuple(topics)

    async def ids(self, topics: Sequence[str]) -> dict[str, str]:
        """Kafka's ids of these topics by name. No broker that must be asked believes in others any more."""
        return await self._sure(lambda: self._ids(topics))

    async def _found(self, tps: Iterable[TopicPartition], *questions: Question) -> list[dict[TopicPartition, int]]:
        wanted = tuple(tps)
        return await self._sure(lambda: self._round(wanted, questions)) if wanted else [{} for _ in questions]

    async def _of_topics(self, topics: tuple[str, ...]) -> dict[TopicPartition, int]:
        if topics not in self._of:
            self._of[topics] = tuple(await self._partitions(topics))
        (ends,) = await self._round(self._of[topics], ((LATEST, False),), whole=True)
        return ends

    async def _sure(self, ask: Callable[[], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        tell_at = loop.time() + TELL_SECONDS
        while True:
            try:
                return await ask()
            except UnsureError as error:
                if loop.time() > tell_at:
                    log.warning("ends_unsure", reason=str(error))
                    tell_at = loop.time() + TELL_SECONDS
            await asyncio.sleep(RETRY_MS / 1000)

    async def _round(
        self, tps: Sequence[TopicPartition], questions: Sequence[Question], *, whole: bool = False
    ) -> list[dict[TopicPartition, int]]:
        """Asks for the leaders, and in parallel the last known leaders for the ends: mostly they still lead.

        `whole`: demands that these are all partitions of their topics.
        """
        asked = {tp: leader for tp in tps if (leader := self._leaders.get(tp))}
        asking = asyncio.create_task(self._answers(asked, questions))
        try:
            done = set[asyncio.Task[Any]]()
            while not done:
                leaders = await self._newest(tps, whole=whole)
                if leaders != asked:
                    asking.cancel()
                    asked, asking = leaders, asyncio.create_task(self._answers(leaders, questions))
                done, _ = await asyncio.wait([asking], timeout=SILENT_SECONDS)
            answers = asking.result()
        finally:
            asking.cancel()
        if missing := [tp for tp in tps for answer in answers if tp not in answer]:
            raise UnsureError(f"{missing[0].topic}/{missing[0].partition}: the leader does not answer")
        return answers

    async def _newest(self, tps: Sequence[TopicPartition], *, whole: bool) -> dict[TopicPartition, Leader]:
        topics, known = tuple(sorted({tp.topic for tp in tps})), tuple(map(self._leaders.get, tps))
        nodes = self._suffice(known, whole=whole)
        asked = dict[asyncio.Task[Answer], int]()
        answers, failed, now = dict[int, Answer](), set[int](), tuple[Leader | None, ...]()
        try:
            while True:
                for node in nodes - answers.keys() - set(asked.values()):  # again, if it failed: others may stay silent
                    asked[asyncio.create_task(self._believes(node, topics))] = node
                done, late = await asyncio.wait(asked, timeout=LATE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                replies = {asked.pop(task): _answer(task) for task in done}
                answers |= {node: answer for node, answer in replies.items() if answer}
                failed |= replies.keys() - answers.keys()
                self._late |= failed
                self.doubts += bool(failed)
                now = newest(tps, frozenset(answers.items()), known)
                leaders = {tp: leader for tp, leader in zip(tps, now, strict=True) if leader and leader.node != NOBODY}
                there = self._there(answers) if whole else frozenset(tps)
                if len(leaders) == len(tps) and there is not None:
                    if there - set(tps):
                        self._of.clear()
                        raise UnsureError("a topic has new partitions")
                    self.doubts += any(known_ and known_ != leader for known_, leader in zip(known, now, strict=True))
                    self._leaders.learn(leaders, asyncio.get_running_loop().time())
                    self._late.difference_update(answers)
                    return leaders
                if not (done and late):
                    self._late.update(asked[task] for task in late)
                    nodes |= self._brokers.everybody() | {node for leader in now if leader for node in leader.replicas}
                    nodes = nodes.union(*(answer.brokers for answer in answers.values()))
                if failed >= nodes - answers.keys():
                    behind = [f"{tp.topic}/{tp.partition}" for tp, leader in zip(tps, now, strict=True) if not leader]
                    raise UnsureError(f"too few replicas answer: {', '.join(behind[:1])}")
        finally:
            for task in asked:
                task.cancel()

    def _suffice(self, known: Sequence[Leader | None], *, whole: bool) -> set[int]:
        """The brokers to ask first: enough of them, if nothing has changed; all if too little is known."""
        chosen, everybody = set[int](), self._brokers.everybody()

        def choose(nodes: Iterable[int], count: int) -> None:
            order = sorted(nodes, key=lambda node: (node not in chosen, node in self._late, node))
            chosen.update(order[:count])

        for leader in known:
            if leader is None:
                return everybody
            choose(leader.replicas, leader.asked)
        if whole:
            fewest = min(len(leader.replicas) - leader.asked + 1 for leader in known if leader)
            choose(everybody, needed(len(everybody), fewest))
        return chosen

    async def _partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        def read(answers: Mapping[int, Answer], there: Set[TopicPartition]) -> list[TopicPartition] | None:
            return sorted(there) if {tp.topic for tp in there} >= set(topics) else None

        return await self._views(topics, read)

    async def _ids(self, topics: Sequence[str]) -> dict[str, str]:
        def read(answers: Mapping[int, Answer], there: Set[TopicPartition]) -> dict[str, str] | None:
            seen = {
                topic: {answer.ids[topic] for answer in answers.values() if topic in answer.ids} for topic in topics
            }
            return {topic: min(ids) for topic, ids in seen.items()} if {*map(len, seen.values())} == {1} else None

        return await self._views(topics, read)

    async def _views(
        self, topics: Sequence[str], read: Callable[[Mapping[int, Answer], Set[TopicPartition]], T | None]
    ) -> T:
        """The result of `read`, from so many brokers that one of them knows any partition that took a record before.

        `read` is given the answers and those partitions; None lets more brokers answer.
        """
        nodes, begun = self._brokers.everybody(), set[int]()
        answers, asked = dict[int, Answer](), dict[asyncio.Task[Answer], int]()
        try:
            while asked or nodes - begun:
                asked |= {asyncio.create_task(self._believes(node, tuple(topics))): node for node in nodes - begun}
                begun |= nodes
                done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
                replies = {asked.pop(task): _answer(task) for task in done}
                answers |= {node: answer for node, answer in replies.items() if answer}
                nodes = nodes.union(*(answer.brokers for answer in answers.values()))  # some may have come later
                there = self._there(answers)
                if there is not None and (view := read(answers, there)) is not None:
                    return view
        finally:
            for task in asked:
                task.cancel()
        raise UnsureError("too few brokers answer")

    def _there(self, answers: Mapping[int, Answer]) -> Set[TopicPartition] | None:
        return partitions(frozenset(answers.items()), frozenset(self._brokers.everybody()))

    async def _listed(self, topics: tuple[str, ...]) -> list[TopicPartition]:
        for node in self._brokers.everybody():
            with contextlib.suppress(UnansweredError):
                (metadata,) = await self._brokers.ask(node, Metadata(topics))
                return sorted(metadata.leaders)
        raise UnsureError("no broker answers")

    async def _believes(self, node: int, topics: tuple[str, ...]) -> Answer:
        metadata, configs = await self._brokers.ask(node, *metadata_requests(topics, self._beside))
        for topic, error in metadata.errors.items():
            if error == TopicAuthorizationFailedError.errno:
                raise TopicAuthorizationFailedError(topic)
        self._leaders.meet(metadata.addresses)
        answer = as_answer(metadata, configs)
        if self._told.get((node, topics)) is not answer:  # the same bytes are the same object
            self._told[node, topics] = answer
            self._note(answer)
        return answer

    def _note(self, answer: Answer) -> None:
        """Notes the topics' ids in an answer, and doubts the logs of those beside that have another leader now."""
        self.topic_ids = {**self.topic_ids, **answer.ids}
        for tp, leader in answer.beside.items():
            known = self._led.setdefault(tp, leader)
            if known.of != leader.of or known.epoch < leader.epoch:
                self._led[tp] = leader
                self.doubts += 1

    async def _answers(
        self, leaders: Mapping[TopicPartition, Leader], questions: Sequence[Question]
    ) -> list[dict[TopicPartition, int]]:
        return await asyncio.gather(*(self._offsets(leaders, at, committed=committed) for at, committed in questions))

    async def _offsets(
        self, leaders: Mapping[TopicPartition, Leader], at: int, *, committed: bool
    ) -> dict[TopicPartition, int]:
        """The answers of these leaders, without leaders that no longer hold just that epoch."""
        epochs: dict[int, dict[TopicPartition, int]] = defaultdict(dict)
        for tp, leader in leaders.items():
            epochs[leader.node][tp] = leader.epoch
        questions = [
            self._brokers.ask(node, list_offsets(tuple(of_node.items()), at, committed=committed))
            for node, of_node in epochs.items()
        ]
        offsets = {}
        for answer in await asyncio.gather(*questions, return_exceptions=True):
            if isinstance(answer, UnansweredError):
                self.doubts += 1
                continue
            if isinstance(answer, BaseException):
                raise answer
            for tp, (error, offset) in answer[0].found.items():
                if error == TopicAuthorizationFailedError.errno:
                    raise TopicAuthorizationFailedError(tp.topic)
                if not error:
                    offsets[tp] = offset
        return offsets


def _answer(task: asyncio.Task[Answer]) -> Answer | None:
    try:
        return task.result()
    except UnansweredError:
        return None
