"""Requests that change something: only a page of the console may make them, whatever another page tries."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gatekeeper.console.security import SecurityMiddleware
from gatekeeper.console.session import Denied
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import text
from gatekeeper.http.http_server import Server

METHODS = ("POST", "PUT", "PATCH", "DELETE")
FORGED = (
    {},
    {"sec-fetch-site": "same-site"},  # another name of the same company
    {"sec-fetch-site": "cross-site", "origin": "https://gate.example"},
    {"origin": "null"},  # a page in a sandbox, or a form that was redirected
    {"origin": "null", "referer": "https://gate.example/"},
    {"origin": "https://gate.example@elsewhere.example"},
    {"origin": "http://gate.example"},  # where anybody on the way could have put a page
    {"referer": "http://gate.example/items/X"},
)
"""Headers that browsers send with a request from another site's page."""
OWN = (
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "same-origin", "origin": "https://gate.example"},
    {"origin": "https://gate.example"},
    {"referer": "https://gate.example/items/X?state=open"},
)


def answer(
    method: str, headers: dict[str, str], scheme: str = "https", *, sender: str = "", proxies: str = "", query: str = ""
) -> httpx.Response:
    """Returns what the console's server answers; `scheme`: by what it was reached, from the address `sender`."""

    def told(request: Request, error: Exception) -> Response:
        assert isinstance(error, Denied)
        return PlainTextResponse(text(error.key, "ja") + text(error.key, "en"), error.status)

    def done(request: Request) -> Response:
        return PlainTextResponse(f"done for {request.client.host}" if "who" in request.query_params else "done")

    async def ask() -> httpx.Response:
        guarded = SecurityMiddleware(Starlette(routes=[Route("/", done, methods=[*METHODS, "GET"])]), None, told)
        config = Server(guarded, lambda: None, proxies=Settings(console_proxies=proxies).proxies).config
        config.load()
        reached = httpx.ASGITransport(config.loaded_app, client=(sender or "127.0.0.1", 50_000))
        async with httpx.AsyncClient(transport=reached, base_url=f"{scheme}://gate.example") as client:
            return await client.request(method, f"/{query}", headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("headers", FORGED, ids=str)
def test_a_request_that_another_page_makes_then_403_for_every_unsafe_method(headers: dict[str, str]) -> None:
    for method in METHODS:
        refused = answer(method, headers)
        assert (refused.status_code, "Nothing was done" in refused.text) == (403, True), method
    assert answer("GET", headers).text == "done", "looking is not forged"


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_a_request_of_our_own_page_then_it_is_done(headers: dict[str, str]) -> None:
    for method in METHODS:
        assert answer(method, headers).text == "done", method


def test_a_console_on_http_or_behind_a_proxy_without_scheme_then_both_are_its_own() -> None:
    for header, scheme in (("origin", "http"), ("origin", "https"), ("referer", "https")):
        assert answer("POST", {header: f"{scheme}://gate.example"}, "http").text == "done"


def test_a_forwarded_scheme_and_address_then_they_are_believed_from_proxies_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = {"origin": "http://gate.example", "x-forwarded-proto": "https", "x-forwarded-for": "198.51.100.9"}
    here = {"sender": "192.0.2.7", "proxies": "2001:db8::/32, 192.0.2.0/24"}
    assert answer("POST", said, "http", **here).status_code == 403
    assert answer("GET", said, "http", **here, query="?who").text == "done for 198.51.100.9"
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # what the server would believe by itself
    for proxies, sender in (("", "127.0.0.1"), ("192.0.2.7", "127.0.0.1"), ("192.0.2.7", "192.0.2.8")):
        assert answer("POST", said, "http", sender=sender, proxies=proxies).text == "done"
        who = answer("GET", said, "http", sender=sender, proxies=proxies, query="?who")
        assert who.text == f"done for {sender}"


@pytest.mark.parametrize("proxies", ["*", "10.0.0.1/8"])
def test_proxies_that_are_no_addresses_then_the_setting_is_refused(
    proxies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEKEEPER_CONSOLE_PROXIES", proxies)
    with pytest.raises(UsageError) as caught:
        load()
    assert "GATEKEEPER_CONSOLE_PROXIES" in str(caught.value)


def test_no_host_then_no_page_is_its_own() -> None:
    assert answer("POST", {"host": "", "origin": ""}).status_code == 403
