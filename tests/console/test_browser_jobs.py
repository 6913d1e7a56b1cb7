"""The three commonest jobs in a real browser, by what a screen reader is told: roles, names and what is announced.

How many keys, clicks and seconds each takes is printed with -rP.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.console.conftest import Site, cleared, send_number
from tests.support.world import source_of

PIECES = 8
ASKED = 193
"""Above 100 people, a person types their number."""
STOPS = 60
"""Most stops of the Tab key before what is sought."""
REASON = re.compile("^理由")


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

    def click(self, what: Locator) -> None:
        what.click()
        self.clicks += 1

    def reach(self, what: Locator) -> None:
        """Goes to it by Tab alone."""
        expect(what).to_be_visible()
        for _ in range(STOPS):
            if what.evaluate("found => found === document.activeElement"):
                return
            self.press("Tab")
        raise AssertionError(f"{what} is more than {STOPS} stops away")

    def enter(self, said: str, where: Locator | None = None) -> None:
        if where:
            where.fill(said)
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


def announced(page: Page, said: str) -> None:
    """Expects that a live region says this, which a screen reader reads out without being led there."""
    expect(page.get_by_role("status").filter(has_text=said)).to_have_count(1)


@pytest.mark.main
def test_a_cause_judged_piece_by_piece_then_three_keys_a_piece_after_one_reason(page: Page, site: Site) -> None:
    campaign = site.withheld(PIECES)
    page.goto(f"/?campaign={campaign}")
    with counted(page, f"judge {PIECES} pieces one by one") as job:
        job.click(page.get_by_role("link", name=f"{PIECES}件を順に審査"))
        for number in range(PIECES):
            expect(page.get_by_role("heading", level=1, name="年齢未確認")).to_be_visible()
            expect(page.get_by_role("button", name="送らない")).to_be_visible()
            if number:
                announced(page, "直前の送付（年齢未確認）")
            address, reason = page.url, page.get_by_role("combobox", name=REASON)
            job.press("u")
            expect(reason).to_be_focused()
            if number == 0:
                job.enter("申込書なし")
            else:
                expect(reason).to_have_attribute("placeholder", "Enterで前と同じ：申込書なし")
                job.press("Enter")
                expect(reason).to_have_value("申込書なし")
            job.press("Enter")
            page.wait_for_url(lambda found, before=address: found != before)
        announced(page, "送らないことを確定しました。")
    assert {item["state"] for item in site.items(campaign)} == {"upheld"}
    assert (job.clicks, job.entries) == (1, 1)
    assert job.keys == 3 * PIECES - 1, "seven a piece before"


@pytest.mark.main
def test_many_people_asked_then_two_clicks(page: Page, site: Site) -> None:
    names = [f"many{send_number()}" for _ in range(ASKED)]
    site.world.put("sources", [(name, source_of(name)) for name in names])  # and no consent
    campaign = site.publish(names)
    page.goto(f"/?campaign={campaign}")
    with counted(page, f"ask {ASKED} people") as job:
        job.click(page.get_by_role("link", name="本人に確認する"))
        expect(page.get_by_role("heading", level=1, name="一括処理：本人に確認する")).to_be_visible()
        job.enter("取得元を確認", page.get_by_role("combobox", name=REASON))
        job.enter(str(ASKED), page.get_by_role("textbox", name=f"件数 {ASKED} を入力してください"))
        job.click(page.get_by_role("button", name=f"{ASKED}件について「本人に確認する」を実行する"))
        announced(page, f"{ASKED}件中{ASKED}件を処理しました。")
    assert {item["state"] for item in site.items(campaign)} == {"asked"}
    assert (job.clicks, job.keys) == (2, 0), "three clicks before"


def test_no_mouse_then_people_are_asked_and_an_inquiry_is_answered(page: Page, site: Site) -> None:
    _, code = cleared(site)
    names = [f"few{send_number()}" for _ in range(2)]
    site.world.put("sources", [(name, source_of(name)) for name in names])  # and no consent
    campaign = site.publish(names)
    page.goto(f"/?campaign={campaign}")
    with counted(page, "ask 2 people by keys alone") as job:
        job.reach(page.get_by_role("link", name="本人に確認する"))
        job.press("Enter")
        job.reach(page.get_by_role("combobox", name=REASON))
        job.enter("取得元を確認")
        job.reach(page.get_by_role("button", name="2件について「本人に確認する」を実行する"))
        job.press("Enter")
        announced(page, "2件中2件を処理しました。")
    assert {item["state"] for item in site.items(campaign)} == {"asked"}
    with counted(page, "answer an inquiry by keys alone") as job:
        job.reach(page.get_by_role("navigation").get_by_role("link", name="お問い合わせ"))
        job.press("Enter")
        expect(page.get_by_role("textbox", name="お問い合わせ番号")).to_be_focused()
        job.enter(code)
        job.press("Enter")
        job.reach(page.get_by_role("link", name="お客様への手紙を開く"))


def test_somebody_on_the_phone_with_a_code_then_one_click_the_code_and_enter(page: Page, site: Site) -> None:
    _, code = cleared(site)
    misread = code[:-1] + ("A" if code[-1] != "A" else "B")
    with counted(page, "answer an inquiry") as job:
        job.click(page.get_by_role("navigation").get_by_role("link", name="お問い合わせ"))
        expect(page.get_by_role("textbox", name="お問い合わせ番号")).to_be_focused()
        job.enter(code)
        job.press("Enter")
        expect(page.get_by_role("heading", level=1, name="この手紙が届いた理由")).to_be_visible()
        expect(page.get_by_role("link", name="お客様への手紙を開く")).to_be_visible()
    assert (job.clicks, job.keys, job.entries) == (1, 1, 1)
    page.go_back()
    page.get_by_role("textbox", name="お問い合わせ番号").fill(misread)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("検査文字が合いません")
