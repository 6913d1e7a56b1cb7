"""The thread that keeps the read model up to date with the topics, across restarts of broker and console."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from time import time

import structlog

from gatekeeper.console.change_signal import ChangeSignal
from gatekeeper.engine.failures import fingerprint
from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.ground.settings import Settings
from gatekeeper.index import follower
from gatekeeper.index.model import Model
from streams.client import admin
from streams.client.reader import Reader

PAUSE_SECONDS = 1.0
FORGET_SECONDS = 3_600.0
STOP_SECONDS = 30.0
DEFECT = "page.feed_defect"
"""The error key for a failure of the feed that Kafka did not cause."""
log = structlog.get_logger("console")


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of the feed: records read, of those that stood on the topics at the start.

    `ready`: the model has caught up. `trouble`: why the topics cannot be read now; a failure that Kafka did
    not cause has the key DEFECT. `since`: when the trouble began, in seconds since the epoch.
    """

    done: int = 0
    total: int = 0
    ready: bool = False
    trouble: GatekeeperError | None = None
    since: float = 0.0


class Feed(threading.Thread):
    """Thread that reads the model's topics from its positions, and signals each change."""

    def __init__(self, settings: Settings, model: Model, signal: ChangeSignal) -> None:
        super().__init__(name="console-feed", daemon=True)
        self.progress = Progress()
        self.current_at = 0
        """Milliseconds since the epoch up to which the model has all records, as far as is known; 0 before that."""
        self._settings = settings
        self._model = model
        self._signal = signal
        self._over = threading.Event()

    def stop(self) -> None:
        """Stops the thread and waits until it has ended, for STOP_SECONDS at most: it ends with the process."""
        self._over.set()
        if self.is_alive():
            self.join(STOP_SECONDS)
            if self.is_alive():
                log.warning("console_feed_silent", seconds=STOP_SECONDS)

    def run(self) -> None:
        """Reads until it is stopped; after an error it logs, signals that, and retries after PAUSE_SECONDS."""
        while not self._over.is_set():
            try:
                self._follow()
            except Exception as error:  # any error at all: stale pages must not look current
                trouble = error if isinstance(error, GatekeeperError) else GatekeeperError(DEFECT)
                if self.progress.trouble is None or self.progress.trouble.key != trouble.key:
                    log.warning("console_waits", error=type(error).__name__, code=fingerprint(error))
                    self.progress = replace(self.progress, trouble=trouble, since=time())
                    self._signal.tell()
                self._over.wait(PAUSE_SECONDS)

    def _follow(self) -> None:
        if self._model.lost:
            self._model.reset()
        self._model.begin(admin.identity(self._settings))
        with Reader(self._settings) as reader, Reader(self._settings) as prover:
            ends, starts = follower.span(self._settings, self._model, prover)
            begun = sum(starts.values())
            ready = self.progress.ready and bool(self._model.positions())
            self.progress = replace(self.progress, done=0, total=sum(ends.values()) - begun, ready=ready)
            forgotten, asked, proven = 0.0, int(time() * 1000), (-1, -1)
            for records in reader.following(follower.by_topic(starts), seconds=follower.TICK_SECONDS):
                if self._over.is_set() or self._model.lost:
                    return
                if (connections := reader.connections) != proven:
                    if follower.rebuilt(self._model, prover):
                        return
                    proven = connections
                if records:
                    self._model.take(records)
                if self.progress.ready:
                    # nothing came: all of before that is there; else what came is, and all that is older
                    self.current_at = max(self.current_at, min((record.timestamp for record in records), default=asked))
                asked = int(time() * 1000)
                self._model.scrub()
                reached = reader.reached() if not self.progress.ready else {}
                if reached:
                    ready = all(reached.get(place, 0) >= end for place, end in ends.items())
                    self.progress = Progress(sum(reached.values()) - begun, self.progress.total, ready)
                elif self.progress.trouble:
                    self.progress = replace(self.progress, trouble=None)
                if records or reached:
                    self._signal.tell()
                if time() - forgotten > FORGET_SECONDS:
                    self._model.forget(int(time() * 1000))
                    forgotten = time()
