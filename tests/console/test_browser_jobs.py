"""The three commonest jobs in a real browser: how many keys, clicks and seconds each takes, which -rP prints."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from tests.console.conftest import Site, cleared, send_number
from tests.support.world import source_of, until

PIECES = 5
ASKED = 101
"""Above 100 people, a person types their number."""


@dataclass
class Job:
    """Counts the acts of a person on a page. A text that is typed counts as one entry, whatever its length."""

    page: Page
    keys: int = 0
    clicks: int = 0
    entries: int = 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.keys += 1

    def click(self, what: str) -> None:
        self.page.click(what)
        self.clicks += 1

    def enter(self, said: str, where: str | None = None) -> None:
        if where:
            self.page.fill(where, said)
        else:
            self.page.keyboard.type(said)
        self.entries += 1


@contextmanager
def counted(page: Page, name: str) -> Iterator[Job]:
    """Prints what the block took."""
    job, began = Job(page), time.monotonic()
    yield job
    took = time.monotonic() - began
    print(f"{name}: {job.clicks} clicks, {job.keys} keys, {job.entries} entries, {took:.1f} s")


def test_a_cause_judged_piece_by_piece_then_three_keys_a_piece_once_a_reason_was_written(
    page: Page, site: Site
) -> None:
    campaign = site.withheld(PIECES)
    page.goto(f"/?campaign={campaign}")
    with counted(page, f"judge {PIECES} pieces one by one") as job:
        job.click(".card a.main")
        for number in range(PIECES):
            expect(page.locator("#offers [data-key=u]")).to_be_visible()
            address = page.url
            job.press("u")
            if number == 0:
                job.enter("申込書なし")
            else:
                expect(page.locator("#reason")).to_have_attribute("placeholder", "Enterで前と同じ：申込書なし")
                job.press("Enter")
                expect(page.locator("#reason")).to_have_value("申込書なし")
            job.press("Enter")
            page.wait_for_url(lambda found, before=address: found != before)
        until(lambda: {item["state"] for item in site.items(campaign)} == {"upheld"}, "the answers")
    assert (job.clicks, job.entries) == (1, 1)
    assert job.keys == 3 * PIECES - 1, "seven a piece before"


def test_many_people_asked_then_two_clicks(page: Page, site: Site) -> None:
    names = [f"many{send_number()}" for _ in range(ASKED)]
    site.world.put("sources", [(name, source_of(name)) for name in names])  # and no consent
    campaign = site.publish(names)
    page.goto(f"/?campaign={campaign}")
    with counted(page, f"ask {ASKED} people") as job:
        job.click(".card a.main")
        page.wait_for_url("**/bulk?**")
        job.enter("取得元を確認", "#reason")
        job.enter(str(ASKED), "#typed")
        job.click("#act button")
        page.wait_for_url("**/runs/*")
        until(lambda: {item["state"] for item in site.items(campaign)} == {"asked"}, "the answers")
    assert (job.clicks, job.keys) == (2, 0), "three clicks before"


def test_somebody_on_the_phone_with_a_code_then_one_click_the_code_and_enter(page: Page, site: Site) -> None:
    _, code = cleared(site)
    with counted(page, "answer an inquiry") as job:
        job.click("nav a[href='/people']")
        expect(page.locator("#code")).to_be_focused()
        job.enter(code)
        job.press("Enter")
        page.wait_for_url("**/letters/*")
    assert (job.clicks, job.keys, job.entries) == (1, 1, 1)
