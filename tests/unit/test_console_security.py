"""Requests that change something: only a page of the console may make them, whatever another page tries."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gatekeeper.console.app import Server
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
    {"origin": "http://gate.example"},  # where anybody on the way could have put a page
    {"referer": "http://gate.example/items/X"},
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
    {"referer": "https://gate.example/items/X?state=open"},
)


def answer(method: str, headers: dict[str, str], scheme: str = "https", proxy: str = "127.0.0.1") -> httpx.Response:
    """Returns what the console's server answers; `scheme`: by what it was reached, from the address `proxy`."""

    def told(request: Request, error: Exception) -> Response:
        assert isinstance(error, Denied)
        return PlainTextResponse(text(error.key, "ja") + text(error.key, "en"), error.status)

    def done(request: Request) -> Response:
        return PlainTextResponse("done")

    async def ask() -> httpx.Response:
        guarded = Guard(Starlette(routes=[Route("/", done, methods=[*METHODS, "GET"])]), None, told)
        config = Server(guarded, lambda: None).config  # type: ignore[arg-type]
        config.load()
        reached = httpx.ASGITransport(config.loaded_app, client=(proxy, 50_000))
        async with httpx.AsyncClient(transport=reached, base_url=f"{scheme}://gate.example") as client:
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


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("header", ["origin", "referer"])
def test_a_console_on_plain_http_or_behind_a_proxy_that_passes_no_scheme_then_both_schemes_are_its_own(
    header: str, scheme: str
) -> None:
    assert answer("POST", {header: f"{scheme}://gate.example"}, "http").text == "done"


def test_a_proxy_that_passes_the_scheme_then_the_console_believes_one_on_this_machine_alone() -> None:
    said = {"origin": "http://gate.example", "x-forwarded-proto": "https"}
    assert answer("POST", said, "http").status_code == 403
    assert answer("POST", said, "http", proxy="192.0.2.7").text == "done"


def test_no_host_then_no_page_is_its_own() -> None:
    assert answer("POST", {"host": "", "origin": ""}).status_code == 403
