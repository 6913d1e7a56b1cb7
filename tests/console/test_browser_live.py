"""An open page follows arrivals, others' acts, lost connections, restarts, and sessions that end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from gatekeeper.console.pages import item
from tests.console.conftest import PASSWORD, Site, day, served
from tests.support.world import until

SignIn = Callable[..., Page]


def ids(page: Page) -> list[str]:
    return page.locator("tr[data-item]").evaluate_all("rows => rows.map(row => row.dataset.item)")


def sign_in_again(page: Page, user: str = "reviewer") -> None:
    page.fill("#user", user)
    page.fill("#password", PASSWORD)
    page.click("form.narrow button")


def waiting(site: Site, id_: str) -> int:
    """Returns how many acts about an item were written."""
    with site.console.model.read() as db:
        return int(db.execute("SELECT count(*) FROM asked WHERE item = ?", (id_,)).fetchone()[0])


def test_a_row_that_arrives_then_it_waits_in_the_pill_and_no_row_moves(page: Page, site: Site) -> None:
    campaign = site.withheld(3, mail_date=day(30))
    page.goto(f"/items?campaign={campaign}")
    page.keyboard.press("j")
    page.keyboard.press("j")
    before, here = ids(page), page.locator("tr.here")
    at = here.bounding_box()
    site.withheld(2, campaign_id=campaign, mail_date=day(20))  # more urgent: they would stand above
    expect(page.locator("#pill")).to_contain_text("新着 2件")
    assert ids(page) == before
    assert here.get_attribute("data-item") == before[1]
    assert here.bounding_box() == at
    expect(here.locator("[data-open]")).to_be_focused()
    page.click("#pill a")
    expect(page.locator("tr[data-item]")).to_have_count(5)
    assert set(ids(page)[:2]).isdisjoint(before)


def test_what_another_one_does_then_the_row_says_so_where_it_stands(signed_in: SignIn, site: Site) -> None:
    campaign = site.withheld(2)
    mine, other = signed_in("reviewer"), signed_in("reviewer2")
    mine.goto(f"/items?campaign={campaign}")
    before = ids(mine)
    mine.route("**/items?*", lambda route: route.fulfill(status=503), times=1)  # and is asked again
    other.goto(f"/items/{before[0]}")
    other.fill("#reason", "申込書なし")
    other.click("#offers [value=uphold]")
    expect(mine.locator(f"#state-{before[0]}")).to_contain_text("送らないと確定 reviewer2")
    assert ids(mine) == before


def test_contact_details_then_the_page_masks_them_when_their_time_is_over(
    page: Page, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = site.items(site.withheld(1))
    page.clock.install()
    shown_ms = item.REVEAL_MS
    page.goto(f"/items/{one['id']}")
    page.click("[value=reveal]")
    expect(page.locator("#contact")).to_contain_text("例 花子")
    page.wait_for_load_state()  # the page's own script counts from here on
    monkeypatch.setattr(item, "REVEAL_MS", 0)  # as the console's clock has it
    page.clock.fast_forward(shown_ms)
    expect(page.locator("#contact")).to_contain_text("表示時間が終わりました")
    expect(page.locator("#contact")).not_to_contain_text("例 花子")


def test_many_pages_open_then_those_out_of_sight_leave_the_console_to_the_seen_one(page: Page, site: Site) -> None:
    campaign = site.withheld(1)
    page.goto(f"/items?campaign={campaign}")
    see(page, False)
    for _ in range(7):
        other = page.context.new_page()
        other.goto(f"/items?campaign={campaign}")
        see(other, False)
    site.withheld(1, campaign_id=campaign)
    expect(page.locator("#pill")).to_be_empty()
    see(page, True)
    expect(page.locator("#pill")).to_contain_text("新着 1件")


def see(page: Page, seen: bool) -> None:
    """Has a page believe that it is seen or not: to this browser all are."""
    page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        not seen,
    )


@contextmanager
def relay(url: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """Stands between a browser and a console; yields its own address, and what cuts all connections through it."""
    there = (urlsplit(url).hostname, urlsplit(url).port)
    open_: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
        except OSError:
            pass
        cut(source, sink)

    def cut(*sockets: socket.socket) -> None:
        for one in sockets or tuple(open_):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept() -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            far = socket.create_connection(there)
            open_.extend((near, far))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", cut
        listening.shutdown(socket.SHUT_RDWR)
        cut()


def test_a_connection_that_is_cut_then_the_stream_goes_on_where_it_stopped(browser: Browser, site: Site) -> None:
    campaign = site.withheld(1)
    with relay(site.url) as (url, cut), browser.new_context(locale="ja-JP", base_url=url) as context:
        page = context.new_page()
        resumed: list[str | None] = []
        page.on("request", lambda one: "/events" in one.url and resumed.append(one.all_headers().get("last-event-id")))
        page.goto("/signin")
        sign_in_again(page)
        page.wait_for_selector("[data-rows]")
        page.goto(f"/items?campaign={campaign}")
        site.withheld(1, campaign_id=campaign)
        expect(page.locator("#pill")).to_contain_text("新着 1件")
        cut()
        site.withheld(2, campaign_id=campaign)  # while nobody listens, or just after
        expect(page.locator("#pill")).to_contain_text("新着 3件")  # none lost, none counted twice
    assert resumed[-1], "the browser says what it has heard last"


def test_a_console_that_is_restarted_then_the_page_comes_back_with_what_was_typed(
    browser: Browser, site: Site, tmp_path: Path
) -> None:
    (item,) = site.items(site.withheld(1))
    settings = site.settings.model_copy(update={"data": str(tmp_path)})
    with browser.new_context(locale="ja-JP") as context:
        page = context.new_page()
        with served(settings, site.users) as console:
            port = urlsplit(console.url).port or 0
            page.goto(f"{console.url}/signin?next=/items/{item['id']}")
            sign_in_again(page)
            page.locator("#reason").press_sequentially("申込書を確認")
        with served(settings, site.users, port=port):
            page.wait_for_url("**/signin?*", timeout=30_000)  # sessions ended with it, and the page finds out
            sign_in_again(page)
            page.wait_for_url(f"**/items/{item['id']}*")
            expect(page.locator("#reason")).to_have_value("申込書を確認")
            page.click("#offers [value=uphold]")
            expect(page.locator("#standing")).to_contain_text("送らない")
            page.reload()
            expect(page.locator("#reason")).to_have_value("")


def test_words_typed_before_the_script_came_then_they_stay_too(page: Page, site: Site) -> None:
    (item,) = site.items(site.withheld(1))
    held: list[Route] = []
    page.route("**/console.js*", lambda route: held.append(route))
    page.goto(f"/items/{item['id']}", wait_until="commit")
    page.locator("#reason").press_sequentially("申込書を確認")
    assert held
    held[0].continue_()
    page.unroute("**/console.js*")
    page.wait_for_load_state()
    page.reload()
    expect(page.locator("#reason")).to_have_value("申込書を確認")


def test_a_session_that_has_run_out_then_the_act_is_not_done_and_its_words_are_kept(page: Page, site: Site) -> None:
    (item,) = site.items(site.withheld(1))
    page.goto(f"/items/{item['id']}")
    page.fill("#reason", "申込書を確認")
    page.fill("#evidence", "form-9")
    (cookie,) = [one for one in page.context.cookies() if one["name"] == "gatekeeper-session"]
    site.console.sessions.end(cookie["value"])
    page.click("#offers [value=release]")
    expect(page.locator("main")).to_contain_text("直前の操作は行われていません")
    assert waiting(site, item["id"]) == 0
    sign_in_again(page)
    page.wait_for_url(f"**/items/{item['id']}*")
    expect(page.locator("#reason")).to_have_value("申込書を確認")
    page.click("#offers [value=release]")
    until(lambda: site.state(item["id"]) == "released", "the answer")


def test_a_form_on_another_site_then_it_does_nothing_with_the_session_of_its_visitor(page: Page, site: Site) -> None:
    (item,) = site.items(site.withheld(1))
    fields = {"user": "reviewer", "kind": "release", "run": "evil1", "reason": "x"}
    form = "".join(f"<input name='{name}' value='{value}'>" for name, value in fields.items())
    body = f"<form method='post' action='{site.url}/items/{item['id']}/acts'>{form}<button>go</button></form>"
    page.route("http://elsewhere.example/**", lambda route: route.fulfill(body=body, content_type="text/html"))
    page.goto("http://elsewhere.example/")
    with page.expect_navigation() as answer:
        page.click("button")
    assert answer.value.status == 403
    assert waiting(site, item["id"]) == 0
