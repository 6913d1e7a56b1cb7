"""One Kafka for all processes of a run: `python -m tests.support.shared_kafka FILE` writes there where it is.

It runs until it is told to end. Each process of its own would start one, warm it up and keep it.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from streams.kafka.broker import Broker

ADDRESS = "KAFKA_OF_TESTS"
"""The variable that names the file to the tests."""


@dataclass(frozen=True)
class Shared:
    """The Kafka of the run, which no test may hurt."""

    bootstrap: str
    folder: Path
    pid: int


def shared() -> Shared | None:
    """Returns the Kafka of the run; None where each process has its own."""
    file = os.environ.get(ADDRESS)
    if not file:
        return None
    bootstrap, folder, pid = Path(file).read_text("utf-8").splitlines()
    return Shared(bootstrap, Path(folder), int(pid))


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    os.environ["_JAVA_OPTIONS"] = "-Xmx1g"  # it has the topics of all tests, and keeps them
    with Broker() as broker:
        part = Path(f"{sys.argv[1]}.part")
        part.write_text(f"{broker.bootstrap}\n{broker.folder}\n{broker.pid}\n", "utf-8")
        part.rename(sys.argv[1])
        raise broker.wait()


if __name__ == "__main__":
    main()
