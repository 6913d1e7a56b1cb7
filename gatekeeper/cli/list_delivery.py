"""A list as the delivery of a feed, closed if all of it was taken in (domain rule 8.3.59)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

import orjson

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.times import instant, span
from gatekeeper.management.files import reading
from schemas.codec import encode
from schemas.events import FeedDelivery
from streams.client.publisher import Publisher
from streams.client.reader import Reader


@dataclass(frozen=True)
class ListDelivery:
    """A list with its sender's `count` of rows and `sha256` of bytes. `own`: the hash of the file."""

    feed: str
    count: int | None
    sha256: str | None
    own: str

    @classmethod
    def of(cls, settings: Settings, file: Path, feed: str, count: int | None, sha256: str | None) -> ListDelivery:
        """The delivery of this file. Raises UsageError (2) for an unknown feed, or a file that is not the sender's."""
        with reading(file), file.open("rb") as handle:
            own = file_digest(handle, "sha256").hexdigest()
        if sha256 is not None and sha256.lower() != own:
            raise UsageError("error.delivery_differs", file=file, sha256=own)
        if feed not in (known := _feeds(settings)):
            raise UsageError("error.feed_unknown", feed=feed, known=", ".join(sorted(known)) or "-")
        return cls(feed, count, sha256 and own, own)

    def close(self, settings: Settings, rows: int, date: str, zone: str) -> bool:
        """Says on `consents` that all was told up to `date`; False if the sender says another number of rows.

        `rows`: those of the file, all taken in.
        """
        if self.count is not None and self.count != rows:
            return False
        told = FeedDelivery(
            v=1,
            kind="delivery",
            delivery_id=f"{self.feed[:40]}-{self.own[:16]}",
            feed=self.feed,
            at=instant(span(date, zone).first // 1000),
            count=self.count,
            sha256=self.sha256,
        )
        with Publisher(settings, "consents") as publisher:
            return None not in publisher.write([(self.feed.encode(), encode(told))])


def _feeds(settings: Settings) -> set[str]:
    """The ids of all registered feeds."""
    found: set[str] = set()
    with Reader(settings) as reader:
        for record in reader.read("reference"):
            with suppress(ValueError, LookupError, TypeError):
                said = orjson.loads(record.value or b"")
                found |= {said["id"]} if said["kind"] == "feed" else set()
    return found
