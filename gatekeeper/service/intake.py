"""Publishes sends and facts: each is checked as `gatekeeper publish` does, and Kafka acknowledges it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import jiter
from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import JSONResponse

from gatekeeper.engine.outputs import traced
from gatekeeper.ground.metrics import STOPS_BEYOND
from gatekeeper.ground.texts import text
from gatekeeper.identity import given_mark
from gatekeeper.knowledge.token_keys import named_by
from gatekeeper.management.publication import LineFault, Publication
from gatekeeper.policy.packs import Packs
from gatekeeper.service.answer_models import FactOutcome, FactOutcomes, SendOutcome, SendOutcomes
from gatekeeper.service.callers import Caller
from gatekeeper.service.named_stops import named_stop
from gatekeeper.service.problem import LANGUAGES, MEDIA, PROBLEMS, TYPE, Problem, of_line
from gatekeeper.service.remit import beyond
from gatekeeper.service.request_lines import lines
from gatekeeper.service.service_parts import PartsOf, ServiceParts, in_turns, not_before_met
from schemas.codec import encode
from schemas.events import Fact, Send, Suppression
from schemas.record import Headers
from schemas.topics import subject_key
from streams.client.outgoing import Outgoing
from streams.client.publisher import RecordMetadata
from streams.serving.decision_feed import CommittedDecision
from streams.serving.live_state import LiveState

router = APIRouter(prefix="/v1")
MAX_WAIT = 60.0
"""Seconds that a caller may wait for decisions."""
STATED = ("sources", "consents", "suppressions")
"""Topics of facts that programs state. Records of `reference` need the signature of a person."""
KEY_PATTERN = r"^[!-~]{1,128}$"


@router.post(
    "/sends",
    status_code=202,
    response_model=SendOutcome | SendOutcomes,
    responses={200: {"model": SendOutcome | SendOutcomes, "description": "all decisions are there"}, **PROBLEMS},
)
async def publish(
    request: Request,
    parts: PartsOf,
    wait: Annotated[
        float, Query(ge=0, le=MAX_WAIT, allow_inf_nan=False, description="seconds to wait for the decisions")
    ] = 0.0,
    not_before: Annotated[list[str], Query(description="places of facts that count, such as consents/0/17")] = [],  # noqa: B006
    idempotency_key: Annotated[str | None, Header(pattern=KEY_PATTERN)] = None,
) -> JSONResponse:
    """Publishes one send, or one on each line of NDJSON.

    With the header `Idempotency-Key` the event ids are made from caller, key and send, and the body has none. A request
    that is repeated is decided as DUPLICATE_SEND if it was cleared before, and `duplicate_of_event` is its own event. A
    send of a company for which the caller does not speak refuses the whole request.
    """
    caller = await parts.callers.caller(request, "sends")
    with caller.busy(), parts.live.decisions.kept():
        with parts.bodies.room(caller.id, request):
            values, many = await lines(request)
            caller.bring(len(values))
            parts.live.demand_ready()
            await not_before_met(parts.live, not_before)
            packs = parts.live.evaluator.holding(parts.live.facts.store)
            trace = traced([(name.decode("latin-1"), value) for name, value in request.headers.raw])
            taken = _Intake("sends", parts, caller, packs=packs, headers=trace)
            ids = partial(parts.event_ids.of, caller.id, idempotency_key) if idempotency_key is not None else None
            if ids is not None and parts.event_ids.several and not await parts.live.ledger.confirmed():
                raise Problem(503, "facts_late", headers={"Retry-After": "1"})
            async for number, value in in_turns(values):
                taken.add(number, value, ids)
            del values  # it may wait for long
            await taken.write()
        decided = await _decided(parts.live, taken.places, wait) if wait and taken.places else {}
        return taken.answer(many=many, decided=decided, waited=wait > 0)


@router.post("/facts/{topic}", response_model=FactOutcome | FactOutcomes, responses=PROBLEMS)
async def state(
    request: Request, parts: PartsOf, topic: Annotated[str, Path(description="sources, consents or suppressions")]
) -> JSONResponse:
    """States one fact, or one on each line of NDJSON; a withdrawal binds from the answer on.

    The place in the answer may be named in `at_least` of an evaluation, and in `not_before` of a send. A stop of a
    person may come by any caller. Of all else a company's caller states what concerns its own companies.
    """
    caller = await parts.callers.caller(request, "facts")
    if topic not in STATED:
        raise Problem(404, "no_such_facts", allowed=", ".join(STATED))
    with caller.busy(), parts.bodies.room(caller.id, request):
        values, many = await lines(request)
        caller.bring(len(values))
        taken = _Intake(topic, parts, caller, headers=(("gate-caller", caller.id.encode()),))
        async for number, value in in_turns(values):
            taken.add(number, value, None)
        await taken.write()
        return taken.answer(many=many, decided={}, waited=False)


class _Intake:
    """The values of one request on their way to a topic, each with its outcome."""

    def __init__(
        self, topic: str, parts: ServiceParts, caller: Caller, *, packs: Packs | None = None, headers: Headers = ()
    ) -> None:
        """`packs`: those in force for sends; None for facts, of which only the contract is checked."""
        self._topic, self._live, self._headers = topic, parts.live, headers
        self._caller, self._metrics, self._stops = caller, parts.metrics, 0
        store = self._live.facts.store
        reference, keys = store.reference if packs is not None else None, store.token_keys.ours.keys()
        self._publication = Publication(topic, reference=reference, packs=packs, at=self._live.clock.now(), keys=keys)
        self._outcomes: list[dict[str, Any]] = []
        self._records: list[tuple[dict[str, Any], Outgoing]] = []
        self._duties: list[Outgoing] = []
        self._placed: list[tuple[dict[str, Any], RecordMetadata]] = []

    @property
    def places(self) -> list[RecordMetadata]:
        """The places of what was acknowledged."""
        return [place for _, place in self._placed]

    def add(self, line: int, value: bytes, ids: Callable[[Mapping[str, Any]], Sequence[str]] | None) -> None:
        """Takes one value. `ids`: gives a send its event ids under all keys, the newest first.

        Raises Problem (403) for a value for which the caller does not speak.
        """
        outcome: dict[str, Any] = {"line": line}
        self._outcomes.append(outcome)
        named: Sequence[str] = ()
        try:
            if ids is not None:
                value, named = _named(value, ids)
        except Problem as refused:
            outcome["problem"] = refused.body
            return
        read = self._topic == "suppressions" and given_mark(value) is None
        stop = named_stop(value, self._live.tokens) if read else None
        if stop is not None and stop.cause:
            self._refuse(outcome, f"row.{stop.cause}", stop.cause, stop.field)
            if isinstance(duty := self._publication.read(stop.values[0], made=True), Suppression):
                self._demand_theirs(line, duty)
                self._duties.append(self._outgoing(duty, named_by(self._live.tokens.prints)))
            return
        if stop is not None:
            outcome |= {"row": stop.row, "lacks": stop.lacks} if stop.lacks else {"row": stop.row}
            for number, each in enumerate(stop.values):
                if number:
                    outcome = {**{name: outcome[name] for name in ("line", "row", "lacks") if name in outcome}}
                    self._outcomes.append(outcome)
                self._take(line, outcome, each, (), named_by(self._live.tokens.prints), made=True)
            return
        self._take(line, outcome, value, named)

    def _refuse(self, outcome: dict[str, Any], key: str, name: str, field: str) -> None:
        sentences = {str(lang): text(key, lang) for lang in LANGUAGES}
        kind = {"type": f"{TYPE}{name}", "status": 422, "title": sentences["en"]}
        outcome["problem"] = {**kind, "field": field, **sentences}

    def _outgoing(self, value: Any, more: Headers = ()) -> Outgoing:
        key = subject_key(self._topic, value).encode()
        return Outgoing(self._topic, key, encode(value), headers=(*self._headers, *more))

    def _take(
        self,
        line: int,
        outcome: dict[str, Any],
        value: bytes,
        named: Sequence[str],
        more: Headers = (),
        *,
        made: bool = False,
    ) -> None:
        """Takes one value in the form of its topic. `named`: the event ids of a send, the newest first."""
        parsed = self._publication.read(value, made=made)
        if isinstance(parsed, LineFault):
            sentences = {str(lang): parsed.sentence(lang) for lang in LANGUAGES}
            kind = {"type": f"{TYPE}{parsed.fault}", "status": 422, "title": sentences["en"]}
            outcome["problem"] = {**kind, "field": parsed.field, **sentences}
            return
        self._demand_theirs(line, parsed)
        if before := self._live.cleared_as(parsed, named[1:]) if len(named) > 1 else None:
            parsed = parsed.model_copy(update={"event_id": before})
        if self._topic == "sends":
            outcome["event_id"] = parsed.event_id
        self._records.append((outcome, self._outgoing(parsed, more)))

    def _demand_theirs(self, line: int, value: Send | Fact) -> None:
        ours, store = self._caller.entry.controllers, self._live.facts.store
        if ours is None or (excess := beyond(value, ours, store.companies)) is None:
            return
        if excess.problem is not None:
            raise of_line(403, excess.problem, line, excess.field, caller=self._caller.id)
        self._stops += 1

    async def write(self) -> None:
        """Writes what can be read, and waits for Kafka's acknowledgements.

        Raises Problem, before anything is written, if the caller states too many stops beyond its companies.
        """
        if self._stops:
            self._caller.stop(self._stops)
            self._metrics.count(STOPS_BEYOND, self._caller.id, n=self._stops)
        places = await self._live.writer.write([*(record for _, record in self._records), *self._duties])
        for (outcome, _), place in zip(self._records, places[: len(self._records)], strict=True):
            if place is None:
                outcome["problem"] = Problem(504, "not_acknowledged").body
            else:
                outcome["place"] = written(place)
                self._placed.append((outcome, place))

    def answer(self, *, many: bool, decided: dict[tuple[int, int], CommittedDecision], waited: bool) -> JSONResponse:
        """The answer to the request. `decided`: decisions by partition and offset. `waited`: they were waited for."""
        for outcome, place in self._placed:
            if committed := decided.get((place.partition, place.offset)):
                outcome["decision"] = decision(committed)
        if not self._placed:
            status = max(outcome["problem"]["status"] for outcome in self._outcomes)
        elif self._topic == "sends" and not (waited and len(decided) == len(self._placed)):
            status = 202
        else:
            status = 200
        if many or len(self._outcomes) > 1:
            name = "facts" if self._topic != "sends" else "sends"
            counts = {"acknowledged": len(self._placed), "refused": len(self._outcomes) - len(self._placed)}
            return JSONResponse({**counts, name: self._outcomes}, status)
        (alone,) = self._outcomes
        if problem := alone.pop("problem", None):
            return JSONResponse({**alone, **problem}, status, media_type=MEDIA)
        return JSONResponse(alone, status)


def written(place: RecordMetadata) -> str:
    """A place as text: topic, partition and offset."""
    return f"{place.topic}/{place.partition}/{place.offset}"


def decision(found: CommittedDecision) -> dict[str, Any]:
    """The decision on one send, for its publisher: verdict and codes, no name and no address."""
    codes = [reason.code for reason in found.reasons]
    return {
        "decision_id": found.did,
        "verdict": found.verdict,
        "primary": codes[0] if codes else None,
        "reasons": codes,
        "duplicate_of": found.clearance if "DUPLICATE_SEND" in codes else None,
        "duplicate_of_event": found.clearance_event if "DUPLICATE_SEND" in codes else None,
        "mode": found.mode,
        "at": found.at,
    }


async def _decided(
    live: LiveState, places: Sequence[RecordMetadata], seconds: float
) -> dict[tuple[int, int], CommittedDecision]:
    return await live.decisions.decisions([(place.partition, place.offset) for place in places], seconds=seconds)


def _named(value: bytes, ids: Callable[[Mapping[str, Any]], Sequence[str]]) -> tuple[bytes, Sequence[str]]:
    """A send with the first of its event ids, and all of these.

    Other values stay as they are, for the contract to refuse. Raises Problem (422) for a send that has its own id.
    """
    try:
        content = jiter.from_json(value, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError:
        return value, ()
    if not isinstance(content, dict):
        return value, ()
    if "event_id" in content:
        raise Problem(422, "event_id_twice")
    named = ids(content)
    return json.dumps({**content, "event_id": named[0]}, ensure_ascii=False).encode("utf-8", "surrogatepass"), named
