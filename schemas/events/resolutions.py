"""Resolutions on `reference`: statements about unreadable records, and about versions of reference data."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from schemas.events.staff import TwoManagers, two_managers
from schemas.values import Id, Line, Many, Model, Offset, Version, ZonedTime

NoName = Annotated[str, StringConstraints(pattern=r"^(suppression|event)/[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$")]
"""A suppression by its id, or an event of `consents` by its record id."""
MAX_NOS = 10_000
"""Nos that one resolution names, at most."""
PURPOSE = "purpose/"


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


class _OfManagers(Model):
    """A resolution of two managers. `by`: the two. `evidence_ref`: where their reasons are kept."""

    v: Version
    kind: Literal["resolution"]
    id: Id
    by: TwoManagers
    evidence_ref: Id
    at: ZonedTime

    @property
    def by_two(self) -> bool:
        """True if two different managers stand for the resolution."""
        return two_managers(self.by)


class VersionResolution(_OfManagers):
    """The statement of two managers that a version of a reference record was always right (rule 7.5.23).

    `id`: of the statement. `of`: kind/id of the record. `version`: its place in the order of arrival, 1 = the first.
    `by`: the two managers. `evidence_ref`: where their reasons are kept. `at`: when.
    """

    of: Annotated[str, StringConstraints(pattern=r"^(notice|template|joint_use_terms|batch)/[A-Za-z0-9][^/]{0,63}$")]
    version: Annotated[int, Field(ge=1, lt=2**31)]


class PurposeResolution(_OfManagers):
    """The statement of two managers that forms for a wider purpose told a purpose from the beginning (rule 8.2.45).

    `id`: of the statement. `of`: purpose/id. `by`: the two managers. `evidence_ref`: where the form is kept.
    `at`: when.
    """

    of: Annotated[str, StringConstraints(pattern=rf"^{PURPOSE}[A-Za-z0-9][^/]{{0,63}}$")]


class NosResolution(_OfManagers):
    """The statement of two managers about many nos at once, such as an old stop list (rules 8.1.40, 8.1.41).

    It holds for what was recorded before `at`, and for no later version of the same id. A suppression that does not say
    when it was recorded was recorded when it arrived.

    `id`: of the statement. `confirms`: `dates` says that these nos are rightly dated. `corrections` says that these
    events of before take a no away. `of`: the nos, or the corrections. `before`: also all nos recorded before then.
    `by`: the two managers. `evidence_ref`: where their reasons are kept. `at`: when.
    """

    confirms: Literal["dates", "corrections"]
    of: Annotated[Many[NoName], Field(max_length=MAX_NOS)] = ()
    before: ZonedTime | None = None


def _subject(value: Any) -> str:
    """The form of a resolution: `confirms` is of nos, `of` of a purpose or version. Without both it is of a record."""
    if "confirms" in value if isinstance(value, dict) else isinstance(value, NosResolution):
        return "nos"
    of = value.get("of") if isinstance(value, dict) else getattr(value, "of", None)
    return "record" if of is None else "purpose" if str(of).startswith(PURPOSE) else "version"


AnyResolution = Annotated[
    Annotated[Resolution, Tag("record")]
    | Annotated[VersionResolution, Tag("version")]
    | Annotated[PurposeResolution, Tag("purpose")]
    | Annotated[NosResolution, Tag("nos")],
    Discriminator(_subject),
]
