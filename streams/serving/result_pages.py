"""Pages of a campaign's results, read from the topic between the places that are known of it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.ground.settings import Settings
from gatekeeper.management.result_sums import Span
from streams.client import admin
from streams.client.reader import Reader

SEARCHED = 100_000
"""Offsets that one page searches, at most."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The next offset to read of a campaign, by partition; a partition without one is read from its beginning.

    `topic`: as `view` names it; a cursor of another view leads to other records.
    """

    topic: str
    campaign: str
    next: Mapping[int, int]

    def encode(self) -> str:
        """The cursor as text for a URL."""
        content = orjson.dumps([self.topic, self.campaign, sorted(self.next.items())])
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Decodes the text; raises ValueError for what `encode` did not make."""
        try:
            content = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            topic, campaign, next_ = content
            places = dict(next_)
            whole = all(type(n) is int and 0 <= n < 2**53 for place in places.items() for n in place)
        except (binascii.Error, ValueError, TypeError):
            raise ValueError("no cursor") from None
        if not whole or not isinstance(topic, str) or not isinstance(campaign, str):
            raise ValueError("no cursor")
        return cls(topic, campaign, places)


class Page(NamedTuple):
    """The values of some results, the place behind them, and True if there are more by now.

    `searched`: the number of offsets that were passed.
    """

    values: list[bytes]
    cursor: Cursor
    more: bool
    searched: int


def view(settings: Settings, controllers: Collection[str] | None) -> str:
    """A short name of the topic `results` as it is now, and of the controllers that are read. None: of all.

    Raises UnavailableError (3) without a broker.
    """
    named = [admin.identity(settings, ("results",)), *([] if controllers is None else ["", *sorted(controllers)])]
    return sha256("\n".join(named).encode()).hexdigest()[:16]


def page(
    settings: Settings, cursor: Cursor, spans: Mapping[int, Span], *, most: int, controllers: Collection[str] | None
) -> Page:
    """The next results of the cursor's campaign, at most `most`, in order within each partition.

    `spans`: the places of the campaign. `controllers`: whose sends are told; None for all. It searches SEARCHED offsets
    at most, so a page may be empty though more follow. Raises as `Reader` does.
    """
    begin = {number: max(cursor.next.get(number, 0), span.first) for number, span in spans.items()}
    left = {number: start for number, start in begin.items() if start < spans[number].to}
    share = max(1, SEARCHED // max(1, len(left)))
    ends = {number: min(spans[number].to, start + share) for number, start in left.items()}
    values, reached = list[bytes](), dict[int, int]()
    if left:
        wanted = (f'"campaign_id":"{cursor.campaign}"'.encode(),)
        with Reader(settings) as reader:
            for record in reader.read("results", behind=left, before=ends, containing=wanted):
                if _is_of(record.value, cursor.campaign, controllers):
                    values.append(record.value or b"")
                reached[record.partition] = record.offset + 1
                if len(values) == most:
                    break
            else:
                reached = ends
    next_ = {**cursor.next, **left, **reached}
    more = any(next_.get(number, span.first) < span.to for number, span in spans.items())
    searched = sum(reached.get(number, start) - start for number, start in left.items())
    return Page(values, Cursor(cursor.topic, cursor.campaign, next_), more, searched)


def _is_of(value: bytes | None, campaign: str, controllers: Collection[str] | None) -> bool:
    try:
        result: dict[str, Any] = orjson.loads(value or b"")
        return result["campaign_id"] == campaign and (controllers is None or result["controller_id"] in controllers)
    except FOREIGN:
        return False
