"""An open page follows arrivals, others' acts, lost connections, restarts, and sessions that end."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from gatekeeper.console.pages import item
from tests.console.conftest import PASSWORD, Site, served
from tests.support.world import day, until


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
