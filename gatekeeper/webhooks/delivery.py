"""One try to post an event: signed, to a checked address, within a time. The answer's body is not read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from ssl import create_default_context
from typing import Self

from aiohttp import (
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver
from standardwebhooks import Webhook

from gatekeeper.webhooks.endpoints import Endpoint
from gatekeeper.webhooks.retries import asked_pause
from gatekeeper.webhooks.target_address import RefusedAddress, public_socket

TRY_SECONDS = 15.0
"""Seconds for one try, from the name's resolution to the answer's head."""
IDLE_SECONDS = 2.0
"""Seconds for which a connection is kept, so that many events need few: fewer than servers usually keep one."""
GONE = "410"
"""The answer of an endpoint that wants no more events."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one try. `said`: the answer's status, or a word of ours if there was none.

    `asked_seconds`: how long the endpoint asked us to wait.
    """

    said: str
    asked_seconds: float = 0.0

    @property
    def delivered(self) -> bool:
        """True if the endpoint has taken the event."""
        return self.said.startswith("2") and len(self.said) == 3


class Deliverer:
    """Posts to one endpoint. `resolver`: None for that of the system. `seconds`: for one try."""

    def __init__(
        self, endpoint: Endpoint, resolver: AbstractResolver | None = None, *, seconds: float = TRY_SECONDS
    ) -> None:
        self._endpoint = endpoint
        self._keys = [Webhook(secret) for secret in endpoint.secrets]
        checked = None if endpoint.allow_private else public_socket
        connector = TCPConnector(
            ssl=create_default_context(),
            resolver=resolver,
            socket_factory=checked,
            use_dns_cache=False,
            keepalive_timeout=IDLE_SECONDS,
        )
        self._session = ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=seconds),
            headers={"User-Agent": "direct-mail-gatekeeper", "Content-Type": "application/json"},
            auto_decompress=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, id_: str, body: bytes, *, now: int) -> Answer:
        """The outcome of posting this event once. `now`: the time of this try, in milliseconds."""
        at = datetime.fromtimestamp(now // 1000, UTC)
        signatures = " ".join(key.sign(id_, at, body.decode()) for key in self._keys)
        headers = {"webhook-id": id_, "webhook-timestamp": str(now // 1000), "webhook-signature": signatures}
        try:
            async with self._session.post(
                self._endpoint.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return Answer(str(answer.status), asked_pause(answer.headers.get("Retry-After"), now / 1000))
        except TimeoutError:
            return Answer("timed_out")
        except Exception as error:  # whatever an endpoint sends, it stops no other
            return Answer(_word(error))


def _word(error: Exception) -> str:
    if isinstance(getattr(error, "os_error", error), RefusedAddress):
        return "address_refused"
    if isinstance(error, ClientSSLError):
        return "tls"
    if isinstance(error, ClientConnectorDNSError):
        return "name_unknown"
    return "unreachable" if isinstance(error, ClientConnectorError | OSError) else "not_http"
