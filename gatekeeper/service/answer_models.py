"""Forms of the service's answers, for whoever generates a client from its OpenAPI document."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from schemas.audit import Mode
from schemas.decision import DecisionId, Verdict
from schemas.events.suppressions import Lack, Row
from schemas.values import Code, Id, Instant


class ProblemAnswer(BaseModel):
    """A request or a value that was refused (RFC 9457). `title` is the English sentence."""

    model_config = ConfigDict(extra="allow")

    type: str
    status: int
    title: str
    ja: str
    en: str
    field: str | None = Field(None, description="the field of a value that was refused")


class SendDecision(BaseModel):
    """The decision on a send: verdict and codes, no name and no address.

    `duplicate_of`: the decision that cleared the same piece before. `duplicate_of_event`: the event id of its send, the
    same as your own if a request was repeated. `mode`: in `shadow` nothing goes out.
    """

    decision_id: DecisionId
    verdict: Verdict
    primary: Code | None
    reasons: list[Code]
    duplicate_of: DecisionId | None
    duplicate_of_event: Id | None
    mode: Mode
    at: Instant


class FactOutcome(BaseModel):
    """The outcome of one value: its place (TOPIC/PARTITION/OFFSET) once it is acknowledged, else the problem.

    A stop by name and address also has its `row`, and what a wide one lacks. Of several people each has an outcome.
    """

    line: int
    row: Row | None = None
    lacks: Lack | None = None
    place: str | None = None
    problem: ProblemAnswer | None = None


class SendOutcome(FactOutcome):
    """The outcome of one send, with its decision if it was waited for and came in time."""

    event_id: Id | None = None
    decision: SendDecision | None = None


class FactOutcomes(BaseModel):
    """The outcomes of NDJSON, one for each line that is not empty."""

    acknowledged: int
    refused: int
    facts: list[FactOutcome]


class CampaignAnswer(BaseModel):
    """The counts of a campaign, as the command `campaign show` has them.

    `mode`: `shadow` if any of its sends was decided in a shadow, which clears none. `expected`: pieces planned, else
    sends decided and `undecided`. `pieces`: decided sends without copies of a piece that was cleared before.
    `verdicts`: of each send as it was first decided. `incomplete`: results of it are no longer kept, so it is not done.
    `refused`, `faults`: records that became dead letters, by fault; they are not decided. `refused_of_no_campaign`:
    those that state no campaign, of the whole gate.
    `withheld`, `reasons`: as they stand now, by primary reason. `undecided`: the most sends that wait for a decision,
    of all campaigns. `behind`: partitions of `results` with an open transaction, whose results are not all counted.
    `positions`: the next offset of each partition of `results`; all before it is counted.
    """

    campaign: Id
    mode: Mode
    expected: int
    decided: int
    pieces: int
    verdicts: dict[Verdict, int]
    refused: int
    faults: dict[Code, int]
    refused_of_no_campaign: int
    cleared: int
    withheld: int
    reasons: dict[Code, int]
    recalled: int
    handed_off: int
    recalled_after_hand_off: int
    waiting_for_hand_off: int
    undecided: int
    done: bool
    incomplete: bool
    behind: list[int]
    positions: dict[str, list[int]]


class SendOutcomes(BaseModel):
    """The outcomes of NDJSON, one for each line that is not empty."""

    acknowledged: int
    refused: int
    sends: list[SendOutcome]
