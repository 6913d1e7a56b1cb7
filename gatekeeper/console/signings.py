"""Records that wait until their author touches a passkey. They live in memory, for minutes, and nothing is written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from time import monotonic
from typing import Any
from uuid import uuid4

from gatekeeper.review.review_item import Item
from streams.client.outgoing import Outgoing
from streams.client.passkey_prompt import PasskeyPrompt, PasskeySignatory, Row, apart, rows

SECONDS = 9 * 60.0
"""Life of a signing; ten minutes after it was dated, a signature counts for nothing."""
MAX_OF_ONE, MAX_OPEN = 3, 200
"""Signings kept of one person, and of all."""


@dataclass(frozen=True, slots=True)
class SaidBefore:
    """The words in which a page says beforehand what a person signs.

    `kind`: of the act, or `endorse` for a record of `reference`. `about`: the id of its subject; `named`: the
    subject's registered name, else the id. `count`: number of acts. `items`: what they are about. `fields`: of a
    record (field, in force, new). `command`: the command that does the same with a key.
    """

    kind: str
    about: str = ""
    named: str = ""
    count: int = 1
    items: Sequence[Item] = ()
    fields: Sequence[tuple[str, str, str]] = ()
    reason: str = ""
    evidence: str = ""
    command: str = ""


@dataclass(slots=True)
class Signing:
    """Records to be signed by one person.

    `write`: writes them with the signatures, and gives the address of the next page. `back`: the page before.
    A record of `reference` takes a touch of its own, so there may be two. Raises UsageError (2) as `rows` does.
    """

    by: str
    records: Sequence[Outgoing]
    says: SaidBefore
    write: Callable[[PasskeySignatory], str]
    back: str
    origin: str
    name: str = field(default_factory=lambda: uuid4().hex)
    until: float = field(default_factory=lambda: monotonic() + SECONDS)
    tables: Sequence[Sequence[Row]] = ()
    """The table that each touch signs, empty where it signs one text."""
    _taken: list[PasskeySignatory] = field(default_factory=list)
    _touches: dict[str, PasskeyPrompt] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tables = [rows(step) for step in apart(self.records)]

    @property
    def step(self) -> int:
        """The number of the touch that is asked for now, from 0."""
        return len(self._taken)

    def touch(self, key: Mapping[str, Any]) -> PasskeyPrompt:
        """The touch asked of one of the person's passkeys; the same each time. `key`: its fields in `staff`."""
        if key["id"] not in self._touches:
            step = apart(self.records)[self.step]
            self._touches[key["id"]] = PasskeyPrompt(step, by=self.by, key=key, origin=self.origin)
        return self._touches[key["id"]]

    def take(self, touched: PasskeySignatory) -> PasskeySignatory | None:
        """Takes a touch. The result signs all records, None while another touch is needed."""
        self._taken.append(touched)
        self._touches.clear()
        return reduce(or_, self._taken) if self.step == len(self.tables) else None


class Signings:
    """The open signings of a console, lost when it ends. A further one of a person drops that person's oldest one."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, Signing] = {}

    def put(self, signing: Signing) -> None:
        """Keeps a signing."""
        with self._lock:
            kept = [name for name, known in self._open.items() if known.until > self._clock()]
            mine = [name for name in kept if self._open[name].by == signing.by]
            gone = {*self._open.keys() - set(kept), *mine[: len(mine) + 1 - MAX_OF_ONE]}
            left = [name for name in kept if name not in gone]
            for name in (*gone, *left[: max(0, len(left) + 1 - MAX_OPEN)]):
                del self._open[name]
            self._open[signing.name] = signing

    def get(self, name: str, by: str) -> Signing | None:
        """The open signing of this person, None where it is over."""
        with self._lock:
            signing = self._open.get(name)
        return signing if signing and signing.by == by and signing.until > self._clock() else None

    def close(self, signing: Signing) -> bool:
        """Ends a signing; False where somebody has ended it already."""
        with self._lock:
            return self._open.pop(signing.name, None) is not None
