"""The console itself: who gets in, what guards its pages, and that its model comes back and outlives the broker."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import httpx

from gatekeeper.console.change_signal import ChangeSignal
from gatekeeper.console.feed import Feed
from gatekeeper.console.session import COOKIE
from gatekeeper.console.users import Users
from gatekeeper.index.model import Model
from gatekeeper.index.part import Part, Writing
from schemas.record import Record
from streams.kafka.broker import Broker
from tests.console.conftest import BROWSER, PASSWORD, Site, served
from tests.support.forked import Command
from tests.support.own_metrics import ANYWHERE, own_metrics
from tests.support.world import BACK_SOON, World, day, until


def test_nobody_signed_in_then_every_page_leads_to_the_sign_in_and_back(site: Site) -> None:
    client = site.anonymous()
    for path in ("/", "/items?state=open", "/items/X", "/items.csv", "/bulk?kind=release", "/runs/x"):
        answer = client.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/signin?next=%2F"), path
    assert client.post("/bulk", data={}).status_code == 303
    with client.stream("GET", "/events") as stream:
        assert [line for line in stream.iter_lines() if line.startswith("event")] == ["event: signin"]


def test_a_sign_in_then_the_same_answer_for_a_wrong_name_and_a_wrong_password(site: Site) -> None:
    client = site.anonymous()
    tried = ({"user": "nobody", "password": PASSWORD}, {"user": "viewer", "password": "wrong password"})
    answers = [client.post("/signin", data=form) for form in tried]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert "Name or password is wrong." in answers[0].text
    assert answers[0].text == answers[1].text
    right = client.post("/signin", data={"user": "viewer", "password": PASSWORD, "next": "//elsewhere.example"})
    assert right.headers["location"] == "/"
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()


def test_somebody_removed_from_the_file_then_they_are_out_at_the_next_click(
    kafka: Broker, people: Path, site: Site, tmp_path: Path
) -> None:
    file = tmp_path / "users.json"
    file.touch(0o600)
    file.write_bytes(people.read_bytes())
    settings = site.settings.model_copy(update={"data": str(tmp_path / "data")})
    with served(settings, Users(file)) as console:
        client = console.client("viewer")
        assert client.get("/").status_code == 200
        gone = file.rename(tmp_path / "gone.json")
        away = client.get("/")
        assert (away.status_code, str(file) in away.text) == (503, False)
        assert "The user file cannot be read" in away.text
        assert "content-security-policy" in away.headers
        gone.rename(file)
        left = json.loads(file.read_text())
        del left["users"]["viewer"]
        file.write_text(json.dumps(left))
        assert client.get("/").status_code == 303


def test_any_answer_then_it_has_the_security_headers(site: Site) -> None:
    for path in ("/", "/signin", "/static/console.js", "/nowhere", "/items?x=1"):
        headers = site.client().get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY", path
    assert site.client().get("/").headers["cache-control"] == "no-store"


def test_a_form_of_10_mb_then_413_and_the_console_lives(site: Site) -> None:
    client = site.client()
    form = {"kind": "note", "run": "b1", "reason": "x" * 10_000_000}
    answer = client.post("/items/A/acts", data=form)
    assert answer.status_code == 413
    assert "too large" in answer.text
    assert client.get("/").status_code == 200
    assert site.anonymous().post("/signin", data={"user": "x" * 10_000_000}).status_code == 413


def test_without_a_user_file_then_only_this_machines_names_are_answered_to(site: Site, tmp_path: Path) -> None:
    settings = site.settings.model_copy(update={"data": str(tmp_path), "user": "hanako"})
    with served(settings) as console:
        client = console.client()
        page = client.get("/")
        assert page.status_code == 200
        assert "hanako" in page.text
        assert COOKIE in client.cookies
        rebound = client.get("/", headers={"host": "rebound.example"})
        assert (rebound.status_code, "http://localhost" in rebound.text) == (421, True)


def test_the_broker_restarted_then_pages_say_so_and_the_queue_goes_on(people: Path, tmp_path: Path) -> None:
    with Broker(tmp_path / "kafka", settings=BACK_SOON) as broker:
        world = World(broker.bootstrap, "t.", partitions=1).create()
        settings = world.settings.model_copy(update={"data": str(tmp_path / "data")})
        with served(settings, Users(people)) as console:
            client = console.client()
            broker.stop()
            until(lambda: "Kafka does not answer" in client.get("/").text, "the banner", 90)
            assert client.get("/items").status_code == 200
            broker.start()
            until(lambda: "Kafka does not answer" not in client.get("/").text, "the end of the banner", 90)


def test_a_defect_while_it_reads_then_it_is_told_and_tried_again(site: Site, tmp_path: Path) -> None:
    site.withheld(1)
    broken = threading.Event()
    broken.set()

    def take(writing: Writing, record: Record) -> None:
        if broken.is_set():
            raise RuntimeError

    feed = Feed(
        site.settings, Model(tmp_path / "model", [Part("", {"review": take})], zone="Asia/Tokyo"), ChangeSignal()
    )
    feed.start()
    until(lambda: feed.progress.trouble, "the trouble")
    assert not feed.progress.ready
    broken.clear()
    until(lambda: feed.progress.ready and feed.progress.trouble is None, "its end")
    feed.stop()


def test_the_command_then_metrics_on_another_port_tell_of_pages_queue_and_model(site: Site, tmp_path: Path) -> None:
    site.withheld(2, mail_date=day(30))
    ours = {"GATEKEEPER_DATA": str(tmp_path), "GATEKEEPER_LANG": "en", "GATEKEEPER_USER_KEY": ""}
    with Command("console", "--port", "0", "--json", env=os.environ | site.world.environment | ours | ANYWHERE) as run:
        with httpx.Client(base_url=json.loads(run.line())["url"], headers=BROWSER) as client:
            until(lambda: client.get("/healthz").json()["ready"], "a model")
            assert client.get("/items", params={"recipient": "narumi"}).status_code == 200
            assert client.get("/metrics").status_code == 404, "colleagues must not see it"
        age = ("gatekeeper_read_model_age_seconds",)
        until(lambda: 0 <= own_metrics(run, "console").get(age, -1) < 5, "the model is known to be current")
        found = own_metrics(run, "console")
        assert found[("gatekeeper_requests_total", "route=/items", "status=2xx")] == 1
        assert found[("gatekeeper_request_seconds_count", "route=/items")] == 1
        assert found[("gatekeeper_review_items", "due=later")] >= 2
        assert found[("gatekeeper_review_causes", "reason=AGE_UNCERTAIN")] >= 2
        assert not any("narumi" in label for key in found for label in key)
