"""Triage by the keyboard alone, in a real browser; and keys that mean nothing while somebody types."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.console.conftest import Site
from tests.support.world import until


def listed(page: Page, campaign: str) -> list[str]:
    """Opens the list of a campaign; returns the ids of its rows."""
    page.goto(f"/items?campaign={campaign}")
    return page.locator("tr[data-item]").evaluate_all("rows => rows.map(row => row.dataset.item)")


def here(page: Page) -> str | None:
    """Returns the id of the row that the keys mean."""
    return page.locator("tr.here").get_attribute("data-item")


def test_keys_alone_then_sends_are_released_upheld_and_taken_back(page: Page, site: Site) -> None:
    campaign = site.withheld(3)
    first, second, third = listed(page, campaign)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert here(page) == first
    page.keyboard.press("r")  # opens the row, with the cursor where the reason is written
    page.wait_for_url(f"**/items/{first}?*")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.type("申込書を確認")
    page.keyboard.press("Enter")  # this release needs evidence as well
    expect(page.locator("#evidence")).to_be_focused()
    page.keyboard.type("form-9")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/items/{second}?*")  # the next one opens by itself
    expect(page.locator("#before")).to_contain_text("送付可になりました")
    page.keyboard.press("u")
    page.keyboard.type("申込書なし")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/items/{third}?*")
    expect(page.locator("#before")).to_contain_text("送らないことを確定しました")
    page.keyboard.press("z")  # opens what was done last
    page.wait_for_url(re.compile(f"/items/{second}[^/]*$"))
    page.keyboard.press("z")
    page.keyboard.type("見落とし")
    page.keyboard.press("Enter")
    until(lambda: [site.state(one) for one in (first, second, third)] == ["released", "open", "open"], "the answers")


def test_a_reason_of_another_act_then_no_release_carries_it(page: Page, site: Site) -> None:
    first, second = listed(page, site.withheld(2))
    upheld(page, first, second)
    reason = page.locator("#reason")
    page.keyboard.press("r")
    expect(reason).to_have_attribute("placeholder", "")
    page.keyboard.press("Enter")
    expect(reason).to_have_value("")
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    page.keyboard.press("Enter")
    expect(reason).to_have_value("申込書なし")
    page.keyboard.press("Escape")
    page.keyboard.press("r")  # another act is meant: what Enter wrote for the first one is gone
    expect(reason).to_have_value("")
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    page.keyboard.press("Enter")
    page.fill("#evidence", "form-9")
    page.click("#offers [value=release]")
    expect(page.locator("#wrong")).to_contain_text("理由")
    assert site.state(second) == "open"


def upheld(page: Page, first: str, then: str) -> None:
    """Upholds the first row by its keys, with a reason, which opens the next one."""
    page.keyboard.press("j")
    page.keyboard.press("u")
    page.wait_for_url(f"**/items/{first}?*")
    page.keyboard.type("申込書なし")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/items/{then}?*")


def test_the_keys_of_a_selection_then_the_range_is_acted_on_and_the_rest_stays(page: Page, site: Site) -> None:
    campaign = site.withheld(3)
    site.publish(["nobody-knows-them"], campaign_id=campaign)  # a HARD reason, which nobody releases
    ids = listed(page, campaign)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    expect(page.locator("#count")).to_have_text("4件を選択中")
    page.reload()
    expect(page.locator("#count")).to_have_text("4件を選択中")
    page.keyboard.press("r")
    page.wait_for_url("**/bulk?*")
    expect(page.locator("main")).to_contain_text("3件が対象です。")
    expect(page.locator("main")).to_contain_text("解除できない理由")
    page.go_back()
    expect(page.locator("#count")).to_have_text("4件を選択中")
    page.keyboard.press("r")
    page.fill("#reason", "名簿を確認")
    page.fill("#evidence", "list-9")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/*")
    expect(page.locator("[data-done]")).to_have_count(3)
    left = page.goto(f"/items?campaign={campaign}") and page.locator("input[name=id]:checked")
    expect(left).to_have_count(1)
    assert left.get_attribute("value") in ids
    expect(page.locator("#count")).to_have_text("1件を選択中")


def test_what_is_typed_then_no_key_of_it_is_obeyed(page: Page, site: Site) -> None:
    (id_,) = listed(page, site.withheld(1))
    page.keyboard.press("j")
    page.keyboard.press("/")
    page.locator("#filter-recipient").fill("")
    page.locator("#filter-recipient").press_sequentially("jkxXruanz/?")
    assert page.locator("#filter-recipient").input_value() == "jkxXruanz/?"
    expect(page.locator("#keys")).to_be_hidden()
    assert page.locator("input:checked").count() == 0
    page.goto(f"/items/{id_}")
    page.locator("#reason").press_sequentially("jkxruanz/?")
    assert page.locator("#reason").input_value() == "jkxruanz/?"
    page.keyboard.press("Enter")  # no act was chosen by its key: Enter chooses none
    expect(page.locator("#reason")).to_have_value("jkxruanz/?")
    assert site.state(id_) == "open"
    with site.console.model.read() as db:
        assert db.execute("SELECT count(*) FROM asked WHERE item = ?", (id_,)).fetchone()[0] == 0
