"""Sign-in at an identity provider: who is let in, as whom, with which rights; and every forged answer that is not."""

from __future__ import annotations

import hmac
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest
from joserfc.jwk import RSAKey

from gatekeeper.console import provider_file as files
from gatekeeper.console.identity_provider import Provider
from gatekeeper.console.session import COOKIE
from gatekeeper.ground.errors import UsageError
from gatekeeper.index.access import Access, Grant
from tests.support.offline_console import Browser, OfflineConsole, offline_console
from tests.support.provider import CLIENT, StubProvider, provider, provider_file, provider_key

REVIEWER = Access((Grant(roles=("reviewer",), controllers=("C1",)),))


@pytest.fixture
def stub() -> Iterator[StubProvider]:
    with provider() as found:
        yield found


@pytest.fixture
def file(stub: StubProvider, tmp_path: Path) -> Path:
    return provider_file(tmp_path, stub.issuer)


@pytest.fixture
def house(file: Path, tmp_path: Path) -> OfflineConsole:
    return offline_console(tmp_path, provider=Provider(file))


def sent(client: Browser, path: str = "/signin/provider") -> str:
    """Returns where the provider is asked."""
    answer = client.get(path)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def granted(url: str) -> str:
    """Lets the provider answer, and returns the path and query to which it sends the browser back."""
    place = urlsplit(httpx.get(url).headers["location"])
    return f"{place.path}?{place.query}"


def signed_in(client: Browser) -> httpx.Response:
    return client.get(granted(sent(client)))


def test_somebody_of_the_provider_then_a_session_with_the_roles_of_their_claims(
    house: OfflineConsole, stub: StubProvider
) -> None:
    client = house.anonymous()
    asked = client.get("/items?state=open")
    assert asked.headers["location"].startswith("/signin?next=")
    answer = client.get(granted(sent(client, "/signin/provider?next=/items%3Fstate%3Dopen")))
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/items?state=open">' in answer.text
    session = house.session(client)
    assert (session.user, session.access, session.method) == ("hanako", REVIEWER, "oidc")
    assert client.get("/items?state=open").status_code == 200
    (query,) = stub.asked
    assert query["redirect_uri"] == "http://127.0.0.1/signin/back"
    cookies = [line for name, line in answer.headers.multi_items() if name == "set-cookie"]
    assert any(line.startswith(COOKIE) and "HttpOnly" in line and "SameSite=strict" in line for line in cookies)


def test_somebody_without_a_role_or_an_id_then_no_session(house: OfflineConsole, stub: StubProvider) -> None:
    for sub, groups, said in (("hanako", "dm-reviewersx", "no role"), ("", ["dm-reviewers"], "no staff id"),
                              ("hanako@midori.example", ["dm-reviewers"], "no staff id")):  # fmt: skip
        stub.person, client = {"sub": sub, "groups": groups}, house.anonymous()
        answer = signed_in(client)
        assert (answer.status_code, said in answer.text, COOKIE in client.cookies) == (403, True, False)


def token(header: dict[str, str], claims: dict[str, Any], secret: bytes) -> str:
    """Returns a token whose signature nobody's private key has made."""
    said = ".".join(urlsafe_b64encode(orjson.dumps(part)).decode().rstrip("=") for part in (header, claims))
    signature = hmac.digest(secret, said.encode(), "sha256") if secret else b""
    return f"{said}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


def forged(stub: StubProvider) -> dict[str, Callable[[], object]]:
    """Changes that a wrong or hostile provider may make to the ID token."""
    hours = int(time.time()) - 7_200
    return {
        "another issuer": lambda: stub.claims.update(iss="https://elsewhere.example"),
        "another audience": lambda: stub.claims.update(aud="another-client"),
        "several audiences and no authorized party": lambda: stub.claims.update(aud=[CLIENT, "another"]),
        "another authorized party": lambda: stub.claims.update(azp="another"),
        "another nonce": lambda: stub.claims.update(nonce="of another request"),
        "no nonce": lambda: stub.claims.update(nonce=None),
        "expired": lambda: stub.claims.update(exp=hours),
        "from the future": lambda: stub.claims.update(nbf=int(time.time()) + 7_200),
        "another key": lambda: setattr(stub, "published", RSAKey.generate_key(2048, {"kid": "k1"})),
        "an unknown key": lambda: setattr(stub, "published", provider_key("k2")),
        "no signature": lambda: stub.token_as(lambda claims: token({"alg": "none"}, claims, b"")),
        "signed with what is public": lambda: stub.token_as(
            lambda claims: token({"alg": "HS256", "kid": "k1"}, claims, stub.key.as_pem(private=False))
        ),
        "no ID token": lambda: stub.token_as(lambda claims: None),
        "no token at all": lambda: stub.token_as(lambda claims: "x.y.z"),
    }  # fmt: skip


@pytest.mark.parametrize("what", forged(StubProvider()))
def test_a_token_not_for_us_or_not_by_the_provider_then_no_session(house: Any, stub: StubProvider, what: str) -> None:
    forged(stub)[what]()
    client = house.anonymous()
    assert (signed_in(client).status_code, COOKIE in client.cookies) == (403, False)


def test_an_answer_to_another_browser_s_request_then_no_session(house: OfflineConsole) -> None:
    victim, attacker = house.anonymous(), house.anonymous()
    theirs = granted(sent(attacker))
    assert victim.get(theirs).status_code == 403, "a browser that asked for nothing"
    own = granted(sent(victim))
    assert victim.get(theirs).status_code == 403, "a state of another request"
    assert victim.get(own.replace("state=", "state=x")).status_code == 403, "its own code, and another state"
    assert victim.get(own.replace("code=", "code=x")).status_code == 403, "a code that is none"
    state = parse_qs(urlsplit(own).query)["state"][0]
    code = parse_qs(urlsplit(theirs).query)["code"][0]
    assert victim.get(f"/signin/back?code={code}&state={state}").status_code == 403, "PKCE: the verifier is another's"
    for query in ("/signin/back", f"/signin/back?state={state}&error=access_denied", f"{own}&iss=https://x.example"):
        assert victim.get(query).status_code == 403
    assert COOKIE not in victim.cookies


def test_a_code_twice_then_once(house: OfflineConsole) -> None:
    client = house.anonymous()
    back = granted(sent(client))
    kept = dict(client.cookies)
    assert client.get(back).status_code == 200
    again = house.anonymous()
    for name, value in kept.items():
        again.cookies.set(name, value)
    assert again.get(back).status_code == 403


@pytest.mark.parametrize("to", ["//elsewhere.example", "/\\elsewhere.example", "javascript:x"])
def test_another_site_to_go_on_to_then_the_queue(house: OfflineConsole, to: str) -> None:
    client = house.anonymous()
    answer = client.get(granted(sent(client, f"/signin/provider?next={to}")))
    assert 'content="0; url=/">' in answer.text


def test_a_changed_file_then_sessions_with_other_rights_end_and_the_rest_go_on(
    house: OfflineConsole, stub: StubProvider, file: Path
) -> None:
    reviewer, viewer = house.anonymous(), house.anonymous()
    signed_in(reviewer)
    stub.person = {"sub": "taro", "groups": ["dm-viewers"]}
    signed_in(viewer)
    whole = file.read_text()
    replaced(file, whole.replace('["C1"]', '["C1", "C2"]'))
    assert reviewer.get("/reasons").status_code == 303
    assert viewer.get("/reasons").status_code == 200
    file.unlink()
    away = viewer.get("/reasons")
    assert (away.status_code, str(file) in away.text) == (503, False)
    replaced(file, whole)
    assert viewer.get("/reasons").status_code == 200
    replaced(file, whole.replace("dm-viewers", "nobody"))
    assert viewer.get("/reasons").status_code == 303


def replaced(file: Path, text: str) -> None:
    """Writes a file anew, as an editor does."""
    part = file.with_suffix(".part")
    part.write_text(text)
    part.chmod(0o644)
    os.replace(part, file)


def test_a_provider_that_says_it_is_another_then_503_and_it_is_tried_again(
    house: OfflineConsole, stub: StubProvider
) -> None:
    client = house.anonymous()
    for name, value in (("issuer", "https://elsewhere.example"), ("jwks_uri", "http://elsewhere.example/keys"),
                        ("authorization_endpoint", "javascript:alert(1)")):  # fmt: skip
        stub.metadata = {name: value}
        answer = client.get("/signin/provider")
        assert (answer.status_code, "does not answer" in answer.text) == (503, True), name
    stub.metadata = {}
    assert signed_in(client).status_code == 200


def test_a_file_that_is_wrong_absent_or_that_others_may_write_then_it_is_refused(file: Path) -> None:
    whole = file.read_text()
    wrong = (("//localhost:", "//login.midori.example:", "issuer"), ('"reviewer"', '"king"', "grants.0.roles.0"))
    for old, new, place in (*wrong, ('0.0.1"', '0.0.1/?x"', "address")):
        file.write_text(whole.replace(old, new))
        with pytest.raises(UsageError, match=place):
            files.read(file)
    file.chmod(0o664)
    with pytest.raises(UsageError, match="664"):
        Provider(file)
    file.unlink()
    with pytest.raises(UsageError, match="GATEKEEPER_CONSOLE_PROVIDER"):
        Provider(file)
