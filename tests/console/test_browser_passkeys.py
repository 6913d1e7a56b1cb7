"""A passkey in a real browser, from its making to the worker's answer."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from gatekeeper.cli.staff import _passkey as read_line
from tests.console.conftest import Site, torn, touch
from tests.support.world import until


def confirmed(page: Page, kind: str, campaign: str, state: str) -> None:
    """Does a bulk act about all items of a campaign, and signs it with one touch."""
    page.goto(f"/bulk?kind={kind}&campaign={campaign}&state={state}")
    page.fill("#reason", "申込書を確認")
    page.fill("#evidence", "scan-9")
    page.click("#act button.main")
    touch(page)
    page.wait_for_url("**/runs/*")


def test_a_passkey_made_in_the_browser_then_one_touch_signs_the_approval_of_a_bulk(
    signed_in: Callable[..., Page], site: Site
) -> None:
    campaign = site.publish([torn(site) for _ in range(3)])
    confirmed(signed_in("approver", passkey=site.passkey("approver")), "release", campaign, "open")
    until(lambda: {one["state"] for one in site.items(campaign)} == {"proposed"}, "the release of each")

    second = signed_in("approver2")
    second.set_viewport_size({"width": 390, "height": 800})
    second.goto("/passkeys")
    second.click("#create [data-challenge]")
    command = second.locator("#command").inner_text()
    assert command.startswith("gatekeeper staff add approver2 --passkey ")
    site.register("approver2", key={"id": "p2", **read_line(command.split()[-1])})
    second.goto("/passkeys")
    expect(second.locator("main table")).to_contain_text("p2")
    assert second.evaluate("document.documentElement.scrollWidth <= innerWidth")

    confirmed(second, "approve", campaign, "proposed")
    until(lambda: {one["state"] for one in site.items(campaign)} == {"released"}, "the approval of each")
    ids = {one["id"] for one in site.items(campaign)}
    acts = [one.act for one in site.world.acted().values() if one.act and one.act.item in ids]
    signed = [(act.kind, one.by, one.key, one.method) for act in acts for one in act.signed or ()]
    expected = [("approve", "approver2", "p2", "passkey")] * 3 + [("release", "approver", "p1", "passkey")] * 3
    assert sorted(signed) == expected
    assert {one.table.own.count for act in acts for one in act.signed or () if one.table} == {3}
    site.register("approver2")
