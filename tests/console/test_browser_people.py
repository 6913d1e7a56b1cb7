"""Several people at several browsers: four eyes, stale pages, races, and what is taken back in time or late."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.console.conftest import Site, torn, touch

SignIn = Callable[..., Page]


def acted(page: Page, kind: str, reason: str = "申込書を確認", evidence: str = "form-9") -> None:
    """Does an act about the item of a page, by its button."""
    page.fill("#reason", reason)
    page.fill("#evidence", evidence)
    page.click(f"#offers [value={kind}]")


def contradicted(site: Site) -> str:
    """Publishes a send to somebody whose sources contradict each other; returns the item."""
    (item,) = site.items(site.publish([torn(site)]))
    return str(item["id"])


def test_two_sources_that_contradict_then_it_takes_two_people_and_never_one_twice(
    signed_in: SignIn, site: Site
) -> None:
    id_ = contradicted(site)
    first = signed_in("approver", passkey=site.passkey("approver"))
    second = signed_in("approver2", "en-US", passkey=site.passkey("approver2"))
    first.goto(f"/items/{id_}")
    acted(first, "release", evidence="scan-9")
    touch(first)
    expect(first.locator("#standing")).to_contain_text("承認待ち（1/2）")
    expect(first.locator("#offers [value=approve]")).to_have_count(0)
    expect(first.locator("#why-not")).to_contain_text("1人目と同じ人は承認できません")
    second.goto(f"/items?state=proposed&id={id_}")
    expect(second.locator(f"#state-{id_}")).to_contain_text("1 of 2")
    second.goto(f"/items/{id_}")
    acted(second, "approve", "seen as well")
    touch(second)
    expect(second.locator("#standing")).to_contain_text("released")
    expect(first.locator("#doings")).to_contain_text("approver2")  # and the first one's page says so by itself
    people = [one.act.by for one in site.world.acted().values() if one.act and one.act.item == id_]
    assert sorted(map(str, people)) == ["approver", "approver2"]


def test_a_page_that_is_stale_then_its_act_is_answered_with_what_the_other_decided(
    signed_in: SignIn, site: Site
) -> None:
    (item,) = site.items(site.withheld(1))
    mine, other = signed_in("reviewer"), signed_in("reviewer2")
    script = "<script>document.title = 'mine'</script>"
    mine.goto(f"/items/{item['id']}")
    mine.evaluate("document.querySelectorAll('[data-live]').forEach(part => part.removeAttribute('data-live'))")
    other.goto(f"/items/{item['id']}")
    acted(other, "uphold", script)
    expect(other.locator("#standing")).to_contain_text("送らない")
    acted(mine, "release", "私の理由")
    expect(mine.locator("#wrong")).to_contain_text("すでに処理された項目です")
    expect(mine.locator("#standing")).to_contain_text("送らないと確定 · reviewer2")
    expect(mine.locator("#reason")).to_have_value("私の理由")
    expect(mine.locator("#doings")).to_contain_text(script)  # as text
    assert mine.title() != "mine"
    mine.reload()  # the answer to a form has an address like any page
    expect(mine.locator("#standing")).to_contain_text("reviewer2")


def test_an_undo_after_the_worker_decided_then_what_was_cleared_is_recalled(page: Page, site: Site) -> None:
    (item,) = site.items(site.withheld(1))
    page.goto(f"/items/{item['id']}")
    acted(page, "release")
    expect(page.locator("#standing")).to_contain_text("解除済み")
    acted(page, "undo", "見間違い")
    expect(page.locator("#doings")).to_contain_text("差し止めを求めました")
    expect(page.locator("#standing")).to_contain_text("取り消し")
