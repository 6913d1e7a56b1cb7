"""The demo, from the first topic to the counted result: an invented retailer, a real Kafka and a real worker."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import orjson
from pydantic import BaseModel

from gatekeeper.audit.log.tree import newest
from gatekeeper.deciding.answer import rendered
from gatekeeper.demo.colleagues import VISITOR
from gatekeeper.demo.premises import furnished
from gatekeeper.demo.process import Process
from gatekeeper.demo.result import OUTPUTS, DemoResult
from gatekeeper.demo.retailer import Person, Retailer
from gatekeeper.ground import interruption
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import IncompleteError, UnavailableError
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import Keys
from schemas.audit import AuditRecord
from schemas.codec import encode
from schemas.decision import Decision, Verdict
from schemas.events import Send
from schemas.manifests import Manifest
from schemas.record import Record
from schemas.topics import FACT_TOPICS, subject_key
from streams.client.publisher import Publisher, RecordMetadata
from streams.client.reader import Reader
from streams.kafka.jars import Progress as Fetching

WINDOW = 500
STALL_SECONDS = 60.0
LOOK_SECONDS = 0.3
SEAL_SECONDS = 1.0
"""Time between checkpoints, and between a witness's checks; short, because the demo is short."""
NEWS_SECONDS = 1.0
PERSONAL = ("sources", "consents", "suppressions")
"""Topics that tell about people."""
RECENT = 30
"""The number of last offsets read in each partition to find the newest decision."""
_T = TypeVar("_T")
Advance = Callable[[int], None]
"""Callback with the number of newly finished records."""


@dataclass(frozen=True, slots=True)
class ExplainedDecision:
    """Decision with its audit record; `decision` is the review record's header, None for a cleared send."""

    record: AuditRecord
    decision: Decision | None


class Scene:
    """Run of the demo, with its steps as methods, in order.

    On exit it stops its processes and removes its folder; with `keep` the folder stays.
    """

    def __init__(self, settings: Settings, *, people: int, seed: int, keep: bool = False) -> None:
        self.retailer = Retailer(people=people, seed=seed, today=date.today())
        self._given = settings
        self._keep = keep
        interruption.listen((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        self._stack = ExitStack()
        self._pieces = 0
        self._processes: list[Process] = []

    def __enter__(self) -> Scene:
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="gatekeeper-demo-"))
        except OSError as error:
            raise UnavailableError("error.disk", path=tempfile.gettempdir(), detail=error) from None
        if not self._keep:
            self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        return self

    def __exit__(self, *_: object) -> None:
        with interruption.held():
            self._stack.close()

    def start_kafka(self, fetching: Fetching | None) -> None:
        """Starts a separate broker, and makes all that commands need in the demo's folder."""
        self.premises = furnished(self.folder, self._given, self.retailer, fetching, self._stack)
        self.settings = self.premises.settings

    def load(self, advance: Advance) -> int:
        """Publishes reference records and facts, and returns their number."""
        with ExitStack() as stack:
            signs = dict.fromkeys(("reference", "consents"), self.premises.colleagues)
            publishers = {
                topic: stack.enter_context(Publisher(self.settings, topic, signs.get(topic))) for topic in FACT_TOPICS
            }
            done = 0
            for window in _windows(chain(self.retailer.reference(), self.retailer.facts())):
                for topic, publisher in publishers.items():
                    _write(publisher, topic, [value for name, value in window if name == topic])
                done += len(window)
                advance(len(window))
        return done

    def start_worker(self) -> None:
        """Starts the worker and waits for each partition's first manifest, which shows that it has an owner."""
        self._worker = self._beside("worker")

        def owned() -> int:
            return len({record.partition for record in self._read("manifests")})

        self._until(owned, self.settings.partitions)

    def start_sealing(self) -> None:
        """Starts the sealer of the log and its witness."""
        pace = ("--interval", str(SEAL_SECONDS))
        self._beside("audit", "seal", *pace)
        self._beside("audit", "witness", "--first", "--state", str(self.folder / "witness"), *pace)

    def open_console(self, users: Path | None = None) -> str:
        """Starts the console for this machine only, and returns its address once it answers.

        `users`: the user file; without one no sign-in is needed and everybody acts as VISITOR.
        """
        alone = {"HOST": "127.0.0.1", "PORT": "0", "USERS": str(users or "")}
        settings = {f"GATEKEEPER_CONSOLE_{name}": value for name, value in alone.items()}
        log = self._beside("console", "--json", GATEKEEPER_USER=VISITOR, **settings).log
        lines: list[bytes] = []

        def answers() -> int:
            lines[:] = [line for line in log.read_bytes().splitlines(keepends=True) if line.startswith(b'{"url":')]
            return int(bool(lines) and lines[0].endswith(b"\n"))

        self._until(answers, 1)
        return str(orjson.loads(lines[0])["url"])

    def _beside(self, *words: str, **more: str) -> Process:
        """Starts a `gatekeeper` command as a process that ends with the demo."""
        verb = [word for word in words[:2] if not word.startswith("-")][-1]
        process = Process(self.folder / f"{verb}.log", self.premises.environment() | more, *words)
        self._stack.callback(process.stop)
        with interruption.held():
            process.start()
        self._processes.append(process)
        return process

    def publish(self, sends: Iterable[Send], advance: Advance) -> list[RecordMetadata]:
        """Publishes sends and returns the place of each: partition and offset."""
        places: list[RecordMetadata] = []
        with Publisher(self.settings, "sends") as publisher:
            for window in _windows(sends):
                places += _write(publisher, "sends", window)
                advance(len(window))
                self._check()
        return places

    def await_decisions(self, n: int, advance: Advance) -> None:
        """Waits until the manifests count `n` decisions."""

        def decided() -> int:
            return sum(Manifest.model_validate_json(record.value or b"").audit.n for record in self._read("manifests"))

        self._until(decided, n, advance)

    def count(
        self, places: Iterable[RecordMetadata], advance: Advance
    ) -> tuple[DemoResult, dict[Verdict, ExplainedDecision]]:
        """Reads the worker's output and returns the result of the sends, and the decisions about the cast."""
        tally = DemoResult(frozenset((place.partition, place.offset) for place in places))
        cast = {person.recipient_id.encode(): verdict for verdict, person in self.retailer.cast.items()}
        headers: dict[str, tuple[Verdict, Decision | None]] = {}
        with Reader(self.settings) as reader:  # a commit visible on `manifests` may not be visible on other topics yet
            for topic in (*OUTPUTS, "audit"):
                reader.settled(topic)
        for topic in OUTPUTS:
            for record in self._read(topic):
                did = record.header("gate-decision-id")
                tally.output(topic, did)
                if record.key in cast:
                    headers[did] = (cast[record.key], _decision(record))
        decisions: dict[Verdict, ExplainedDecision] = {}
        for record in self._read("audit"):
            audit = AuditRecord.model_validate_json(record.value or b"")
            tally.audit(audit)
            if audit.did in headers:
                verdict, decision = headers[audit.did]
                decisions.setdefault(verdict, ExplainedDecision(audit, decision))
            advance(1)
        return tally, decisions

    def await_seal(self, advance: Advance) -> int:
        """The number of leaves in the log, once it includes every present manifest and the witness has cosigned it."""
        manifests = sum(1 for _ in self._read("manifests"))
        files, keys = AtomicStore(self.settings.log_folder), Keys(self.settings.key_folder)
        log, (witness,) = keys.public("log"), keys.public("witness")

        def cosigned() -> int:
            standing = newest(files, log)
            return standing[0].size if standing and standing[0].note.signed(witness) else 0

        self._until(cosigned, manifests, advance)
        return cosigned() or manifests

    def send_again(self, person: Person) -> ExplainedDecision:
        """Sends this person one more piece, in a separate campaign, and returns the decision.

        Raises IncompleteError (5) when no decision comes within STALL_SECONDS.
        """
        self._pieces += 1
        campaign = self.retailer.campaign("postcard", self._pieces)
        with Publisher(self.settings, "reference", self.premises.colleagues) as publisher:
            _write(publisher, "reference", [campaign])
        send = self.retailer.send_to(person, campaign=campaign.id)
        (place,) = self.publish([send], lambda _: None)
        deadline = time.monotonic() + STALL_SECONDS
        while time.monotonic() < deadline:
            for record in self._read("audit", last=RECENT):
                audit = AuditRecord.model_validate_json(record.value or b"")
                if (audit.src.partition, audit.src.offset) == (place.partition, place.offset):
                    return ExplainedDecision(audit, self._said(audit))
            self.pause(LOOK_SECONDS)
        raise IncompleteError("demo.stalled", done=0, total=1, seconds=int(STALL_SECONDS), log=self._worker.log)

    def await_news(self) -> Iterator[None]:
        """Yields at once, and again after each time that more was told about people."""
        with Reader(self.settings) as reader:
            while True:
                ends = [reader.ends(topic) for topic in PERSONAL]
                yield
                while [reader.ends(topic) for topic in PERSONAL] == ends:
                    self.pause(NEWS_SECONDS)

    def pause(self, seconds: float) -> None:
        """Waits; raises a noted signal, and IncompleteError (5) when one of the demo's processes has ended."""
        interruption.wait(seconds)
        self._check()

    def _check(self) -> None:
        for process in self._processes:
            process.check()

    def _read(self, topic: str, *, last: int | None = None) -> Iterator[Record]:
        with Reader(self.settings) as reader:
            yield from reader.read(topic, last=last)

    def _said(self, audit: AuditRecord) -> Decision | None:
        records = self._read("review", last=RECENT)
        return next((_decision(record) for record in records if record.header("gate-decision-id") == audit.did), None)

    def _until(self, look: Callable[[], int], total: int, advance: Advance = lambda _: None) -> None:
        """Waits until `look` counts `total`; raises IncompleteError (5) after STALL_SECONDS without progress."""
        done, moved_at = 0, time.monotonic()
        while done < total:
            if (now := look()) > done:
                advance(now - done)
                done, moved_at = now, time.monotonic()
            elif time.monotonic() - moved_at > STALL_SECONDS:
                raise IncompleteError(
                    "demo.stalled", done=done, total=total, seconds=int(STALL_SECONDS), log=self._worker.log
                )
            else:
                self.pause(LOOK_SECONDS)


def _decision(record: Record) -> Decision | None:
    header = record.header("gate-decision")
    return rendered(header) if header else None


def _write(publisher: Publisher, topic: str, values: Sequence[BaseModel]) -> list[RecordMetadata]:
    places = publisher.write([(subject_key(topic, value).encode(), encode(value)) for value in values])
    acknowledged = [place for place in places if place is not None]
    if len(acknowledged) < len(values):
        raise IncompleteError("demo.unacknowledged", topic=topic, count=len(values) - len(acknowledged))
    return acknowledged


def _windows(values: Iterable[_T]) -> Iterator[list[_T]]:
    left = iter(values)
    while window := list(islice(left, WINDOW)):
        yield window
