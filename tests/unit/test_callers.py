"""The callers of the service: keys, certificates and tokens. A mere claim gets nothing."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI, Request
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.http import http_server
from gatekeeper.service import problem
from gatekeeper.service.caller_keys import digest, new_key
from gatekeeper.service.callers import BURST_SECONDS, MAX_UNDER_WAY, Caller, CallerEntry, Callers
from gatekeeper.service.openapi import paths
from gatekeeper.service.request_lines import MAX_BYTES, Bodies
from tests.support.certificates import certify
from tests.support.provider import StubProvider, provider

KEY = new_key()
AUDIENCE = "gate.example"


def file_of(folder: Path, text: str) -> Path:
    path = folder / "callers.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def entry(id_: str = "crm", scopes: str = '"facts", "access"', **more: str) -> str:
    lines = "".join(f"{name} = {value}\n" for name, value in more.items())
    return f'[[callers]]\nid = "{id_}"\nscopes = [{scopes}]\n{lines}'


def app_of(callers: Callers) -> FastAPI:
    """A page for each scope that says who calls, and counts a record."""
    app = FastAPI()
    problem.handle(app, Metrics())

    @app.get("/{scope}")
    async def page(request: Request, scope: str) -> str:
        caller = await callers.caller(request, scope)  # type: ignore[arg-type]
        caller.bring(1)
        return caller.id

    return app


def asked(app: FastAPI, path: str, **headers: str) -> tuple[int, Any]:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gate.example") as client:
            return await client.get(path, headers=headers)

    answer = asyncio.run(ask())
    told = answer.json()
    return answer.status_code, told if isinstance(told, str) else told["type"].rpartition(":")[2]


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_key_then_its_caller_within_its_scopes_and_nobody_else(tmp_path: Path) -> None:
    app = app_of(Callers(file_of(tmp_path, entry(key_sha256=f'["{digest(KEY)}"]'))))
    assert asked(app, "/facts", **bearer(KEY)) == (200, "crm")
    assert asked(app, "/sends", **bearer(KEY)) == (403, "scope_missing")
    for wrong in ({}, bearer(new_key()), bearer(digest(KEY)), {"authorization": KEY}):
        assert asked(app, "/facts", **wrong) == (401, "caller_unknown")


@pytest.mark.parametrize("path", ["/access/v1/evaluations", "/v1/sends"])
def test_unknown_caller_then_nothing_of_the_body_is_read(tmp_path: Path, path: str) -> None:
    app = paths("0")
    problem.handle(app, Metrics())
    app.state.parts = SimpleNamespace(callers=Callers(file_of(tmp_path, entry())))
    read: list[int] = []

    async def content() -> AsyncIterator[bytes]:
        for number in range(1_000):
            read.append(number)
            yield b" "

    async def ask() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gate.example") as client:
            return (await client.post(path, content=content())).status_code

    assert (asyncio.run(ask()), len(read) < 3) == (401, True)


def test_file_that_changes_then_it_counts_at_once(tmp_path: Path) -> None:
    path = file_of(tmp_path, entry(key_sha256=f'["{digest(KEY)}"]'))
    app = app_of(Callers(path))
    assert asked(app, "/facts", **bearer(KEY)) == (200, "crm")
    file_of(tmp_path, entry(key_sha256=f'["{digest(new_key())}"]') + "# changed\n")
    assert asked(app, "/facts", **bearer(KEY)) == (401, "caller_unknown")
    path.write_text("[[")
    assert asked(app, "/facts", **bearer(KEY)) == (503, "callers_away")
    path.unlink()
    assert asked(app, "/facts", **bearer(KEY)) == (503, "callers_away")


def test_file_that_cannot_be_used_then_it_says_where(tmp_path: Path) -> None:
    for text, says in (
        ("[[", "TOML"),
        (entry(), "mode 622"),
        (entry(scopes='"all"'), "scopes"),
        (entry() * 2, "twice"),
    ):
        file_of(tmp_path, text).chmod(0o622 if "mode" in says else 0o600)
        with pytest.raises(UsageError, match=says):
            Callers(tmp_path / "callers.toml")


def test_more_than_its_rate_then_429_for_this_caller_alone(tmp_path: Path) -> None:
    other = new_key()
    slow = entry(key_sha256=f'["{digest(KEY)}"]', per_second="1")
    path = file_of(tmp_path, slow + entry("shop", key_sha256=f'["{digest(other)}"]'))
    app = app_of(Callers(path))
    for _ in range(BURST_SECONDS):
        assert asked(app, "/facts", **bearer(KEY))[0] == 200
    assert asked(app, "/facts", **bearer(KEY)) == (429, "too_fast")
    assert asked(app, "/facts", **bearer(other)) == (200, "shop")


@pytest.fixture
def stub() -> Iterator[StubProvider]:
    with provider() as found:
        yield found


def with_provider(folder: Path, stub: StubProvider) -> Callers:
    told = f'[provider]\nissuer = "{stub.issuer}"\naudience = "{AUDIENCE}"\n'
    return Callers(file_of(folder, entry(client_id='"crm-program"') + told))


def token(stub: StubProvider, *, key: Any = None, alg: str = "RS256", typ: str = "at+jwt", **claims: Any) -> str:
    said = {"iss": stub.issuer, "aud": AUDIENCE, "exp": int(time.time()) + 300}
    said |= {"client_id": "crm-program", "sub": "crm-program", **claims}
    signer = key or stub.key
    header = {"alg": alg, "kid": stub.key.kid, "typ": typ}
    return jwt.encode(header, {n: v for n, v in said.items() if v is not None}, signer, algorithms=[alg])


def test_token_of_the_provider_then_its_program(tmp_path: Path, stub: StubProvider) -> None:
    app = app_of(with_provider(tmp_path, stub))
    assert asked(app, "/facts", **bearer(token(stub))) == (200, "crm")
    assert asked(app, "/facts", **bearer(token(stub, aud=["other.example", AUDIENCE]))) == (200, "crm")


def wrong_claims() -> Iterator[dict[str, Any]]:
    yield from ({"aud": "other.example"}, {"aud": None}, {"iss": "https://other.example"})
    yield from ({"exp": 1}, {"exp": None}, {"nbf": 4_000_000_000}, {"typ": "id+jwt"})
    yield from ({"client_id": "another-program"}, {"client_id": None}, {"sub": "hanako"})
    yield from ({"key": RSAKey.generate_key(2048, {"kid": "k1"})}, {"key": OctKey.generate_key(256), "alg": "HS256"})


def test_token_that_does_not_count_then_401(tmp_path: Path, stub: StubProvider) -> None:
    app = app_of(with_provider(tmp_path, stub))
    for claims in wrong_claims():
        assert asked(app, "/facts", **bearer(token(stub, **claims))) == (401, "caller_unknown"), claims


def test_too_many_under_way_then_429_and_the_next_one_after_an_answer() -> None:
    caller = Caller(CallerEntry(id="crm", scopes=("facts",)))
    with ExitStack() as open_:
        for _ in range(MAX_UNDER_WAY):
            open_.enter_context(caller.busy())
        with pytest.raises(problem.Problem) as refused, caller.busy():
            pass
        assert refused.value.status == 429
    with caller.busy():
        pass


def posted(length: int | None) -> Request:
    """A request whose head says so many bytes, or that they come in chunks."""
    headers = [] if length is None else [(b"content-length", str(length).encode())]
    return Request({"type": "http", "method": "POST", "path": "/v1/sends", "headers": headers})


@pytest.mark.parametrize("length", [MAX_BYTES, None, 1], ids=["whole", "unsaid", "a byte"])
def test_bodies_of_one_caller_then_they_share_a_budget_and_leave_room_for_the_next(length: int | None) -> None:
    bodies, taken = Bodies(), 0
    with ExitStack() as open_:
        refused: problem.Problem | None = None
        while refused is None:
            try:
                open_.enter_context(bodies.room("greedy", posted(length)))
                taken += 1
            except problem.Problem as told:
                refused = told
        assert (refused.status, refused.headers) == (429, {"Retry-After": "1"})
        assert 2 <= taken <= 512, "as many as half of all takes"
        with bodies.room("another", posted(MAX_BYTES)), bodies.room("a third", posted(MAX_BYTES // 2)):
            for number in range(10):
                with bodies.room(f"caller {number}", posted(1)):
                    pass
    with bodies.room("greedy", posted(length)):
        pass


def test_a_body_that_says_it_is_too_long_then_413_before_any_of_it_is_read() -> None:
    with pytest.raises(problem.Problem) as refused, Bodies().room("crm", posted(MAX_BYTES + 1)):
        pass
    assert refused.value.status == 413


def test_provider_away_then_503_and_keys_once_known_serve_on(tmp_path: Path, stub: StubProvider) -> None:
    stub.broken = True
    callers = with_provider(tmp_path, stub)
    assert asked(app_of(callers), "/facts", **bearer(token(stub))) == (503, "provider_away")
    stub.broken = False
    callers = with_provider(tmp_path, stub)
    assert asked(app_of(callers), "/facts", **bearer(token(stub))) == (200, "crm")
    stub.broken = True
    assert asked(app_of(callers), "/facts", **bearer(token(stub))) == (200, "crm")
    assert asked(app_of(callers), "/facts", **bearer("a.b.c")) == (401, "caller_unknown")


@contextmanager
def served(app: FastAPI, tls: ssl.SSLContext) -> Iterator[str]:
    started = threading.Event()
    with http_server.listening("127.0.0.1", 0) as found:
        server = http_server.Server(app, started.set, tls=tls)
        thread = threading.Thread(target=server.run, args=([found],), daemon=True)
        thread.start()
        assert started.wait(30)
        try:
            yield http_server.address(found, "127.0.0.1", scheme="https")
        finally:
            server.should_exit = True
            thread.join(30)


def test_certificate_then_its_caller_and_nobody_without_it(tmp_path: Path) -> None:
    certify(tmp_path, "server", "crm", "stranger")
    shown = x509.load_pem_x509_certificate((tmp_path / "crm.pem").read_bytes()).public_bytes(Encoding.DER)
    callers = Callers(file_of(tmp_path, entry(certificate_sha256=f'["{sha256(shown).hexdigest()}"]')))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem")
    tls.load_verify_locations(tmp_path / "ca.pem")
    tls.verify_mode = ssl.CERT_OPTIONAL

    def status(url: str, name: str | None) -> int:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        if name:
            context.load_cert_chain(tmp_path / f"{name}.pem")
        return httpx.get(f"{url}facts", verify=context, timeout=30).status_code

    with served(app_of(callers), tls) as url:
        assert [status(url, name) for name in ("crm", "stranger", None)] == [200, 401, 401]
