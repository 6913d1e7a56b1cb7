"""Resolutions on `reference`: statements about unreadable records, and about versions of reference data."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from schemas.events.staff import TwoManagers, two_managers
from schemas.values import Id, Line, Model, Offset, Version, ZonedTime


class Resolution(Model):
    """The privacy manager's statement that an unreadable record was dealt with. It withholds nobody any more.

    `id`: of the statement. `topic`, `partition`, `offset`: the place of the record. `by`: who dealt with it. `reason`:
    how. `at`: when.
    """

    v: Version
    kind: Literal["resolution"]
    id: Id
    topic: Id
    partition: Annotated[int, Field(ge=0, lt=2**31)]
    offset: Offset
    by: Id
    reason: Line
    at: ZonedTime


RESOLVED = ("notice", "template", "joint_use_terms", "batch", "purpose")
"""The kinds of records of which two managers may say that they were always right."""


class VersionResolution(Model):
    """The statement of two managers that a version of a reference record was always right (rule 7.5.23).

    `id`: of the statement. `of`: kind/id of the record. `version`: its place in the order of arrival, 1 = the first. Of
    a purpose it says that forms with a wider purpose told it from the beginning (rule 8.2.45).
    `by`: the two managers. `evidence_ref`: where their reasons are kept. `at`: when.
    """

    v: Version
    kind: Literal["resolution"]
    id: Id
    of: Annotated[str, StringConstraints(pattern=rf"^({'|'.join(RESOLVED)})/[A-Za-z0-9][^/]{{0,63}}$")]
    version: Annotated[int, Field(ge=1, lt=2**31)]
    by: TwoManagers
    evidence_ref: Id
    at: ZonedTime

    @property
    def by_two(self) -> bool:
        """True if two different managers stand for the resolution."""
        return two_managers(self.by)


def _subject(value: Any) -> str:
    """The form of a resolution: `of` names a version, and any other one an unreadable record."""
    named = "of" in value if isinstance(value, dict) else isinstance(value, VersionResolution)
    return "version" if named else "record"


AnyResolution = Annotated[
    Annotated[Resolution, Tag("record")] | Annotated[VersionResolution, Tag("version")], Discriminator(_subject)
]
