"""One act about all that a filter finds, in a real browser: previewed, confirmed, followed to its last answer."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import Site, touch

BULK = int(os.environ.get("BULK", "150"))
"""Items that are released at once; 1,000 on demand."""


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
