"""That everybody can work with it: axe, 200 % zoom, no JavaScript, two languages; and bad input gets a sentence."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from gatekeeper.console.identity_provider import Provider
from tests.console.conftest import PASSWORD, Site, send_number, served
from tests.support.provider import provider, provider_file
from tests.support.world import day, send_to, until

SignIn = Callable[..., Page]


@pytest.fixture(scope="module")
def browser(launch: Callable[..., Browser]) -> Iterator[Browser]:
    """A browser with the fonts that the console brings."""
    with launch() as browser:
        yield browser


@pytest.fixture(scope="module")
def addresses(site: Site) -> list[str]:
    """Every page of the console: those of the navigation, and those that are about something."""
    campaign = site.withheld(3, mail_date=day(20))
    item, *_ = site.items(campaign)
    client = site.client()
    form = {"kind": "uphold", "run": "axe1", "reason": "名簿の確認待ち"}
    client.post(f"/items/{item['id']}/acts", data=form)
    until(lambda: site.state(item["id"]) == "upheld", "the answer")
    return [
        *(one.path for one in site.console.pages if one.path),
        f"/items?campaign={campaign}",
        f"/items?campaign={campaign}&state=upheld",
        f"/items/{item['id']}",
        f"/items/{site.items(campaign)[1]['id']}",
        f"/bulk?kind=release&campaign={campaign}",
        "/runs/axe1",
        f"/campaigns/{campaign}",
        f"/people/{item['recipient']}",
        f"/letters/{item['id']}",
        f"/letters/{item['id']}/paper",
        f"/letters/{item['id']}/proof",
        "/manage/suspend?subject=C1",
        f"/report?from={day(-1)}&to={day(0)}",
        "/manual",
        "/manual/print-house",
        "/manual/how-to/work-in-the-console",
        "/items?colour=red",
        "/nowhere",
    ]


@pytest.fixture
def plain(browser: Browser, site: Site) -> Iterator[Page]:
    """A reviewer's browser without JavaScript."""
    with browser.new_context(locale="ja-JP", base_url=site.url, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/signin")
        page.fill("#user", "reviewer")
        page.fill("#password", PASSWORD)
        page.click("form.narrow button")
        yield page


CUT_OFF = """() => [...document.querySelectorAll("main a, main button, main input, header a, header button")]
  .filter((one) => one.checkVisibility() && !one.closest(".scroll"))
  .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((one) => one.outerHTML)"""
"""Returns the controls that reach over the side; tables may be scrolled within their own region."""


def serious(page: Page) -> list[tuple[str, str, str]]:
    """Returns what axe calls moderate, serious or critical: page, rule, and place."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        (page.url, one["id"], node["html"][:200])
        for one in found
        for node in one["nodes"]
        if one["impact"] in ("moderate", "serious", "critical")
    ]


WIDE = """() => [...document.querySelectorAll("body *")]
  .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth)
  .filter(one => !one.parentElement.closest(".scroll"))
  .map(one => one.outerHTML.slice(0, 120)).slice(0, 3)"""
SMALL = """() => [...document.querySelectorAll(
    "button, .button, .chip, .chips a, .bar a, .files a, .second, summary, select, input:not([type=hidden])")]
  .map(one => one.type === "checkbox" ? one.closest("label") ?? one : one)
  .filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 44)
  .map(one => `${location.pathname} ${one.getBoundingClientRect().height} ${one.outerHTML.slice(0, 120)}`)"""


def cut_off(page: Page) -> list[str]:
    """Returns the controls that reach over the side at 200 % or on a phone, or are too small for a finger."""
    found = [*page.evaluate(SMALL)]
    for width, height, letters in ((640, 400, 16), (390, 844, 16), (390, 844, 32)):  # the first: 1280 x 800 at 200 %
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("size => { document.documentElement.style.fontSize = size + 'px' }", letters)
        wide, seen = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        found += [
            *page.evaluate(CUT_OFF),
            *([f"{page.url} at {width}, {letters} px: {page.evaluate(WIDE)}"] if wide > seen else []),
        ]
    found += page.evaluate(SMALL)
    page.set_viewport_size({"width": 1280, "height": 800})
    return found


@pytest.mark.main
def test_a_walk_from_queue_to_release_then_it_goes_out_and_axe_finds_nothing(page: Page, site: Site) -> None:
    """In Japanese, at a desk and on a phone: queue, list, item, release."""
    campaign, found = site.withheld(2, mail_date=day(20)), []
    for done, (width, height) in enumerate(((1280, 800), (390, 844)), 1):
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"/items?campaign={campaign}")
        expect(page.locator("h1")).to_have_text(f"送付の一覧 {3 - done}件")
        found += serious(page)
        page.goto(f"/?campaign={campaign}")
        expect(page.locator("h1")).to_contain_text("審査待ち")
        found += serious(page)
        page.get_by_role("link", name=re.compile("件を順に審査")).click()
        expect(page.get_by_role("heading", level=1, name="年齢未確認")).to_be_visible()
        found += serious(page)
        found += page.evaluate(CUT_OFF) + page.evaluate(WIDE)
        page.get_by_role("combobox", name=re.compile("^理由")).fill("申込書を確認")
        page.fill("#evidence", "form-9")
        page.click("#offers [value=release]")
        expect(page.locator("#before")).to_contain_text("送付可になりました")
        assert [item["state"] for item in site.items(campaign)].count("released") == done
    assert found == []
    assert sum(campaign.encode() in message.value() for message in site.world.read("cleared")) == 2


@pytest.mark.parametrize(("first", "locale", "scheme"), [(0, "ja-JP", "light"), (1, "en-US", "dark")])
def test_any_page_then_axe_finds_nothing_and_on_a_phone_nothing_is_cut_off_or_small(
    signed_in: SignIn, addresses: list[str], first: int, locale: str, scheme: str
) -> None:
    """Every other page is looked at, from the page `first` on."""
    page = signed_in("manager", locale)
    page.emulate_media(color_scheme=scheme)
    found, hidden, raw = [], [], []
    for address in addresses[first::2]:
        page.goto(address)
        expect(page.locator("body[data-refresh]")).to_have_count(0)  # one that waits for a report leaves by itself
        assert page.locator("html").get_attribute("lang") == locale[:2]
        found += serious(page)
        hidden += cut_off(page)
        raw += [address] if "`" in page.locator("body").inner_text() else []
    page.keyboard.press("?")
    found += serious(page)
    page.context.clear_cookies()
    page.goto("/signin?lost=1")
    assert found + serious(page) == []
    assert hidden == []
    assert raw == []


def test_without_javascript_then_sends_are_released_upheld_and_decided_by_filter(plain: Page, site: Site) -> None:
    campaign = site.withheld(4)
    first, second, *rest = [item["id"] for item in site.items(campaign)]
    plain.goto(f"/items?campaign={campaign}")
    plain.locator(f"#row-{first} a").first.click()
    plain.fill("#reason", "申込書を確認")
    plain.fill("#evidence", "form-9")
    plain.click("#offers [value=release]")
    plain.wait_for_url(f"**/items/{second}?*")
    plain.fill("#reason", "申込書なし")
    plain.click("#offers [value=uphold]")
    until(lambda: (site.state(first), site.state(second)) == ("released", "upheld"), "both answers")
    plain.goto(f"/items?campaign={campaign}")
    plain.click("a.button:has-text('送らない')")
    plain.fill("#reason", "名簿の確認待ち")
    plain.click("#act button")
    expect(plain.locator("#progress")).to_contain_text("2件中2件を処理しました。")  # reloads by itself
    assert {site.state(id_) for id_ in rest} == {"upheld"}


def test_a_sign_in_at_another_site_then_it_and_the_sign_out_lead_back_to_the_page(
    browser: Browser, site: Site, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = site.settings.model_copy(update={"data": str(tmp_path / "data")})
    with provider() as stub:
        file = provider_file(tmp_path, stub.issuer, address=f"http://127.0.0.1:{port}")
        with served(settings, provider=Provider(file), port=port) as console, browser.new_context() as context:
            page = context.new_page()
            page.goto(f"{console.url}/items?state=open")
            page.click("#provider")
            page.wait_for_url(f"{console.url}/items?state=open")  # with a cookie that no other site may send along
            expect(page.locator(".who")).to_contain_text("hanako")
            page.click("#signout button")
            page.wait_for_url(f"{console.url}/signin")
            assert len(stub.left) == 1
            page.goto(f"{console.url}/items")
            expect(page.locator("#provider")).to_be_visible()


def test_a_script_as_a_campaigns_name_then_it_is_shown_nowhere_and_runs_nowhere(page: Page, site: Site) -> None:
    script = "<script>document.title = 'mine'</script>"
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    site.world.put("sends", [("y", send_to("y", send_number(), campaign_id=script))])  # no send: a dead letter
    until(lambda: site.world.read("deadletter"), "the dead letter")
    page.goto("/items", wait_until="load")
    page.keyboard.press("/")
    page.fill("#filter-recipient", script)
    page.keyboard.press("Enter")
    expect(page.locator(".wrong")).to_contain_text("recipient")
    page.goto("/")
    assert "mine" not in page.title()
    assert script not in page.content()
    assert errors == []
