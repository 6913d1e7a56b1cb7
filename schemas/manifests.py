"""Models of the manifest: the summary of one transaction, chained to the one before."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.audit import ErrorKey, Mode
from schemas.decision import DecisionId, PolicyRef, Verdict
from schemas.values import Count, Digest, Id, Instant, Many, Model, Version


class Gap(Model):
    """Offsets without a readable record (markers, aborted transactions): the first one and their number."""

    first: Count
    n: Count


class ManifestInput(Model):
    """Input of a transaction from one topic: offsets from `first` to before `to`, `n` records, and the gaps.

    `era`: how often the offsets had begun anew, because the log was replaced by another. Absent for the first one.
    """

    topic: str
    first: Annotated[Count, Field(alias="from")]
    to: Count
    n: Count
    gaps: Many[Gap]
    era: Count = 0


class Skipped(Model):
    """Offsets of an input that a person skipped undecided: from `first` to before `to`, with the actor.

    `topic`: the broker's name. `act`, `offset`: the act's id, and its offset on `acts`; the audit record of that input
    is the act's. `refused`: the error for which the partition was refused. If `to` is below `first`, the partition went
    back, because its log ends before the position.
    """

    topic: str
    first: Annotated[Count, Field(alias="from")]
    to: Count
    act: Id
    offset: Count
    by: Id
    refused: ErrorKey


class ManifestOutputs(Model):
    """Number of records that a transaction wrote, by output.

    `result`: absent in manifests of releases before the topic `results`.
    """

    cleared: Count = 0
    review: Count = 0
    confirm: Count = 0
    recall: Count = 0
    dead: Count = 0
    result: Count = 0


class ManifestAudit(Model):
    """The audit records of a transaction: the first decision id, and their number."""

    from_id: DecisionId | None
    n: Count


class Manifest(Model):
    """Summary of one transaction, chained to the partition's previous manifest by `prev`, to its records by `root`.

    `skipped`: offsets that the partition passed over after this transaction, when it had been refused.
    """

    v: Version
    writer: str
    kid: str
    partition: Count
    in_: Annotated[Many[ManifestInput], Field(alias="in")]
    asof: dict[str, Many[Count]]
    out: ManifestOutputs
    audit: ManifestAudit
    verdicts: dict[Verdict, Count]
    misplaced: Count = 0
    root: Digest
    prev: Digest | None
    policy: PolicyRef
    t0: Instant
    t1: Instant
    mode: Mode = "live"
    skipped: Many[Skipped] = ()
