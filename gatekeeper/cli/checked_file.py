"""A file that `publish` checks line by line, with the campaigns of its lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

import jiter

from gatekeeper.cli.output import note, progress_bar
from gatekeeper.cli.rejects import Rejects
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import text
from gatekeeper.lists import Rejected
from gatekeeper.lists.rows import LINE_BYTES
from gatekeeper.management.files import lines
from gatekeeper.management.publication import LineFault, Publication
from schemas.codec import KEY_BYTES
from schemas.topics import subject_key
from streams.client.publisher import FromLine
from streams.operations.publishing import Earlier

SHOWN = 10
"""Rejected lines that are reported one by one."""
TOLD = 100
"""Rejected lines in the JSON; the file of rejects has all."""
CAMPAIGNS = 5
"""Campaigns of a file that are reported one by one."""


class CheckedFile:
    """One checked file: counts of right and rejected lines, and the campaigns of its sends."""

    def __init__(self, publication: Publication, file: Path, from_line: int, allow_invalid: bool) -> None:
        self.last = self.right = self.others = 0
        self.campaigns: Counter[str] = Counter()
        self._publication, self._file, self._from, self._all = publication, file, from_line, allow_invalid
        self._causes: Counter[str] = Counter()
        self._lines: list[dict[str, Any]] = []
        self._rejects: Path | None = None

    @property
    def rejected(self) -> int:
        """Number of lines that are not published."""
        return self._causes.total()

    def read(self, handle: IO[bytes], rejects: Path | None) -> None:
        """Reads every line as the gate will; notes faults on stderr, and writes them into the file of rejects.

        Raises UsageError (2) if the file ends before the first line to publish.
        """
        writing = Rejects(rejects, from_line=self._from, as_json=rejects.suffix.lower() != ".csv") if rejects else None
        with writing or nullcontext(), progress_bar() as bar:
            task = bar.add_task(text("cli.publish_checking"), total=None)
            for number, value in lines(handle, self._file):
                self.last = number
                bar.advance(task)
                if number < self._from:
                    continue
                parsed = self._publication.read(value)
                if not isinstance(parsed, LineFault) or self._lets(parsed):
                    self._take(value, parsed)
                else:
                    self._reject(parsed, writing)
        if self._from > self.last:
            raise UsageError("error.publish_beyond", file=self._file, line=self._from, last=self.last)
        if self.rejected and writing:
            self._rejects = writing.path
            note("publish.rejected_into", count=f"{self.rejected:,}", path=writing.path)
        elif self.rejected:
            note("publish.rejected", count=f"{self.rejected:,}")

    def records(self, handle: IO[bytes]) -> Iterator[FromLine]:
        """Yields the lines to publish, each with the key of its record."""
        handle.seek(0)
        for number, value in lines(handle, self._file):
            if self._from <= number <= self.last:
                parsed = self._publication.read(value)
                if not isinstance(parsed, LineFault):
                    yield number, subject_key(self._publication.topic, parsed).encode(), value
                elif self._lets(parsed):
                    yield number, _seeming_key(value), value

    def told(self, earlier: Earlier | None) -> dict[str, Any]:
        """The rejected lines and the first campaigns, for programs.

        `new`: none of the latest sends, `among` in number, is of the campaign; None if unknown. `among_all`: these are
        all sends on the topic.
        """
        return {
            "rejected": self.rejected,
            "causes": dict(self._causes),
            "rejects": str(self._rejects) if self._rejects else None,
            "rejected_lines": self._lines,
            "campaigns": [
                {
                    "campaign": campaign,
                    "sends": count,
                    "new": None if earlier is None else campaign not in earlier.campaigns,
                    "among": None if earlier is None else earlier.among,
                    "among_all": None if earlier is None else earlier.whole,
                }
                for campaign, count in self.campaigns.items()
            ],
        }

    def _lets(self, fault: LineFault) -> bool:
        """True for a line that nobody can read, if such may pass. A mark of the gate's own would be read."""
        return self._all and fault.fault != "row_given"

    def _take(self, value: bytes, parsed: Any) -> None:
        if self._all and len(value) >= LINE_BYTES - 1:
            raise UsageError("error.line_too_long", file=self._file, line=self.last, limit=LINE_BYTES)
        self.right += 1
        if self._publication.topic == "sends" and not isinstance(parsed, LineFault):
            if parsed.campaign_id in self.campaigns or len(self.campaigns) < CAMPAIGNS:
                self.campaigns[parsed.campaign_id] += 1
            else:
                self.others += 1

    def _reject(self, fault: LineFault, writing: Rejects | None) -> None:
        sentence = fault.sentence()
        if self.rejected < SHOWN:
            key = "publish.rejected_field" if fault.field else "publish.rejected_line"
            note(key, file=self._file, line=self.last, field=fault.field, sentence=sentence)
        if self.rejected < TOLD:
            rejected = {"line": self.last, "field": fault.field, "cause": fault.fault, "sentence": sentence}
            self._lines.append(rejected)
        self._causes[fault.fault] += 1
        if writing:
            writing.add(Rejected(self.last, self.last, "", fault.field, f"fault.{fault.fault}"), sentence)


def _seeming_key(value: bytes) -> bytes | None:
    """The recipient id that an unreadable line seems to name."""
    try:
        recipient = jiter.from_json(value)["recipient_id"].encode()
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return recipient if len(recipient) <= KEY_BYTES else None
