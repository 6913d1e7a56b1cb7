"""Who is at the other end: sessions kept here and named by a cookie, what they may do, and their forms."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import token_urlsafe
from time import monotonic
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData

from gatekeeper.console.users import ROLES, Role, Users, rights

COOKIE = "gatekeeper-session"
IDLE_SECONDS = 3_600.0
WHOLE_SECONDS = 10 * 3_600.0
MAX_SESSIONS = 1_000
FIELDS = 2_000
"""So many fields a form may have."""


class SignInNeeded(Exception):
    """Nobody is signed in, or no longer."""


class Denied(Exception):
    """What was asked for is not done; `key` says why in the catalogue, `status` is the HTTP status."""

    def __init__(self, key: str, status: int = 403) -> None:
        super().__init__(key)
        self.key = key
        self.status = status


@dataclass(slots=True)
class Session:
    """One person at one browser."""

    user: str
    roles: tuple[Role, ...]
    begun: float
    seen: float
    token: str = field(default_factory=lambda: token_urlsafe(32))

    def may(self, right: str) -> bool:
        """Whether the person may do that (gatekeeper.console.users.MAY)."""
        return right in rights(self.roles)


class Sessions:
    """The sessions of a console, which end with it; `clock` in seconds.

    `users`: who may sign in; None: nobody has to, and everybody is `everybody`.
    """

    def __init__(self, users: Users | None, everybody: str, clock: Callable[[], float] = monotonic) -> None:
        self.users = users
        self._everybody = everybody
        self._clock = clock
        self._lock = threading.Lock()
        self._by_token: dict[str, Session] = {}

    def find(self, token: str | None, *, touch: bool = True) -> Session | None:
        """The session of a cookie, None where it has run out or its person is no longer in the file.

        `touch`: the person did something; a page that only listens keeps no session alive.
        """
        now = self._clock()
        with self._lock:
            session = self._by_token.get(token or "")
            if session is None:
                return None
            roles = self.users.roles(session.user) if self.users else ROLES[-1:]
            if not roles or now - session.seen > IDLE_SECONDS or now - session.begun > WHOLE_SECONDS:
                del self._by_token[session.token]
                return None
            session.roles = roles
            if touch:
                session.seen = now
            return session

    def begin(self, user: str) -> Session:
        """A new session of somebody who has shown who they are."""
        now = self._clock()
        roles = self.users.roles(user) if self.users else ROLES[-1:]
        session = Session(user, roles, now, now)
        with self._lock:
            while len(self._by_token) >= MAX_SESSIONS:
                del self._by_token[min(self._by_token.values(), key=lambda one: one.seen).token]
            self._by_token[session.token] = session
        return session

    def anybody(self) -> Session | None:
        """A new session without sign-in, None where one is demanded."""
        return None if self.users else self.begin(self._everybody)

    def end(self, token: str | None) -> None:
        """Ends a session."""
        with self._lock:
            self._by_token.pop(token or "", None)


def signed_in(request: Request) -> Session:
    """The session of a request; raises SignInNeeded without one."""
    session: Session | None = request.state.session
    if session is None:
        raise SignInNeeded
    return session


def address(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def may(right: str) -> Callable[[Request], Session]:
    """Returns what demands that right of whoever asks; raises Refused (403) of those without it."""

    def demand(request: Request) -> Session:
        session = signed_in(request)
        if not session.may(right):
            raise Denied("page.may_not")
        return session

    return demand


async def posted(request: Request) -> FormData:
    """A form; raises Refused (403) where its page showed another user than the one signed in now.

    Such a page was left open in another tab: the act would stand in a name that its author did not see.
    """
    session = signed_in(request)
    form = await request.form(max_files=0, max_fields=FIELDS)
    if form.get("user", session.user) != session.user:
        raise Denied("page.form_stale")
    return form


Viewer = Annotated[Session, Depends(may("see"))]
Actor = Annotated[Session, Depends(may("act"))]
Form = Annotated[FormData, Depends(posted)]
