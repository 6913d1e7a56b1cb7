"""An OpenID provider in this process, as strict as the standard: it knows one client, and hands out what tests say."""

from __future__ import annotations

import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT = "gatekeeper"
SECRET = "of-the-client"


@cache
def provider_key(kid: str) -> RSAKey:
    """The key of that id, made once."""
    return RSAKey.generate_key(2048, {"kid": kid})


@dataclass
class StubProvider:
    """The provider's answers. A test changes them before a sign-in.

    `person`: the claims of who is signed in there. `claims`: changes of the ID token. `key`: what signs it.
    """

    issuer: str = ""
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "hanako", "groups": ["dm-reviewers"]})
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: provider_key("k1"))
    published: RSAKey | None = None
    broken: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    """The queries of the authorization requests."""
    left: list[dict[str, str]] = field(default_factory=list)
    """The queries of the sign-outs."""
    _sign: Callable[[dict[str, Any]], str | None] | None = None
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def token_as(self, sign: Callable[[dict[str, Any]], str | None]) -> None:
        """Makes the ID token another way."""
        self._sign = sign

    def configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/leave",
            **self.metadata,
        }

    def authorized(self, query: dict[str, str]) -> str:
        """Lets the person in at once; returns where the browser goes."""
        self.asked.append(query)
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = token_urlsafe(16)
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state'], 'iss': self.issuer})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self._codes.pop(form.get("code", ""), None)
        basic = b64decode(authorization.removeprefix("Basic ")).decode()
        challenge = urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        if basic != f"{CLIENT}:{SECRET}":
            return 401, {"error": "invalid_client"}
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or form.get("redirect_uri") != asked["redirect_uri"]
            or form.get("grant_type") != "authorization_code"
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims = {**claims, **self.person, **self.claims}
        header = {"alg": "RS256", "kid": self.key.kid, **self.header}
        claims = {name: said for name, said in claims.items() if said is not None}
        signed = self._sign(claims) if self._sign else jwt.encode(header, claims, self.key)
        return 200, {"access_token": "a", "token_type": "Bearer", "id_token": signed}


@contextmanager
def provider() -> Iterator[StubProvider]:
    """Serves a provider on this machine."""
    stub = StubProvider()

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(place.query).items()}
            if stub.broken:
                self._say(503, {})
            elif place.path == "/.well-known/openid-configuration":
                self._say(200, stub.configuration())
            elif place.path == "/keys":
                self._say(200, KeySet([stub.published or stub.key]).as_dict(private=False))
            elif place.path == "/authorize":
                self._go(stub.authorized(query))
            elif place.path == "/leave":
                stub.left.append(query)
                self._go(query["post_logout_redirect_uri"])
            else:
                self._say(404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._say(*((503, {}) if stub.broken else stub.token(form, self.headers.get("authorization", ""))))

        def _say(self, status: int, found: dict[str, Any]) -> None:
            body = orjson.dumps(found)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _go(self, address: str) -> None:
            self.send_response(302)
            self.send_header("location", address)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    stub.issuer = f"http://localhost:{server.server_port}"  # another site than the console's, to a browser
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def provider_file(folder: Path, issuer: str, *, address: str = "http://127.0.0.1") -> Path:
    """Writes the console's file about a provider."""
    secret = folder / "secret"
    secret.write_text(SECRET)
    file = folder / "provider.toml"
    file.write_text(f"""
issuer = "{issuer}"
client_id = "{CLIENT}"
address = "{address}"
secret_file = "{secret}"

[[grants]]
claim = "groups"
value = "dm-reviewers"
roles = ["reviewer"]
controllers = ["C1"]

[[grants]]
claim = "groups"
value = "dm-viewers"
roles = ["viewer"]

[[grants]]
claim = "realm.roles"
value = "auditor"
roles = ["auditor"]
""")
    file.chmod(0o644)
    return file
