"""The thread that keeps the read model up with the topics, through restarts of the broker and of itself."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from time import time

import structlog

from gatekeeper.console.change_signal import ChangeSignal
from gatekeeper.console.model import Model
from gatekeeper.engine.failures import fingerprint
from gatekeeper.errors import GatekeeperError
from gatekeeper.settings import Settings
from streams.client import admin
from streams.client.reader import Reader

TICK_SECONDS = 0.2
PAUSE_SECONDS = 1.0
FORGET_SECONDS = 3_600.0
DEFECT = "page.feed_defect"
"""The key of what keeps it from reading that is no trouble of Kafka."""
log = structlog.get_logger("console")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the model is: records read of those that stood there at the start, and whether it has caught up.

    `trouble`: why the topics cannot be read just now, and since when (seconds since the epoch); what is no
    trouble of Kafka has the key DEFECT.
    """

    done: int = 0
    total: int = 0
    ready: bool = False
    trouble: GatekeeperError | None = None
    since: float = 0.0


class Feed(threading.Thread):
    """Follows the model's topics from where it stands, and tells the hub."""

    def __init__(self, settings: Settings, model: Model, hub: ChangeSignal) -> None:
        super().__init__(name="console-feed", daemon=True)
        self.progress = Progress()
        self._settings = settings
        self._model = model
        self._hub = hub
        self._over = threading.Event()

    def stop(self) -> None:
        """Ends it, and returns when it has."""
        self._over.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        """Reads until it is stopped; what keeps it from reading is told, and tried again."""
        while not self._over.is_set():
            try:
                self._follow()
            except Exception as error:  # whatever it is: pages that are never new again must not look as if they were
                trouble = error if isinstance(error, GatekeeperError) else GatekeeperError(DEFECT)
                if self.progress.trouble is None or self.progress.trouble.key != trouble.key:
                    log.warning("console_waits", error=type(error).__name__, code=fingerprint(error))
                    self.progress = replace(self.progress, trouble=trouble, since=time())
                    self._hub.tell()
                self._over.wait(PAUSE_SECONDS)

    def _follow(self) -> None:
        if self._model.lost:
            self._model.reset()
        self._model.begin(admin.identity(self._settings))
        with Reader(self._settings) as reader:
            ends, starts = self._between(reader)
            begun = sum(starts.values())
            ready = self.progress.ready and bool(self._model.positions())
            self.progress = replace(self.progress, done=0, total=sum(ends.values()) - begun, ready=ready)
            by_topic: dict[str, dict[int, int]] = {}
            for (topic, number), offset in starts.items():
                by_topic.setdefault(topic, {})[number] = offset
            forgotten = 0.0
            for records in reader.following(by_topic, seconds=TICK_SECONDS):
                if self._over.is_set() or self._model.lost:
                    return
                if records:
                    self._model.take(records)
                reached = reader.reached() if not self.progress.ready else {}
                if reached:
                    ready = all(reached.get(place, 0) >= end for place, end in ends.items())
                    self.progress = Progress(sum(reached.values()) - begun, self.progress.total, ready)
                elif self.progress.trouble:
                    self.progress = replace(self.progress, trouble=None)
                if records or reached:
                    self._hub.tell()
                if time() - forgotten > FORGET_SECONDS:
                    self._model.forget(int(time() * 1000))
                    forgotten = time()

    def _between(self, reader: Reader) -> tuple[dict[tuple[str, int], int], dict[tuple[str, int], int]]:
        """Where each partition ends now, and from where it is to be read."""
        ends = {(topic, n): end for topic in self._model.topics for n, end in reader.ends(topic).items()}
        starts = {(topic, n): start for topic in self._model.topics for n, start in reader.starts(topic).items()}
        known = self._model.positions()
        if any(next_ > ends.get(place, 0) for place, next_ in known.items()):
            self._model.reset()  # what it was made from is gone
            self._model.begin(admin.identity(self._settings))
            known = {}
        return ends, {place: max(start, known.get(place, 0)) for place, start in starts.items()}
