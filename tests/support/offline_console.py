"""A console without Kafka: its model is filled by records that one desk left, and requests reach it in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import time
from typing import Any

import httpx
import orjson
from fastapi import FastAPI

from gatekeeper.console import passwords
from gatekeeper.console.app import create_app
from gatekeeper.console.session import COOKIE, Session
from gatekeeper.console.state import Console
from gatekeeper.console.users import File, User, Users, written
from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.signing_key import secret_text
from schemas.audit import Acts
from schemas.record import Record
from tests.support import staff
from tests.support.desk import Desk

PASSWORD = "correct horse battery"
BROWSER = {"accept-language": "en", "sec-fetch-site": "same-origin"}
"""Headers that a browser sends with each request from a page of the console."""
NO_BROKER = "127.0.0.1:1"
EVERYBODY: Mapping[str, Any] = {}
"""Stands for all users of the user file."""


def user_file(folder: Path, people: dict[str, dict[str, Any]]) -> Path:
    """Writes a user file: who is in it, with their limits."""
    file = folder / "users.json"
    file.touch(0o600)
    secret = passwords.hashed(PASSWORD)
    file.write_text(written(File(users={name: User(password=secret, **limits) for name, limits in people.items()})))
    return file


class Browser:
    """A browser at an address, which keeps cookies and follows no redirect."""

    def __init__(self, app: FastAPI, address: str) -> None:
        self.cookies = httpx.Cookies()
        self._app = app
        self._address = address

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            reached = httpx.ASGITransport(self._app, client=(self._address, 50_000), raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=reached, base_url="http://127.0.0.1", headers=BROWSER, cookies=self.cookies
            ) as client:
                answer = await client.request(method, path, **more)
                self.cookies = client.cookies
                return answer

        return asyncio.run(ask())


@dataclass
class OfflineConsole:
    """A console that answers in memory; all of its model is there."""

    app: FastAPI

    @property
    def console(self) -> Console:
        held: Console = self.app.state.console
        return held

    def anonymous(self, address: str = "192.0.2.1") -> Browser:
        """Returns a browser without session, at that address."""
        return Browser(self.app, address)

    def client(self, user: str, address: str = "192.0.2.1") -> Browser:
        """Returns a browser of somebody who is signed in."""
        client = self.anonymous(address)
        answer = client.post("/signin", data={"user": user, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return client

    def session(self, client: Browser) -> Session:
        """Returns the session of a browser."""
        found = self.console.sessions.find(client.cookies[COOKIE])
        assert found is not None
        return found


def offline_console(
    folder: Path,
    users: Users | None = None,
    desk: Desk | None = None,
    *,
    on_record: Mapping[str, Any] | None = EVERYBODY,
    key: str = "console",
    acts: Acts = "signed",
    settings: Mapping[str, str] | None = None,
    **more: Any,
) -> OfflineConsole:
    """A console of these users, whose model holds what the desk left on the topics.

    Each user is on record with the roles of the user file, and the console vouches for them. A console without users is
    hanako's own. `on_record`: the users who are; None = nobody at all. `key`: the holder of the console's key.
    `settings`: further ones, or others.
    """
    keys = {"console_key": written_key(folder, key)} if users or more else {"user_key": written_key(folder, "hanako")}
    if on_record is EVERYBODY:
        on_record = users.file().users if users else {}
    plain = {"broker": NO_BROKER, "data": str(folder / "data"), "log": str(folder / "log"), "acts": acts}
    app = create_app(Settings(**{**plain, **keys, **(settings or {})}), users=users, **more)
    held: Console = app.state.console
    away = UnavailableError("error.broker_unreachable", broker=NO_BROKER, detail="-")
    held.feed.progress = replace(held.feed.progress, ready=True, trouble=away)
    held.model.take([*registered(on_record), *(records(desk) if desk else [])])
    return OfflineConsole(app)


def written_key(folder: Path, by: str) -> str:
    """Writes the key of a person, or of the console."""
    path = folder / f"{by}.key"
    path.touch(0o600)
    path.write_text(secret_text(staff.key(by).signer))
    return str(path)


def registered(users: Mapping[str, Any] | None) -> list[Record]:
    """Returns the records of `reference` that put the people of tests.support.staff and these users in force."""
    lines = [] if users is None else staff.founding()
    for name, user in (users or {}).items():
        said = user.model_dump() if isinstance(user, User) else user
        limits = {"controllers": said["controllers"]} if said.get("controllers") else {}
        lines += staff.signed(staff.person(name, said["roles"], **limits), "hanako", "taro")
    return referred(lines)


def referred(lines: list[staff.Line], first: int = 0) -> list[Record]:
    """Returns these records of `reference` as they stand there from an offset on, written now."""
    now = round(time() * 1000)
    return [Record("reference", 0, n, now, name.encode(), value, ()) for n, (name, value) in enumerate(lines, first)]


def records(desk: Desk) -> list[Record]:
    """Returns what stands on the topics, as the console reads it."""
    audit = [
        Record("audit", 3, n, desk.at, one.did.encode(), orjson.dumps(one.model_dump(mode="json", by_alias=True)), ())
        for n, one in enumerate(desk.records)
    ]
    inputs = [replace(one, topic=topic) for (topic, _), one in sorted(desk.inputs.items()) if topic != "review"]
    return [*inputs, *(replace(one, topic="review") for one in desk.review), *audit]
