"""Errors of the service as RFC 9457 asks: `application/problem+json`, with the sentence in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gatekeeper.engine.failures import fingerprint, frames
from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.ground.metrics import REQUESTS_REFUSED
from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.ground.texts import Language, text, wrong
from gatekeeper.service.answer_models import ProblemAnswer

TYPE = "urn:gatekeeper:problem:"
MEDIA = "application/problem+json"
LANGUAGES: tuple[Language, ...] = ("ja", "en")
PROBLEMS: dict[int | str, dict[str, Any]] = {"default": {"model": ProblemAnswer, "description": "a problem"}}
"""The answers of every path that does not do what it was asked, for the OpenAPI document."""
log = structlog.get_logger("serve")


class Problem(Exception):
    """A request that is not done, with its status. `name`: a key below `problem` in the catalogue, with its values.

    `more`: further members of the answer. `headers`: further headers.
    """

    def __init__(
        self,
        status: int,
        name: str,
        /,
        *,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> None:
        super().__init__(name)
        self.status, self.name, self.values = status, name, values
        self.more, self.headers = dict(more or {}), dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        sentences = {
            lang: text(f"problem.{self.name}", lang, **{name: _in(value, lang) for name, value in self.values.items()})
            for lang in LANGUAGES
        }
        return _body(self.status, self.name, sentences) | self.more


class Detail(NamedTuple):
    """The fault that pydantic found, as a value of a sentence."""

    error: Mapping[str, Any]


def of_line(status: int, name: str, line: int, field: str, **values: Any) -> Problem:
    """The refusal of a request for one of its values, which the answer names by line and field."""
    return Problem(status, name, more={"line": line, "field": field}, line=line, field=field, **values)


def handle(app: FastAPI, metrics: Metrics) -> None:
    """Makes an app answer every error as a problem, and count it; none shows a detail of an unexpected error."""

    def told(_: Request, error: Exception) -> JSONResponse:
        answer, name = _told(error)
        metrics.count(REQUESTS_REFUSED, name)
        return answer

    for kind in (Problem, GatekeeperError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, told)


def _told(error: Exception) -> tuple[JSONResponse, str]:
    """The answer to an error, and the name of the problem."""
    if isinstance(error, GatekeeperError):
        sentences = {lang: text(error.key, lang, **error.values) for lang in LANGUAGES}
        name = error.key.rpartition(".")[2]
        return JSONResponse(_body(error.http_status, name, sentences), error.http_status, media_type=MEDIA), name
    problem = error if isinstance(error, Problem) else _of_others(error)
    return JSONResponse(problem.body, problem.status, headers=problem.headers, media_type=MEDIA), problem.name


def _of_others(error: Exception) -> Problem:
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        # the name of a foreign field comes from outside, and may be a person's
        names = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
        return Problem(400, "request_wrong", place=".".join(map(str, names)), detail=Detail(first))
    if isinstance(error, HTTPException):
        names = {404: "no_such_path", 405: "no_such_method"}
        return Problem(error.status_code, names.get(error.status_code, "request_strange"))
    log.error("request_failed", error=type(error).__name__, code=fingerprint(error), frames=frames(error))
    return Problem(500, "defect")


def _in(value: Any, lang: Language) -> Any:
    return wrong(value.error, lang) if isinstance(value, Detail) else value


def _body(status: int, name: str, sentences: Mapping[Language, str]) -> dict[str, Any]:
    return {
        "type": TYPE + name,
        "status": status,
        "title": sentences["en"],
        "ja": sentences["ja"],
        "en": sentences["en"],
    }
