"""The objects of a running console, as its pages reach them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import time
from typing import TYPE_CHECKING, cast

from fastapi import APIRouter, Request

from gatekeeper.console.bulk_runs import BulkRuns
from gatekeeper.console.change_signal import ChangeSignal
from gatekeeper.console.feed import Feed
from gatekeeper.console.given_reasons import GivenReasons, PartitionOffset
from gatekeeper.console.limits import Attempts, Limit, Slots
from gatekeeper.console.reference_view import Registrations
from gatekeeper.console.session import Session, Sessions, permitted
from gatekeeper.console.signings import Signings
from gatekeeper.console.tasks import Tasks
from gatekeeper.console.users import Users
from gatekeeper.ground.settings import Settings
from gatekeeper.index.model import Model
from gatekeeper.policy import packs
from gatekeeper.policy.policy import Policy
from gatekeeper.staff.person_keys import PersonKey
from gatekeeper.staff.roster import Member
from streams.client.signatory import ConsoleSignatory, NobodySigns, PersonSignatory, Signatory

if TYPE_CHECKING:
    from gatekeeper.console.identity_provider import Provider  # a house without one does not load its libraries


@dataclass(frozen=True, slots=True)
class Page:
    """Page of the console: its routes, and its path in the navigation (None: not in the navigation).

    `name`: the NAME of its label in the catalogue, `page.nav_NAME`. `rights`: one of them shows it in the
    navigation, `everywhere`: for all controllers and campaigns.
    """

    router: APIRouter
    name: str = ""
    path: str | None = None
    rights: tuple[str, ...] = ("see",)
    everywhere: bool = False

    def shown_to(self, session: Session) -> bool:
        """True when the page is in this user's navigation."""
        return any(map(session.may_everywhere if self.everywhere else session.may, self.rights))


@dataclass(frozen=True, slots=True)
class Console:
    """State of a running console, made once by gatekeeper.console.app.

    `key`: the key with which the console vouches for its users. `own`: the key of the one person for whom it runs.
    """

    settings: Settings
    model: Model
    signal: ChangeSignal
    feed: Feed
    sessions: Sessions
    users: Users | None
    provider: Provider | None
    pages: Sequence[Page]
    registrations: Registrations
    key: PersonKey | None = None
    own: PersonKey | None = None
    runs: BulkRuns = field(default_factory=BulkRuns)
    tasks: Tasks = field(default_factory=Tasks)
    signings: Signings = field(default_factory=Signings)
    spoken: GivenReasons = field(default_factory=GivenReasons)
    attempts: Attempts = field(default_factory=Attempts)
    passwords: Slots = field(default_factory=lambda: Slots("password", at_once=1, most=20))
    providing: Slots = field(default_factory=lambda: Slots("provider", at_once=4, most=40))
    known_passwords: Slots = field(default_factory=lambda: Slots("known", at_once=1, most=20))  # from known browsers
    looks: Limit = field(default_factory=lambda: Limit(120, 60.0))  # more pages than anybody can read
    posts: Limit = field(default_factory=lambda: Limit(600, 60.0))

    @property
    def signs_in(self) -> bool:
        """True where people must sign in."""
        return self.users is not None or self.provider is not None

    def words(self, places: Mapping[str, PartitionOffset]) -> dict[str, str]:
        """The written reasons of the acts at `places`, by act id; empty while Kafka is away."""
        return self.spoken.of(self.settings, {} if self.feed.progress.trouble else places)

    def judged(self, session: Session) -> Session:
        """The session with the acts that the worker will not refuse for the person, by the records that count now."""
        with self.model.read() as db:
            people = self.registrations.now(db).people
        access, bar = permitted(
            session.access,
            session.user,
            people,
            acts=self.settings.acts,
            at=self.now(),
            console=self.key,
            own=self.own,
        )
        vouched = people.began is not None and self.key is not None
        unsigned = people.began is None and self.settings.acts == "unsigned"
        return replace(session, access=access, bar=bar, vouched=vouched, unsigned=unsigned)

    def signatory(self, session: Session) -> Signatory:
        """The signatory of the user's acts: the console's word, or the key of the one person for whom it runs."""
        if self.key:
            return ConsoleSignatory(self.key, self.settings.group, by=session.user, signin=session.method)
        return PersonSignatory(self.own, self.settings.group) if self.own else NobodySigns(self.settings)

    def member(self, session: Session) -> Member | None:
        """The user of a session as registered in `staff` now, None where the user is not."""
        with self.model.read() as db:
            return self.registrations.now(db).people.member(session.user, self.now())

    def now(self) -> int:
        """This instant in milliseconds."""
        return int(time() * 1000)

    def zone(self) -> str:
        """The time zone of the policy in force, for days and for the times shown."""
        return self.policy().timezone

    def policy(self) -> Policy:
        """The policy in force as it is shipped, for what a page says of every send."""
        return packs.load(self.settings.policy).at(self.now())


def console(request: Request) -> Console:
    """The console that serves a request."""
    return cast(Console, request.app.state.console)
