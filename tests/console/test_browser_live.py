"""An open page follows arrivals, others' acts, lost connections, restarts, and sessions that end."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from gatekeeper.console.pages import item
from tests.console.conftest import PASSWORD, Site
from tests.support.world import until


def sign_in_again(page: Page, user: str = "reviewer") -> None:
    page.fill("#user", user)
    page.fill("#password", PASSWORD)
    page.click("form.narrow button")


def waiting(site: Site, id_: str) -> int:
    """Returns how many acts about an item were written."""
    with site.console.model.read() as db:
        return int(db.execute("SELECT count(*) FROM asked WHERE item = ?", (id_,)).fetchone()[0])


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
