"""The console in a real browser: keys, live rows, and what is inaccessible."""

from __future__ import annotations

from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.console.conftest import Site, day
from tests.worlds import until


def test_keys_alone_then_two_sends_are_released_and_the_next_opens_by_itself(page: Page, site: Site) -> None:
    campaign = site.withheld(3)
    first, second, third = [item["id"] for item in site.items(campaign)]
    page.goto(f"/items?campaign={campaign}")
    page.keyboard.press("j")
    page.keyboard.press("r")
    page.wait_for_url(f"**/items/{first}?*")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.type("rjx form seen")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/items/{second}?*")
    expect(page.locator("#before")).to_contain_text("送付可になりました")
    page.keyboard.press("r")
    page.keyboard.type("form seen")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/items/{third}?*")
    until(lambda: [item["state"] for item in site.items(campaign)] == ["released", "released", "open"], "two releases")


def test_a_row_that_arrives_then_it_waits_in_the_pill_and_moves_none(page: Page, site: Site) -> None:
    campaign = site.withheld(2, mail_date=day(30))
    page.goto(f"/items?campaign={campaign}")
    page.keyboard.press("j")
    ids = page.locator("tr[data-item]").evaluate_all("rows => rows.map(row => row.dataset.item)")
    site.withheld(1, campaign_id=campaign, mail_date=day(20))
    expect(page.locator("#pill")).to_contain_text("新着 1 件")
    assert page.locator("tr[data-item]").evaluate_all("rows => rows.map(row => row.dataset.item)") == ids
    page.locator("#pill a").click()
    expect(page.locator("tr[data-item]")).to_have_count(3)


def test_main_pages_then_axe_finds_nothing_serious(signed_in: Callable[..., Page], site: Site) -> None:
    campaign = site.withheld(2, mail_date=day(30))
    item = site.items(campaign)[0]["id"]
    page = signed_in("admin", "en-US")
    paths = (
        "/",
        f"/items?campaign={campaign}",
        f"/items/{item}",
        f"/bulk?kind=release&campaign={campaign}",
        "/nowhere",
    )
    for path in paths:
        page.goto(path)
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []
