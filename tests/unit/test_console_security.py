"""Requests that change something: only a page of the console may make them, whatever another page tries."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gatekeeper.console.security import Guard
from gatekeeper.console.session import Denied
from gatekeeper.texts import text

METHODS = ("POST", "PUT", "PATCH", "DELETE")
FORGED = (
    {},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},  # another name of the same company
    {"sec-fetch-site": "cross-site", "origin": "https://gate.example"},
    {"sec-fetch-site": ""},
    {"origin": "https://elsewhere.example"},
    {"origin": "null"},  # a page in a sandbox, or a form that was redirected
    {"origin": ""},
    {"origin": "null", "referer": "https://gate.example/"},
    {"origin": "https://gate.example:8443"},
    {"origin": "https://gate.example.elsewhere.example"},
    {"origin": "https://gate.example@elsewhere.example"},
    {"referer": "https://elsewhere.example/?https://gate.example/"},
    {"referer": "https://["},
    {"referer": "gate.example"},
)
"""What browsers send along with a request that a page elsewhere makes them make."""
OWN = (
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"sec-fetch-site": "same-origin", "origin": "https://gate.example"},
    {"origin": "https://gate.example"},
    {"origin": "http://gate.example"},  # a proxy with TLS stands before it, or none does
    {"referer": "https://gate.example/items/X?state=open"},
)


def answer(method: str, headers: dict[str, str]) -> httpx.Response:
    def told(request: Request, error: Exception) -> Response:
        assert isinstance(error, Denied)
        return PlainTextResponse(text(error.key, "ja") + text(error.key, "en"), error.status)

    def done(request: Request) -> Response:
        return PlainTextResponse("done")

    async def ask() -> httpx.Response:
        app = Guard(Starlette(routes=[Route("/", done, methods=[*METHODS, "GET"])]), None, told)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://gate.example") as client:
            return await client.request(method, "/", headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("headers", FORGED, ids=str)
def test_a_request_that_another_page_makes_then_403_for_every_unsafe_method(headers: dict[str, str]) -> None:
    for method in METHODS:
        refused = answer(method, headers)
        assert refused.status_code == 403, method
        assert "何もしていません" in refused.text
        assert "Nothing was done" in refused.text
    assert answer("GET", headers).text == "done", "looking is not forged"


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_a_request_of_our_own_page_then_it_is_done(headers: dict[str, str]) -> None:
    for method in METHODS:
        assert answer(method, headers).text == "done", method


def test_no_host_then_no_page_is_its_own() -> None:
    assert answer("POST", {"host": "", "origin": ""}).status_code == 403
