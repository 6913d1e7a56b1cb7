"""A receiver of webhooks on loopback, whose answers a test decides."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SECRET = "whsec_" + "c2VjcmV0IG9mIGEgdGVzdCwgMzIgYnl0ZXMgbG9uZyE="


@dataclass(frozen=True)
class Posted:
    """One request that came: its path, headers and body, and the client's end of the connection."""

    path: str
    headers: dict[str, str]
    body: bytes
    client: tuple[str, int]

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def type(self) -> str:
        return self.event["type"]


class Receiver(ThreadingHTTPServer):
    """Notes each request before it answers. `answer`: gives status and headers of the answer to one."""

    daemon_threads = True

    def __init__(self, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.came: list[Posted] = []
        self.answer: Callable[[Posted], tuple[int, dict[str, str]]] = lambda _: (204, {})
        self.over = threading.Event()
        """Set at the end: an answer that hangs waits for it."""
        self._tls = certificate is not None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.server_port}/hook"

    def of(self, kind: str) -> list[Posted]:
        return [one for one in self.came if one.type == kind]

    def hang(self, _: Posted) -> tuple[int, dict[str, str]]:
        """An answer that never comes while the test runs."""
        self.over.wait()
        return 204, {}

    def handle_error(self, *_: object) -> None:
        """A client that went away is no error here."""


class _Page(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        posted = Posted(
            self.path, {name.lower(): value for name, value in self.headers.items()}, body, self.client_address
        )
        self.server.came.append(posted)
        status, headers = self.server.answer(posted)
        self.send_response(status)
        for name, value in ({"content-length": "0"} | headers).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def receiver(certificate: Path | None = None) -> Iterator[Receiver]:
    """Runs a receiver; `certificate`: of a server, with its key, for TLS."""
    with Receiver(certificate) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


def endpoints_file(folder: Path, *entries: dict[str, Any]) -> Path:
    """Writes a file of endpoints, each with the secret of tests unless it names others; returns its path."""
    secret = folder / "hook.secret"
    secret.touch(0o600)
    secret.write_text(f"{SECRET}\n")
    lines = list[str]()
    for entry in entries:
        whole = {"secrets": [secret.name], "allow_private": True, "allow_http": True, **entry}
        lines += ["[[endpoints]]", *(f"{name} = {json.dumps(value)}" for name, value in whole.items()), ""]
    path = folder / "endpoints.toml"
    path.write_text("\n".join(lines))
    return path
