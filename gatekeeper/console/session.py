"""Sessions in memory, identified by a cookie: the rights of their users, the limit of their acts, their forms."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from secrets import token_urlsafe
from time import monotonic
from typing import Annotated, Literal, Protocol

from fastapi import Depends, Request
from starlette.datastructures import FormData

from gatekeeper.http.connections import client
from gatekeeper.index.access import ROLES, Access, Grant, everything
from gatekeeper.staff.act_kinds import ACT_KINDS
from gatekeeper.staff.person_keys import PersonKey
from gatekeeper.staff.roles import VIEWS
from gatekeeper.staff.roster import Member, Roster
from schemas.audit import Acts
from schemas.events.staff import SignIn

COOKIE = "gatekeeper-session"
IDLE_SECONDS = 3_600.0
WHOLE_SECONDS = 10 * 3_600.0
PROVIDER_SECONDS = 3_600.0
"""Seconds after which the identity provider is asked again; only it knows whether somebody has left or changed."""
MAX_SESSIONS = 1_000
FIELDS = 2_000
"""The largest number of fields in a form."""


ActsBarred = Literal["no_staff", "not_staff", "no_key"]
"""The bar to a user's acts: nobody is on record, the user is not, or the signer is not."""
NO_ACTS = Grant(roles=("viewer",))


class SignInNeeded(Exception):
    """Error for a request without a valid session."""


class Denied(Exception):
    """Refusal of a request: `key` is the sentence in the catalogue, with its values; `status` the HTTP status."""

    def __init__(self, key: str, status: int = 403, **values: str) -> None:
        super().__init__(key)
        self.key = key
        self.status = status
        self.values = values


Ground = Callable[[], object]
"""Gives the state that a session stands on, such as the user's entry in the file. Another state ends the session."""


class About(Protocol):
    """Something that belongs to one controller and one campaign."""

    @property
    def controller(self) -> str:
        """The controller's id."""

    @property
    def campaign(self) -> str:
        """The campaign's id."""


@dataclass(slots=True)
class Session:
    """Session of one user in one browser; it ends at `until`, or when `ground` no longer gives `stood_on`.

    `leave`: the address that signs the user out at the identity provider, None where there is none. `bar`: why no act
    of this user can succeed, None if some can. `vouched`: the console signs for the user. `unsigned`: acts need no
    signature here.
    """

    user: str
    access: Access
    method: SignIn
    seen: float
    until: float
    ground: Ground
    stood_on: object
    leave: str | None
    bar: ActsBarred | None = None
    vouched: bool = False
    unsigned: bool = False
    token: str = field(default_factory=lambda: token_urlsafe(32))

    def may(self, right: str, about: About | None = None) -> bool:
        """True when the user has this right for something, or for the item `about`."""
        if about is None:
            return self.access.may(right)
        return self.access.covers(right, about.controller, about.campaign)

    def may_everywhere(self, right: str) -> bool:
        """True when the user has this right for all controllers and campaigns."""
        return self.access.covers(right)

    def needs_key(self, kind: str) -> bool:
        """True when an act of this kind needs the person's own signature, and the console can only vouch."""
        return self.vouched and not ACT_KINDS[kind].vouched

    def demand(self, kind: str) -> None:
        """Raises Denied (403) for an act of a kind that this user cannot do here."""
        if not self.may(kind):
            raise self.denied(kind)

    def denied(self, *rights: str) -> Denied:
        """The refusal of a user who has none of these rights."""
        acts = self.bar is not None and not VIEWS.keys() & rights
        return Denied(f"page.bar_{self.bar}" if acts else "page.may_not")


class Sessions:
    """Sessions of a console, lost when the console ends; `clock` in seconds.

    `everybody`: the user of every session, without sign-in; None: people must sign in.
    """

    def __init__(self, everybody: str | None, clock: Callable[[], float] = monotonic) -> None:
        self._everybody = everybody
        self._clock = clock
        self._lock = threading.Lock()
        self._by_token: dict[str, Session] = {}

    def find(self, token: str | None, *, touch: bool = True) -> Session | None:
        """The session of a cookie, None when it is unknown or expired, or its user's password or roles have changed.

        `touch`: counts as activity of the user; requests that a page makes by itself do not keep a session alive.
        """
        now = self._clock()
        with self._lock:
            session = self._by_token.get(token or "")
            if session is None:
                return None
            over = now - session.seen > IDLE_SECONDS or now > session.until
            if over or session.ground() != session.stood_on:
                del self._by_token[session.token]
                return None
            if touch:
                session.seen = now
            return session

    def begin(
        self,
        user: str,
        access: Access,
        method: SignIn,
        *,
        ground: Ground,
        stood_on: object,
        seconds: float,
        leave: str | None = None,
    ) -> Session:
        """A new session of at most `seconds`, for a user who has signed in by `method`."""
        now = self._clock()
        session = Session(user, access, method, now, now + seconds, ground, stood_on, leave)
        with self._lock:
            while len(self._by_token) >= MAX_SESSIONS:
                del self._by_token[min(self._by_token.values(), key=lambda other: other.seen).token]
            self._by_token[session.token] = session
        return session

    def anybody(self) -> Session | None:
        """A new session without sign-in, None when sign-in is required."""
        if self._everybody is None:
            return None
        return self.begin(
            self._everybody,
            everything("manager"),
            "none",
            ground=lambda: None,
            stood_on=None,
            seconds=WHOLE_SECONDS,
        )

    def end(self, token: str | None) -> Session | None:
        """Ends a session, and returns it if there was one."""
        with self._lock:
            return self._by_token.pop(token or "", None)


def signed_in(request: Request) -> Session:
    """The session of a request; raises SignInNeeded for a request without one."""
    session: Session | None = request.state.session
    if session is None:
        raise SignInNeeded
    return session


def asker(request: Request) -> str:
    """The client that sent a request, as limits count it; '' for an unknown one."""
    return client(request.client.host) if request.client else ""


def may(*rights: str, everywhere: bool = False) -> Callable[[Request], Session]:
    """A dependency that gives the session when its user has one of these rights, and raises Denied (403) otherwise.

    `everywhere`: the right must hold for all controllers and campaigns.
    """

    def demand(request: Request) -> Session:
        session = signed_in(request)
        if not any(map(session.may, rights)):
            raise session.denied(*rights)
        if everywhere and not any(map(session.may_everywhere, rights)):
            raise Denied("page.may_not_everywhere")
        return session

    return demand


async def posted(request: Request) -> FormData:
    """The form of a request; raises Denied (403) when the form's page showed another user than the present one.

    Such a page was left open in another tab. Its act would carry the name of a user that the page did not show.
    """
    session = signed_in(request)
    form = await request.form(max_files=0, max_fields=FIELDS)
    if form.get("user", session.user) != session.user:
        raise Denied("page.form_stale")
    return form


Viewer = Annotated[Session, Depends(may("see"))]
Form = Annotated[FormData, Depends(posted)]


def permitted(
    access: Access, user: str, roster: Roster, *, acts: Acts, at: int, console: PersonKey | None, own: PersonKey | None
) -> tuple[Access, ActsBarred | None]:
    """The access of a user, limited to acts that the worker does not refuse for the person, and any bar.

    `at`: now, in milliseconds. `console`: the key with which the console vouches. `own`: the user's own key, where the
    console runs for one person. Views are never limited.
    """
    if roster.began is None:
        return (access, None) if acts == "unsigned" else (replace(access, within=NO_ACTS), "no_staff")
    person = roster.member(user, at)
    if person is None or not person.roles:
        return replace(access, within=NO_ACTS), "not_staff"
    if not _on_record(console or own, roster, at):
        return replace(access, within=NO_ACTS), "no_key"
    return replace(access, within=_limit(person)), None


def _on_record(key: PersonKey | None, roster: Roster, at: int) -> bool:
    holder = roster.member(key.by, at) if key else None
    return key is not None and holder is not None and key.key in holder.keys


def _limit(person: Member) -> Grant:
    roles = tuple(role for role in ROLES if role in person.roles)
    limits = None if person.controllers is None else tuple(sorted(person.controllers))
    return Grant(roles=roles, controllers=limits) if roles else NO_ACTS
