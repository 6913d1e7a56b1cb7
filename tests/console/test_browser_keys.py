"""Triage by the keyboard alone, in a real browser; and keys that mean nothing while somebody types."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.console.conftest import Site, send_number
from tests.support.world import source_of, until


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


def test_a_held_enter_then_the_last_reason_is_written_and_nothing_is_done(page: Page, site: Site) -> None:
    first, second = listed(page, site.withheld(2))
    upheld(page, first, second)
    page.keyboard.press("u")
    expect(page.locator("#reason")).to_have_attribute("placeholder", "Enterで前と同じ：申込書なし")
    for _ in range(3):  # the second and third are repeats
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    expect(page.locator("#reason")).to_have_value("申込書なし")
    with site.console.model.read() as db:
        assert db.execute("SELECT count(*) FROM asked WHERE item = ?", (second,)).fetchone()[0] == 0
    page.keyboard.press("Enter")
    until(lambda: site.state(second) == "upheld", "the answer")


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


def test_the_key_of_a_note_then_it_is_kept_and_the_send_stays_open(page: Page, site: Site) -> None:
    (id_,) = listed(page, site.withheld(1))
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/items/{id_}?*")
    page.keyboard.press("n")
    page.keyboard.type("店に問い合わせ中")
    page.keyboard.press("Enter")
    expect(page.locator("#doings")).to_contain_text("店に問い合わせ中")
    expect(page.locator("#standing")).to_contain_text("未処理")


def test_the_key_that_asks_then_the_person_is_asked_once_it_is_confirmed(page: Page, site: Site) -> None:
    name = f"ask{send_number()}"
    site.world.put("sources", [(name, source_of(name))])  # and no consent
    (id_,) = listed(page, site.publish([name]))
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.wait_for_url(f"**/items/{id_}?*")
    expect(page.locator("#offers [data-key=a]")).to_be_focused()
    assert site.state(id_) == "open", "one key alone does nothing"
    page.keyboard.press("Enter")
    until(lambda: site.state(id_) == "asked", "the answer")


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


def test_a_slash_and_a_question_mark_then_the_filter_and_the_keys(page: Page, site: Site) -> None:
    campaign = site.withheld(1)
    listed(page, campaign)
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("j")
    assert page.locator("tr.here").count() == 0, "what is behind the dialog is not moved"
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.locator("#filter-state")).to_be_focused()
    page.fill("#filter-recipient", "nobody")
    page.keyboard.press("Enter")
    page.wait_for_url("**recipient=nobody*")
    expect(page.locator("main")).to_contain_text("この条件に合う送付はありません")


def test_a_key_with_a_modifier_then_nothing_happens(page: Page, site: Site) -> None:
    campaign = site.withheld(1)
    (id_,) = listed(page, campaign)
    page.keyboard.press("j")
    address = page.url
    for modifier in ("ctrlKey", "altKey", "metaKey"):
        for key in "xruanz?":
            # dispatched: pressed for real, some of them are the browser's own
            page.locator("body").dispatch_event("keydown", {"key": key, modifier: True, "bubbles": True})
        assert (page.url, here(page), page.locator("input:checked").count()) == (address, id_, 0), modifier
    page.keyboard.press("x")  # and without one it does
    assert page.locator("input:checked").count() == 1


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
