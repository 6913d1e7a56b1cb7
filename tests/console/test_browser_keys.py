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
