"""The tests of the console share one Kafka, worker and console a session; each has a campaign of its own.

`site` is asked over HTTP, `page` is a real browser. Browser tests are few: each must show what HTTP cannot.
"""

from __future__ import annotations

import itertools
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from gatekeeper.audit.records import inquiry
from gatekeeper.console.app import create_app
from gatekeeper.console.identity_provider import Provider
from gatekeeper.console.passwords import hashed
from gatekeeper.console.users import File, User, Users, written
from gatekeeper.ground.settings import Settings
from gatekeeper.http.http_server import Server, listening
from gatekeeper.index import record_places
from gatekeeper.index.access import ROLES
from streams.kafka.broker import Broker
from tests.support import staff
from tests.support.authenticator import Passkey, base64_text
from tests.support.offline_console import BROWSER, PASSWORD
from tests.support.world import World, consent_of, send_to, source_of, token_of, until

PEOPLE = (*((role, (role,)) for role in ROLES), ("approver2", ("approver",)), ("reviewer2", ("reviewer",)))
"""Everybody in the user file: one a role, named like it, and a second one where two are needed."""
ROLES_OF = dict(PEOPLE)
_NUMBERS = itertools.count()

expect.set_options(timeout=30_000)  # what a page shows at last has passed through Kafka, a worker and back


@dataclass
class Served:
    """A console that answers at `url`."""

    url: str
    app: Any
    users: Users | None

    @property
    def console(self) -> Any:
        return self.app.state.console

    def anonymous(self) -> httpx.Client:
        """Returns a browser without session."""
        return httpx.Client(base_url=self.url, timeout=30, headers=BROWSER)

    def client(self, user: str = "reviewer") -> httpx.Client:
        """Returns a browser of somebody who is signed in, where one must be."""
        client = self.anonymous()
        if self.users is not None:
            answer = client.post("/signin", data={"user": user, "password": PASSWORD})
            assert answer.status_code == 303, answer.text
        return client


@contextmanager
def served(
    settings: Settings,
    users: Users | None = None,
    *,
    port: int = 0,
    provider: Provider | None = None,
) -> Iterator[Served]:
    """Serves a console in a thread, with its model. `port`: 0 = a free one."""
    app = create_app(settings, users=users, provider=provider)
    started = threading.Event()
    server, listens = Server(app, started.set), listening("127.0.0.1", port)
    thread = threading.Thread(target=server.run, args=([listens],), daemon=True)
    thread.start()
    try:
        assert started.wait(30), "the console did not start"
        port = listens.getsockname()[1]
        until(lambda: app.state.console.feed.progress.ready, "a model")
        yield Served(f"http://127.0.0.1:{port}", app, users)
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive(), "the console did not end"


@dataclass
class Site(Served):
    """A world with a worker, and a console on it with sign-in."""

    world: World = field(kw_only=True)
    settings: Settings = field(kw_only=True)

    def passkey(self, user: str) -> Passkey:
        """Returns the passkey of a user, good for this console."""
        return Passkey(user, origin=self.url, party="localhost")

    def register(self, *users: str, key: dict[str, Any] | None = None) -> None:
        """Puts users on record with their passkeys, or with another key, and waits until the console knows them."""
        keys = {user: key or self.passkey(user).key for user in users}
        said = [staff.person(user, ROLES_OF[user], keys=[keys[user]]) for user in users]
        self.world.put("reference", [(f"staff/{one['id']}", one) for one in said])

        def known() -> bool:
            with self.console.model.read() as db:
                now = self.console.registrations.now(db).people
            found = {one.id: one for one in now.everybody(self.console.now())}
            return all(user in found and keys[user]["id"] in found[user].keys for user in users)

        until(known, "the people on record")

    def withheld(self, count: int, **more: Any) -> str:
        """Publishes so many sends to people who may be minors, which a reviewer may release; returns the campaign."""
        names = [f"y{next(_NUMBERS)}" for _ in range(count)]
        self.world.people(names, may_be_minor=True)
        return self.publish(names, **more)

    def publish(self, names: list[str], **more: Any) -> str:
        """Publishes a send to each, of one campaign, and returns its id once all are in the model as withheld."""
        campaign = more.pop("campaign_id", f"K-{uuid.uuid4().hex[:8]}")
        before = len(self.items(campaign))
        sends = [(name, send_to(name, next(_NUMBERS), campaign_id=campaign, **more)) for name in names]
        self.world.put("sends", sends)
        until(lambda: len(self.items(campaign)) == before + len(names), "the items of a campaign")
        return campaign

    def items(self, campaign: str, **more: str) -> list[dict[str, Any]]:
        """Returns the items of a campaign as the console exports them."""
        with self.console.model.read() as db:
            rows = db.execute("SELECT id, state, name AS recipient FROM item JOIN person ON number = recipient"
                              " WHERE campaign = ? ORDER BY due, seen, id",
                              (campaign,))  # fmt: skip
            return [dict(row) for row in rows]

    def state(self, id_: str) -> str:
        with self.console.model.read() as db:
            return str(db.execute("SELECT state FROM item WHERE id = ?", (id_,)).fetchone()[0])


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user file."""
    file = tmp_path_factory.mktemp("users") / "users.json"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("gatekeeper.console.passwords.LOG_N", 10)  # each test signs in, which is made to take long
        secret = hashed(PASSWORD)
        file.touch(0o600)
        file.write_text(written(File(users={name: User(roles=roles, password=secret) for name, roles in PEOPLE})))
        yield file


@pytest.fixture(scope="session")
def site(kafka: Broker, people: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The console of the session, with sign-in, a worker behind it, and an empty queue."""
    folder = tmp_path_factory.mktemp("site")
    prefix = f"t{uuid.uuid4().hex}."
    world = World(kafka.bootstrap, prefix, partitions=2, max_lag=30.0).create().may_ask()
    settings = world.settings.model_copy(update={"data": str(folder / "data")})
    with ExitStack() as stack:
        stack.enter_context(world.process(folder / "worker.log"))
        console = stack.enter_context(served(settings, Users(people)))
        url = console.url.replace("127.0.0.1", "localhost")  # passkeys are good for names, not for addresses
        found = Site(url, console.app, console.users, world=world, settings=settings)
        found.register(*(name for name, _ in PEOPLE))
        yield found


def send_number() -> int:
    """Returns a number that no other send or person of the session has."""
    return next(_NUMBERS)


def torn(site: Site) -> str:
    """Makes up somebody whose sources contradict each other; returns the recipient."""
    name = f"two{send_number()}"
    point = {"contact_points": [{"id": f"cp-{name}", "token": token_of(name)}]}
    check = {"checked_at": "2024-01-01", "name": "a", "address": "b", "representative": "c", "how_obtained": "d"}
    bought = source_of(name, source_id="other", method="indirect.purchased_list", provided_by="broker-a",
                    check={**check, "basis": "consent"}, **point)  # fmt: skip
    for unknown in ("notice_id", "purposes_told", "acquired_at"):
        del bought[unknown]
    own = source_of(name, source_id="own", **point)
    del own["acquired_at"]
    site.world.put("sources", [(name, own), (name, bought)])
    site.world.put("consents", [(name, consent_of(name))])
    return name


def cleared(site: Site) -> tuple[str, str]:
    """Sends a letter to somebody new, and returns who it is and its inquiry code once the console knows of it."""
    name = f"q-{uuid.uuid4().hex[:8]}"
    site.world.people([name])
    return name, again(site, name)


def again(site: Site, name: str) -> str:
    """Sends one more letter to somebody, and returns its inquiry code once the console knows of it."""
    number = uuid.uuid4().hex[:8]
    site.world.put("sends", [(name, send_to(name, number))])

    def found() -> str | None:
        for message in site.world.read("cleared"):
            if orjson.loads(message.value())["event_id"] == f"e-{number}":
                return dict(message.headers())["gate-inquiry"].decode()
        return None

    code = until(found, "a cleared letter")
    until(lambda: known(site, code), "the letter in the model")
    return code


def known(site: Site, code: str) -> bool:
    """Tells whether the model has both the record of a letter and whose it is."""
    with site.console.model.read() as db:
        dids = record_places.beginning(db, inquiry.read(code))
        return bool(dids) and any(record_places.whose(db, dids))


def field_of(html: str, name: str) -> str:
    """Returns the value of a form's hidden field."""
    return html.partition(f'name="{name}" value="')[2].partition('"')[0]


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Browser]]:
    """Starts Debian's Chromium, its headless shell first; without either these tests are skipped, except in CI."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium; run scripts/ensure-browser")
        pytest.skip("no chromium; run scripts/ensure-browser")
    # there is no graphics card to look for or to imitate
    plain = ["--disable-gpu", "--disable-gpu-compositing", "--disable-software-rasterizer"]
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        yield lambda *more: playwright.chromium.launch(executable_path=found, args=[*plain, *root, *more])


@pytest.fixture(scope="session")
def browser(launch: Callable[..., Browser]) -> Iterator[Browser]:
    """A browser that fetches no font, which is half of the work of a page; what a page looks like needs another."""
    with launch("--disable-remote-fonts", "--in-process-gpu") as browser:
        yield browser


def _leave(page: Page) -> None:
    """Brings a page to rest, for to close one that is on its way elsewhere may take for ever."""
    for _ in range(3):  # the page itself may set out once more in between
        try:
            page.goto("about:blank")
            return
        except PlaywrightError as error:
            if "interrupted by another navigation" not in error.message:
                raise


def authenticator(page: Page, passkey: Passkey | None) -> None:
    """Gives a browser an authenticator whose user is there and verified, with this passkey, or with none yet."""
    tools = page.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    made = tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
    if passkey is not None:
        held = {
            "credentialId": base64_text(passkey.credential),
            "privateKey": base64_text(passkey.private),
            "signCount": 0,
        }
        held |= {"isResidentCredential": False, "rpId": passkey.party}
        tools.send("WebAuthn.addCredential", {"authenticatorId": made, "credential": held})


def touch(page: Page) -> None:
    """Signs what a page asks to sign, with the only passkey that it offers."""
    page.wait_for_url("**/sign/*")
    page.click("#touch [data-challenge]")


@pytest.fixture
def signed_in(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Opens a browser of its own for somebody who has signed in; `locale` is what it asks for."""
    contexts: list[BrowserContext] = []

    def sign_in(user: str = "reviewer", locale: str = "ja-JP", *, passkey: Passkey | None = None) -> Page:
        context = browser.new_context(locale=locale, base_url=site.url)
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        authenticator(page, passkey)
        said = {"user": user, "password": PASSWORD}
        assert context.request.post("/signin", form=said, headers=BROWSER, max_redirects=0).status == 303
        page.goto("/")
        return page

    yield sign_in
    for context in contexts:
        for page in context.pages:
            _leave(page)
        context.close()


@pytest.fixture
def page(signed_in: Callable[..., Page]) -> Page:
    """A reviewer's browser, in Japanese, on the first page."""
    return signed_in("reviewer")
