"""One act about all that a filter finds, in a real browser: previewed, confirmed, followed to its last answer."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import Site, touch

BULK = int(os.environ.get("BULK", "150"))
"""Items that are released at once; 1,000 on demand."""


def test_a_bulk_act_then_it_is_previewed_confirmed_and_told_item_by_item(page: Page, site: Site) -> None:
    campaign = site.withheld(101)
    site.publish(["unheard-of"], campaign_id=campaign)
    page.goto(f"/items?campaign={campaign}")
    expect(page.locator("main")).to_contain_text("102件")
    page.click("a.button:has-text('送らない')")
    page.wait_for_url("**/bulk?*")
    expect(page.locator("main")).to_contain_text("102件が対象です。")
    expect(page.locator("main ul").first.locator("li")).to_have_count(5)
    page.click("#act button")  # the browser asks for a reason and the number
    assert page.evaluate("document.activeElement.id") == "reason"
    page.fill("#reason", "名簿の確認待ち")
    page.fill("#typed", "101")
    page.click("#act button")
    expect(page.locator("#wrong")).to_contain_text("件数 102 を入力してください")
    expect(page.locator("#reason")).to_have_value("名簿の確認待ち")
    page.fill("#typed", "102")
    page.click("#act button")
    page.wait_for_url("**/runs/*")
    expect(page.locator("#progress")).to_contain_text("102件中102件を処理しました。", timeout=60_000)
    expect(page.locator("#rows tr")).to_have_count(102)
    assert {item["state"] for item in site.items(campaign)} == {"upheld"}


@pytest.mark.timeout(240 + BULK)
def test_many_released_at_once_then_another_approves_them_and_a_bar_shows_how_far(
    signed_in: Callable[..., Page], site: Site
) -> None:
    campaign = site.withheld(BULK)
    first = signed_in("approver", passkey=site.passkey("approver"))
    second = signed_in("approver2", "en-US", passkey=site.passkey("approver2"))
    first.goto(f"/bulk?kind=release&campaign={campaign}")
    expect(first.locator("#two")).to_contain_text("一度に 100件を超える保留の解除には2人が必要です")
    first.fill("#reason", "名簿を確認")
    first.fill("#evidence", "list-9")
    first.fill("#typed", str(BULK))
    assert progress(first) == BULK
    expect(first.locator("#to-approve")).to_contain_text(f"2人目の承認待ち: {BULK}件")
    assert {item["state"] for item in site.items(campaign)} == {"proposed"}
    run = first.url
    first.click("#to-approve a.button")
    expect(first.locator("main")).to_contain_text("1人目と同じ人は承認できません")
    expect(first.locator("#act")).to_have_count(0)
    second.goto(run)
    expect(second.locator("#to-approve")).to_contain_text(f"{BULK} wait for a second person")
    second.click("#to-approve a.button")
    expect(second.locator("#two")).to_have_count(0)
    second.fill("#typed", str(BULK))
    assert progress(second) == BULK
    assert {item["state"] for item in site.items(campaign)} == {"released"}
    assert len([one for one in site.world.read("cleared") if campaign.encode() in one.value()]) == BULK


def progress(page: Page) -> int:
    """Confirms and signs a bulk act, watches its bar, and returns where that ends."""
    page.click("#act button")
    touch(page)
    page.wait_for_url("**/runs/*")
    seen: list[int] = page.evaluate("""() => new Promise((done) => {
      const seen = [];
      const look = () => {
        const bar = document.querySelector("#bar");
        if (seen.at(-1) !== bar.value) seen.push(bar.value);
        if (bar.value === bar.max) done(seen);
        else requestAnimationFrame(look);
      };
      look();
    })""")
    assert seen == sorted(seen)
    return seen[-1]
