"""AuthZEN 1.0: answers whether a piece may go to a person. The answer changes nothing, and is no clearance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Annotated, Any, Literal, TypeVar
from uuid import uuid4

import jiter
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gatekeeper.deciding.answer import answer
from gatekeeper.engine.evaluation import Moment
from gatekeeper.ground.metrics import EVALUATIONS
from gatekeeper.ground.texts import text
from gatekeeper.management.publication import LineFault, Publication
from gatekeeper.service.callers import Caller
from gatekeeper.service.problem import LANGUAGES, MEDIA, PROBLEMS, TYPE, Problem, of_line
from gatekeeper.service.request_lines import one
from gatekeeper.service.service_parts import TURN_SECONDS, PartsOf, ServiceParts, not_before_met
from schemas.codec import parsed
from schemas.events import Send

router = APIRouter()
MAX_EVALUATIONS = 1_000
QUESTION_BYTES, QUESTIONS_BYTES = 64 << 10, 4 << 20
OF_ACTION = Send.model_fields.keys() - {
    *("v", "event_id", "controller_id"),
    *("recipient_id", "contact_point", "delivery"),
}
"""Fields of a send that are properties of the action."""
OF_RESOURCE = frozenset(("contact_point", "delivery"))
"""Fields of a send that are properties of the recipient."""


M = TypeVar("M", bound=BaseModel)


class _Entity(BaseModel):
    model_config = ConfigDict(extra="forbid")

    properties: dict[str, Any] = Field(default_factory=dict)


class AccessSubject(_Entity):
    """The sender, who is a controller."""

    type: Literal["controller"]
    id: str


class AccessAction(_Entity):
    """The sending. `properties`: channel, purpose, message_class, template_id, and further fields of a send."""

    name: Literal["send"]


class AccessResource(_Entity):
    """The recipient. `properties`: contact_point and delivery of a send."""

    type: Literal["recipient"]
    id: str


class AccessContext(BaseModel):
    """`at_least`: places of facts that must count, as POST /v1/facts told them."""

    model_config = ConfigDict(extra="forbid")

    at_least: Annotated[list[str], Field(max_length=100)] = Field(default_factory=list)


class AccessRequest(BaseModel):
    """One question."""

    model_config = ConfigDict(extra="forbid")

    subject: AccessSubject
    action: AccessAction
    resource: AccessResource
    context: AccessContext = Field(default_factory=AccessContext)


class AccessOptions(BaseModel):
    """`evaluations_semantic`: whether the first answer of a kind ends the list."""

    model_config = ConfigDict(extra="forbid")

    evaluations_semantic: Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"] = "execute_all"


class AccessPartial(BaseModel):
    """One question of several; what it lacks is that of the whole request."""

    model_config = ConfigDict(extra="forbid")

    subject: AccessSubject | None = None
    action: AccessAction | None = None
    resource: AccessResource | None = None
    context: AccessContext | None = None


class AccessRequests(AccessPartial):
    """Several questions at one instant."""

    evaluations: Annotated[list[AccessPartial], Field(max_length=MAX_EVALUATIONS)] = Field(default_factory=list)
    options: AccessOptions = Field(default_factory=AccessOptions)


class AccessAnswer(BaseModel):
    """`decision`: True for the verdict `clear` alone. `context`: reasons in both languages, policy, positions."""

    decision: bool
    context: dict[str, Any]


class AccessAnswers(BaseModel):
    """The answers, in the order of the questions."""

    evaluations: list[AccessAnswer]


@router.get("/.well-known/authzen-configuration", include_in_schema=False)
async def configuration(parts: PartsOf) -> dict[str, str]:
    """The addresses of the end points, as AuthZEN's clients look for them."""
    base = parts.url.rstrip("/")
    return {
        "policy_decision_point": base,
        "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
    }


@router.post("/access/v1/evaluation", response_model=AccessAnswer, responses=PROBLEMS)
async def evaluation(request: Request, parts: PartsOf) -> JSONResponse:
    """Judges as the gate would now, by the same facts; `decision` is true only for `clear`."""
    caller = await parts.callers.caller(request, "access")
    with caller.busy(), parts.bodies.room(caller.id, request, QUESTION_BYTES):
        question = _read(AccessRequest, await one(request, QUESTION_BYTES))
        caller.bring(1)
        _demand_theirs(caller, [question])
        await not_before_met(parts.live, question.context.at_least)
        async with caller.judging:
            (response,) = _answered(parts, await parts.live.moment(), [question])
    if error := response["context"].get("error"):
        return JSONResponse(error, 400, media_type=MEDIA)
    return _identified(request, response)


@router.post("/access/v1/evaluations", response_model=AccessAnswers, responses=PROBLEMS)
async def evaluations(request: Request, parts: PartsOf) -> JSONResponse:
    """Judges several; each by all facts that were acknowledged before the request, at least."""
    caller = await parts.callers.caller(request, "access")
    with caller.busy(), parts.bodies.room(caller.id, request, QUESTIONS_BYTES):
        batch = _read(AccessRequests, await one(request, QUESTIONS_BYTES))
        questions = [_whole(batch, partial) for partial in batch.evaluations or [AccessPartial()]]
        caller.bring(len(questions))
        _demand_theirs(caller, questions)
        await not_before_met(
            parts.live, list(dict.fromkeys(p for question in questions for p in question.context.at_least))
        )
        responses, end = list[dict[str, Any]](), _END[batch.options.evaluations_semantic]
        while len(responses) < len(questions) and (not responses or responses[-1]["decision"] is not end):
            async with caller.judging:
                now = await parts.live.moment()  # for each part anew: no answer may rest on facts that have grown old
                responses += _answered(parts, now, questions[len(responses) :], end)
    return _identified(request, {"evaluations": responses} if batch.evaluations else responses[0])


_END: Mapping[str, bool | None] = {
    "execute_all": None,
    "deny_on_first_deny": False,
    "permit_on_first_permit": True,
}


def _answered(
    parts: ServiceParts, now: Moment, questions: Sequence[AccessRequest], end: bool | None = None
) -> list[dict[str, Any]]:
    """The answers to the first questions at that instant, counted by decision: as many as TURN_SECONDS allow.

    `end`: the decision that ends the list.
    """
    until = monotonic() + TURN_SECONDS
    positions, responses = parts.live.facts.positions(), list[dict[str, Any]]()
    for question in questions:
        responses.append(judged(now, question, positions=positions))
        decision, context = responses[-1]["decision"], responses[-1]["context"]
        parts.metrics.count(EVALUATIONS, str(decision).lower(), context.get("primary", "invalid") or "")
        if responses[-1]["decision"] is end or monotonic() >= until:
            break
    return responses


def judged(now: Moment, asked: AccessRequest, *, positions: Mapping[str, list[int]]) -> dict[str, Any]:
    """The answer to one question at that instant, as AuthZEN's response. `positions`: those of the facts."""
    try:
        send = sent(asked)
    except Problem as refused:
        return {"decision": False, "context": {"error": refused.body}}
    if isinstance(send, LineFault):
        sentences = {str(lang): send.sentence(lang) for lang in LANGUAGES}
        wrong = {"type": f"{TYPE}{send.fault}", "status": 400, "title": sentences["en"], "field": send.field}
        return {"decision": False, "context": {"error": wrong | sentences}}
    decision = now.evaluate(parsed(send)).decision
    return {
        "decision": decision.verdict == "clear",
        "context": {
            **answer(decision, send.channel),
            "mode": now.mode,
            "asking": decision.verdict == "confirm",
            "positions": positions,
            "clearance": {lang: text("problem.no_clearance", lang) for lang in LANGUAGES},
        },
    }


def sent(asked: AccessRequest) -> Send | LineFault:
    """The send that a question is about, or its fault; raises Problem (400) for an unknown property.

    Without a campaign of its own it gets a new id, so no earlier piece is the same.
    """
    action, resource = asked.action.properties, asked.resource.properties
    for given, allowed in ((action, OF_ACTION), (resource, OF_RESOURCE), (asked.subject.properties, frozenset[str]())):
        if unknown := sorted(given.keys() - allowed):
            raise Problem(400, "property_unknown", name=_shown(unknown[0]), allowed=", ".join(sorted(allowed)) or "-")
    id_ = f"evaluation-{uuid4().hex}"
    value = {"v": 1, "event_id": id_, "campaign_id": id_, "controller_id": asked.subject.id}
    value |= {**action, "recipient_id": asked.resource.id, **resource}
    send: Send | LineFault = Publication("sends").read(
        json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    )
    return send


def _demand_theirs(caller: Caller, questions: Sequence[AccessRequest]) -> None:
    """Raises Problem (403) for a question about mail of a company for which the caller does not speak."""
    ours = caller.entry.controllers
    for number, question in enumerate(questions, 1):
        if ours is not None and question.subject.id not in ours:
            raise of_line(403, "controller_not_yours", number, "subject.id", caller=caller.id)


def _whole(batch: AccessRequests, partial: AccessPartial) -> AccessRequest:
    """One of several questions, with what it takes from the whole request."""
    fields = {
        name: getattr(partial, name) or getattr(batch, name)
        for name in ("subject", "action", "resource", "context")
        if getattr(partial, name) or getattr(batch, name)
    }
    if lacking := next((name for name in ("subject", "action", "resource") if name not in fields), None):
        raise Problem(400, "question_lacks", name=lacking)
    return AccessRequest(**fields)


def _read(model: type[M], content: bytes) -> M:
    """The question in a body; raises RequestValidationError with its place, or Problem (400) for what is no JSON."""
    try:
        return model.model_validate(jiter.from_json(content, allow_inf_nan=False, catch_duplicate_keys=True))
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_input=False, include_url=False)) from None
    except ValueError:
        raise Problem(400, "not_json") from None


def _shown(name: str) -> str:
    """A name from outside, if it is a plain word: it may be anything, a person's name included."""
    return name if name.isascii() and name.isidentifier() and len(name) <= 32 else "…"


def _identified(request: Request, response: Mapping[str, Any]) -> JSONResponse:
    """The answer, with the caller's own id of the request (AuthZEN, X-Request-ID)."""
    id_ = request.headers.get("x-request-id", "")
    return JSONResponse(response, headers={"X-Request-ID": id_} if id_ and id_.isprintable() and id_.isascii() else {})
