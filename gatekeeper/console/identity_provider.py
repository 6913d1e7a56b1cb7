"""Sign-in at an identity provider by OpenID Connect: authorization code with PKCE, and sign-out there.

Nothing is stored between the two steps: the browser keeps state, nonce and verifier in an encrypted cookie.
"""

from __future__ import annotations

import hmac
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from time import monotonic
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from cryptography.fernet import Fernet, InvalidToken
from joserfc import jwt
from joserfc.errors import JoseError
from requests import RequestException

from gatekeeper.console.provider_file import BACK, PENDING_SECONDS, ProviderFile, claim, read
from gatekeeper.console.session import Denied
from gatekeeper.ground.errors import UnavailableError, UsageError
from gatekeeper.http.provider_keys import (
    ALGORITHMS,
    ANSWER_SECONDS,
    KNOWN_SECONDS,
    LEEWAY_SECONDS,
    NEW_KEYS_SECONDS,
    ProviderAwayError,
    Published,
    is_safe,
)
from gatekeeper.index.access import Access
from schemas.values import ID_PATTERN

log = structlog.get_logger("console")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody whom the provider vouches for: staff id, access, the claims behind it, and where to go on.

    `leave`: the address at the provider that signs them out there, None if it has none.
    """

    user: str
    access: Access
    claims: Mapping[str, Any]
    next: str
    leave: str | None


class Provider:
    """The identity provider that a file describes; the file is read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cookies = Fernet(Fernet.generate_key())
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._file = self.file()
        self._known: Published | None = None
        self._looked = float("-inf")

    def file(self) -> ProviderFile:
        """The current content of the file; raises UsageError (2) as `provider_file.read` does."""
        try:
            stat = self.path.stat()
        except OSError as error:
            raise UsageError("error.provider_missing", path=self.path, detail=error) from None
        seen = (stat.st_mtime_ns, stat.st_ino)
        if seen != self._seen:
            self._file, self._seen = read(self.path), seen
            self._known = None
        return self._file

    def access(self, claims: Mapping[str, Any]) -> Access | None:
        """The access that these claims give by the file as it is now.

        Raises UnavailableError (3) when the file cannot be read any more.
        """
        return self._now().access(claims)

    def begin(self, next_: str) -> tuple[str, str]:
        """The address that signs a browser in and then leads to `next_`, and the cookie that it must bring back.

        Raises UnavailableError (3) when the provider does not answer.
        """
        pending = {"state": token_urlsafe(32), "nonce": token_urlsafe(32), "verifier": token_urlsafe(48)}
        with self._session() as session:
            url, _ = session.create_authorization_url(
                self._address("authorization_endpoint"),
                state=pending["state"],
                nonce=pending["nonce"],
                code_verifier=pending["verifier"],
            )
        return url, self._cookies.encrypt(orjson.dumps({**pending, "next": next_})).decode()

    def finish(self, cookie: str, query: Mapping[str, str]) -> SignedIn:
        """The person who comes back from the provider, by the cookie of `begin` and the query of the address.

        Raises Denied (403) for an answer to another browser's request, or one that gives no staff id or
        role. Raises UnavailableError (3) when the provider does not answer.
        """
        file, pending = self._now(), self._pending(cookie)
        if not hmac.compare_digest(query.get("state", "").encode(), pending["state"].encode()):
            raise _refused("state")
        if query.get("iss", file.issuer) != file.issuer:
            raise _refused("iss")
        if "error" in query or not query.get("code"):
            raise _refused("provider_refused")
        token = self._token(query["code"], pending["verifier"])
        claims = self._claims(file, token, pending["nonce"])
        user, access = claim(claims, file.user_claim), file.access(claims)
        if not isinstance(user, str) or not re.fullmatch(ID_PATTERN, user):
            log.warning("console_sign_in_refused", reason="user_claim")
            raise Denied("page.signin_no_id")
        if access is None:
            log.warning("console_sign_in_refused", reason="no_grant")
            raise Denied("page.signin_no_role")
        return SignedIn(user, access, file.mapped(claims), pending["next"], self._leaving(file, token["id_token"]))

    def _now(self) -> ProviderFile:
        try:
            return self.file()
        except UsageError as error:
            log.error("console_provider", error=str(error))  # do not show the file's path to those who sign in
            raise UnavailableError("page.provider_file_away") from None

    def _pending(self, cookie: str) -> dict[str, str]:
        try:
            pending: dict[str, str] = orjson.loads(self._cookies.decrypt(cookie.encode(), ttl=PENDING_SECONDS))
        except InvalidToken:
            raise _refused("cookie") from None
        return pending

    def _token(self, code: str, verifier: str) -> dict[str, Any]:
        address = self._address("token_endpoint")
        try:
            with self._session() as session:
                token = session.fetch_token(
                    address, code=code, code_verifier=verifier, grant_type="authorization_code", allow_redirects=False
                )
        except AuthlibBaseError:
            raise _refused("code") from None
        except (RequestException, ValueError) as error:
            raise _away(type(error).__name__) from None
        if not isinstance(token.get("id_token"), str):
            raise _refused("id_token")
        return dict(token)

    def _claims(self, file: ProviderFile, token: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        try:
            try:
                decoded = jwt.decode(token["id_token"], self._look().keys, algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                decoded = jwt.decode(token["id_token"], self._look(new_keys=True).keys, algorithms=ALGORITHMS)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                options={
                    "iss": {"essential": True, "value": file.issuer},
                    "aud": {"essential": True, "value": file.client_id},
                },
                params={"nonce": nonce, "client_id": file.client_id, "access_token": token.get("access_token")},
            )
            claims.validate(leeway=LEEWAY_SECONDS)
        except (JoseError, AuthlibBaseError, ValueError, TypeError) as error:
            log.warning("console_sign_in_refused", reason="id_token", error=type(error).__name__)
            raise Denied("page.signin_failed") from None
        return dict(claims)

    def _leaving(self, file: ProviderFile, id_token: str) -> str | None:
        end = self._look().metadata.get("end_session_endpoint")
        if not isinstance(end, str) or not is_safe(end):
            return None
        query = {
            "client_id": file.client_id,
            "id_token_hint": id_token,
            "post_logout_redirect_uri": f"{file.address.rstrip('/')}/signin",
        }
        return f"{end}{'&' if urlsplit(end).query else '?'}{urlencode(query)}"

    def _session(self) -> OAuth2Session:
        file = self._now()
        try:
            secret = file.secret_file.read_text("utf-8").strip() if file.secret_file else None
        except OSError as error:
            log.error("console_provider", error=type(error).__name__)
            raise UnavailableError("page.provider_file_away") from None
        session = OAuth2Session(
            file.client_id,
            secret,
            token_endpoint_auth_method=file.secret_by if secret else "none",
            scope=file.scope,
            redirect_uri=f"{file.address.rstrip('/')}{BACK}",
            code_challenge_method="S256",
            default_timeout=ANSWER_SECONDS,
        )
        if file.ca_file:
            session.verify = str(file.ca_file)
        return session

    def _address(self, name: str) -> str:
        """An address of the provider's own metadata."""
        address = self._look().metadata.get(name)
        if not isinstance(address, str) or not is_safe(address):
            self._known = None  # ask again, as whoever runs the provider may mend this
            raise _away(name)
        return address

    def _look(self, *, new_keys: bool = False) -> Published:
        """Asks the provider again unless its last answer is fresh. `new_keys`: for a key that is not there."""
        file = self._now()
        with self._lock:
            fresh = NEW_KEYS_SECONDS if new_keys else KNOWN_SECONDS
            if self._known is None or monotonic() - self._looked >= fresh:
                try:
                    self._known, self._looked = Published.of(file.issuer, file.ca_file), monotonic()
                except ProviderAwayError as error:
                    raise _away(str(error)) from None
            return self._known


def _refused(reason: str) -> Denied:
    log.warning("console_sign_in_refused", reason=reason)
    return Denied("page.signin_failed")


def _away(error: str) -> UnavailableError:
    log.error("console_provider_away", error=error)
    return UnavailableError("page.provider_away")
