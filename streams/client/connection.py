"""Connection of every client of ours to Kafka: address, TLS, and user."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import Any

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings

_PASSWORD_BYTES = 4096


def reached(settings: Settings) -> dict[str, Any]:
    """The arguments of each client, for aiokafka and kafka-python alike.

    Raises UsageError (2) for an address that is not `host:port`, and for settings that exclude each other. It also does
    for a password or certificates that cannot be read. So it does for a password file that others than its owner may
    read.
    """
    addresses(settings)
    how: dict[str, Any] = {"bootstrap_servers": settings.bootstrap, "security_protocol": settings.security_protocol}
    if context := _tls(settings):
        how["ssl_context"] = context
    if user := _user(settings):
        how["sasl_mechanism"] = settings.sasl_mechanism
        how["sasl_plain_username"], how["sasl_plain_password"] = user
    return how


def addresses(settings: Settings) -> list[tuple[str, int]]:
    """The bootstrap servers as host and port; raises UsageError (2) for one that is not `host:port`."""
    servers = []
    for server in settings.bootstrap.split(","):
        host, colon, port = server.strip().rpartition(":")
        if not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
            raise UsageError("error.broker_address", broker=server.strip())
        servers.append((host.strip("[]"), int(port)))
    return servers


def _user(settings: Settings) -> tuple[str, str] | None:
    """The user name and password for the broker; None if it requires none."""
    credentials = {"SASL_USERNAME": settings.sasl_username, "SASL_PASSWORD_FILE": settings.sasl_password_file}
    if not settings.security_protocol.startswith("SASL_"):
        _none_of(settings, credentials)
        return None
    for name, value in credentials.items():
        if not value:
            raise UsageError("error.setting_needed", name=f"GATEKEEPER_{name}", protocol=settings.security_protocol)
    return settings.sasl_username, _password(Path(settings.sasl_password_file))


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """The TLS context: the CA's certificates in the given file, else those of this machine."""
    if not settings.security_protocol.endswith("SSL"):
        _none_of(settings, {"SSL_CAFILE": settings.ssl_cafile})
        return None
    return _context(settings.ssl_cafile)


def _none_of(settings: Settings, given: dict[str, str]) -> None:
    """Refuses settings without effect, because their author would believe in a missing protection."""
    for name, value in given.items():
        if value:
            raise UsageError("error.setting_idle", name=f"GATEKEEPER_{name}", protocol=settings.security_protocol)


@lru_cache(maxsize=1)
def _context(cafile: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=cafile or None)
    except OSError as error:  # includes ssl's own errors
        raise UsageError("error.ca_unreadable", path=cafile, detail=error) from None


def _password(path: Path) -> str:
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):
            raise ValueError("a pipe, which may never end")
        if mode := status.st_mode & 0o077:
            raise UsageError("error.password_open", path=path, mode=f"{mode:03o}")
        with path.open("rb") as file:
            password = file.read(_PASSWORD_BYTES).decode().rstrip("\r\n")
    except (OSError, ValueError) as error:
        detail = error if isinstance(error, OSError) else type(error).__name__
        raise UsageError("error.password_unreadable", path=path, detail=detail) from None
    if not password:
        raise UsageError("error.password_empty", path=path)
    return password
