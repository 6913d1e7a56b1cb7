"""The review queue as people read it: withheld sends with their acts, computed from the topics alone.

Pure; the topics may be read in any order. `review` holds the items, `acts` the requests with their reasons, and
`audit` the worker's answers. Only the worker's answers change the state of an item, never the requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

import orjson

from gatekeeper.review.data_origin import origin
from gatekeeper.review.review_item import ActOnItem, Item, answered, asked, held, standing
from schemas.codec import Unreadable, decode


def urgent(items: Iterable[Item], zone: str) -> list[Item]:
    """Items by urgency: the earliest mail date first, then the longest withheld."""
    return sorted(items, key=lambda item: (item.due(zone) or 2**63, item.seen, item.id))


@dataclass(slots=True)
class Queue:
    """All items of `review`, with their states; `unread` counts the records without a readable item."""

    unread: int = 0
    _items: dict[str, Item] = field(default_factory=dict)
    _origins: dict[str, str] = field(default_factory=dict)
    _asked: dict[str, ActOnItem] = field(default_factory=dict)
    _answers: dict[str, dict[tuple[int, int], ActOnItem]] = field(default_factory=dict)

    def review(self, partition: int, offset: int, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> None:
        """Adds a record of `review`."""
        try:
            item = held(partition, offset, value, headers)
        except ValueError:
            self.unread += 1
        else:
            if item is not None:
                self._items[item.id] = item

    def act(self, key: bytes | None, value: bytes | None) -> None:
        """Adds a record of `acts`."""
        with suppress(Unreadable):
            if doing := asked(decode("acts", key, value)):
                self._asked.setdefault(doing.act_id, doing)

    def audit(self, partition: int, offset: int, value: bytes | None, *, origins: bool = False) -> None:
        """Adds a record of `audit`: an answer to an act about an item.

        `origins`: also keep the data origin, which the audit record of an item's decision holds.
        """
        with suppress(ValueError, LookupError, TypeError, AttributeError):  # not written by a worker
            record = orjson.loads(value or b"")
            if doing := answered(record):
                # an item's acts are judged in the order of its partition, and their audit records stand in it
                self._answers.setdefault(doing.item, {})[partition, offset] = doing
            if origins:
                self._origins[record["did"]] = origin(record)

    def items(self) -> Iterator[Item]:
        """Yields every item with its state, in no particular order."""
        return (self._standing(item) for item in self._items.values())

    def item(self, id_: str) -> Item | None:
        """One item with its state; None where `review` has no item with this decision id."""
        item = self._items.get(id_)
        return self._standing(item) if item else None

    def doings(self, id_: str) -> list[ActOnItem]:
        """The acts on an item in the order of judgement, unanswered ones last."""
        answered = [self._with_reason(doing) for _, doing in sorted(self._answers.get(id_, {}).items())]
        act_ids = {doing.act_id for doing in answered}
        waiting = [doing for doing in self._asked.values() if doing.item == id_ and doing.act_id not in act_ids]
        return answered + sorted(waiting, key=lambda doing: (doing.at, doing.act_id))

    def run(self, prefix: str) -> dict[str, ActOnItem]:
        """The requests by item whose act ids begin with a prefix, answered or not."""
        return {doing.item: doing for act_id, doing in self._asked.items() if act_id.startswith(prefix)}

    def answer(self, item: str, act_id: str) -> ActOnItem | None:
        """The worker's answer to an act, None until there is one; the first answer counts."""
        answers = [doing for _, doing in sorted(self._answers.get(item, {}).items()) if doing.act_id == act_id]
        return next((doing for doing in answers if doing.code != "repeated"), answers[0] if answers else None)

    def _with_reason(self, doing: ActOnItem) -> ActOnItem:
        asked = self._asked.get(doing.act_id)
        return replace(doing, reason=asked.reason) if asked else doing

    def _standing(self, item: Item) -> Item:
        if answers := self._answers.get(item.id):
            item = standing(item, (doing for _, doing in sorted(answers.items())))
        data_origin = self._origins.get(item.id)
        return replace(item, origin=data_origin) if data_origin else item
