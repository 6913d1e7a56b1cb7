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
from tests.console.conftest import PASSWORD, Site, day, send_number, served
from tests.support.provider import provider, provider_file
from tests.support.world import send_to, until

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


HALVES = pytest.param(2, id="every other")
WHOLE = pytest.param(1, id="all", marks=pytest.mark.long("the same; each page is in one of two looks"))


@pytest.mark.parametrize("step", [HALVES, WHOLE])
@pytest.mark.parametrize(("first", "locale", "scheme"), [(0, "ja-JP", "light"), (1, "en-US", "dark")])
def test_any_page_then_axe_finds_nothing_and_on_a_phone_nothing_is_cut_off_or_small(
    signed_in: SignIn, addresses: list[str], first: int, locale: str, scheme: str, step: int
) -> None:
    """`step`: of how many pages one is looked at, from the page `first` on."""
    page = signed_in("manager", locale)
    page.emulate_media(color_scheme=scheme)
    found, hidden, raw = [], [], []
    for address in addresses[first % step :: step]:
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


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_a_guide_of_the_manual_then_it_prints_on_at_most_two_sheets(page: Page, lang: str) -> None:
    margins = dict.fromkeys(("top", "bottom", "left", "right"), "12mm")
    for guide in ("reviewer", "manager", "auditor", "print-house", "operator"):
        page.goto(f"/manual/{guide}?lang={lang}")
        sheets = re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4", margin=margins))
        assert 1 <= len(sheets) <= 2, guide


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


def test_a_link_to_a_reason_then_its_fold_opens_without_javascript_and_no_other(plain: Page) -> None:
    plain.goto("/reasons#CONSENT_MISSING")
    expect(plain.locator("#CONSENT_MISSING")).to_be_visible()
    expect(plain.locator("details.reason[open]")).to_have_count(1)


def test_the_other_language_then_the_same_page_in_it_from_then_on(page: Page, site: Site) -> None:
    campaign = site.withheld(1)
    page.goto(f"/items?campaign={campaign}&state=any")
    expect(page.locator("h1")).to_have_text("送付の一覧 1件")
    page.click("text=English")
    expect(page.locator("h1")).to_have_text("1 withheld sends")
    assert f"campaign={campaign}" in page.url
    page.goto("/")
    expect(page.locator("h1")).to_contain_text("sends to look at")
    (item,) = site.items(campaign)
    page.goto(f"/items/{item['id']}")
    page.click("#offers [value=release]")  # the answer to a form, which lacks its reason
    expect(page.locator("#wrong")).to_have_text("Say why: the reason is missing.")
    page.click("text=日本語")
    expect(page.locator("h2").first).to_have_text("保留の理由と、送れるようになる条件")


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


def test_japanese_then_it_is_drawn_with_the_font_that_the_console_brings(page: Page, site: Site) -> None:
    served = dict[str, str]()
    page.on("response", lambda answer: served.update({answer.url: answer.headers.get("cache-control", "")}))
    page.goto("/")
    found = page.evaluate("""async text => {
      const faces = await document.fonts.load('16px "BIZ UDPGothic"', text);
      return faces.filter(face => face.status === "loaded").length;
    }""", "関所審査送付")  # fmt: skip
    assert found > 0
    fonts = [cached for url, cached in served.items() if url.endswith(".woff2")]
    assert set(fonts) == {"public, max-age=31536000, immutable"}


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


def test_a_filter_that_does_not_exist_then_the_page_names_it(page: Page) -> None:
    page.goto("/items?colour=red")
    expect(page.locator(".wrong")).to_contain_text("colour")


def test_a_form_of_10_mb_then_a_sentence_and_the_words_before_it_are_still_there(page: Page, site: Site) -> None:
    (item,) = site.items(site.withheld(1))
    page.goto(f"/items/{item['id']}")
    page.fill("#evidence", "scan-17")
    page.evaluate("document.querySelector('#act [name=filter]').value = 'x'.repeat(10_000_000)")
    page.click("#offers [value=release]")
    expect(page.locator("main")).to_contain_text("大きすぎます。何もしていません。")
    page.goto(f"/items/{item['id']}")
    expect(page.locator("#evidence")).to_have_value("scan-17")
    assert site.state(item["id"]) == "open"
