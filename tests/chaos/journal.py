"""The records that a driver wrote, with their acknowledgements, one JSON object a line.

The checker trusts nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["send", "fact", "no", "act", "handoff", "poison", "attack"]

UNKNOWN = -1
"""The offset of what Kafka took without saying where."""


@dataclass(frozen=True, slots=True)
class Said:
    """One record that a producer wrote.

    `no`: from its acknowledgement on nothing may be cleared for the person. `began`, `acknowledged`: seconds of the
    machine's monotonic clock; None where Kafka never acknowledged it. `aborted`: it was part of a transaction that
    was aborted, or never ended. `topic`: its name in the registry. `attack`: by somebody who has no part in the gate.
    """

    kind: Kind
    id: str
    person: str
    topic: str
    partition: int
    offset: int
    began: float
    acknowledged: float | None
    aborted: bool = False


class Journal:
    """A file that threads add to."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, said: Said) -> None:
        with self._lock:
            self._file.write(json.dumps(asdict(said)) + "\n")
            self._file.flush()


def read(path: Path) -> Iterator[Said]:
    """Yields what a journal holds; a last line that was cut off is none."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield Said(**json.loads(line))
