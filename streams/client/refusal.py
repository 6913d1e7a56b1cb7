"""The cause why no broker answers, found by connecting to it: clients only report a time-out."""

from __future__ import annotations

import asyncio
import socket
import ssl

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from gatekeeper.ground.errors import GatekeeperError, UnavailableError, UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.texts import text
from streams.client.connection import addresses, reached

TRY_MS = 2_000
BROKERS = 2
"""Brokers that are tried, at most."""


def refusal(settings: Settings) -> GatekeeperError:
    """The error to raise: UsageError (2) if the broker refuses us or we refuse it, else UnavailableError (3).

    Not for a running loop.
    """
    key = "error.broker_silent"
    for host, port in addresses(settings)[:BROKERS]:
        try:
            asyncio.run(_connected(settings, host, port))
        except (AuthenticationFailedError, SaslAuthenticationFailed):
            return UsageError("error.broker_user", broker=settings.bootstrap, user=settings.sasl_username)
        except UnsupportedSaslMechanismError:
            return UsageError("error.broker_mechanism", broker=settings.bootstrap, mechanism=settings.sasl_mechanism)
        except ssl.SSLError as error:
            detail = getattr(error, "verify_message", "") or error.reason or type(error).__name__
            return UsageError("error.broker_tls", broker=settings.bootstrap, detail=detail)
        except (socket.gaierror, UnicodeError):
            key = "error.broker_nameless"
        except ConnectionRefusedError:
            key = "error.broker_refused"
        except (OSError, KafkaError):
            pass
    detail = text(key, protocol=settings.security_protocol)
    return UnavailableError("error.broker_unreachable", broker=settings.bootstrap, detail=detail)


async def _connected(settings: Settings, host: str, port: int) -> None:
    how = {name: value for name, value in reached(settings).items() if name != "bootstrap_servers"}
    (await create_conn(host, port, request_timeout_ms=TRY_MS, **how)).close()
