"""The manual in the console: its pages, their links and pictures, and the page that helps with each page."""

from __future__ import annotations

import gc
import re
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from gatekeeper.audit.verify.sentences import SAYS
from gatekeeper.console import manual
from gatekeeper.console.manual import DOCS, HELP, anchor, document, help_of, names, picture
from gatekeeper.console.pages import PAGES
from gatekeeper.ground.texts import Language, catalogue, text
from gatekeeper.policy.reasons import CATALOGUE

LANGUAGES: tuple[Language, ...] = ("ja", "en")
EVERY = [(name, lang) for name in sorted(names()) for lang in LANGUAGES]
ROLES = ("reviewer", "manager", "auditor", "print-house", "operator")


def html(name: str, lang: Language) -> str:
    found = document(name, lang)
    assert found is not None, (name, lang)
    return found.html


def test_the_manual_then_each_page_is_there_in_both_languages() -> None:
    pages = {lang: {file.name for file in (DOCS / "manual" / lang).glob("*.md")} for lang in LANGUAGES}
    assert pages["ja"] == pages["en"]
    assert {f"{role}.md" for role in ROLES} <= pages["ja"]
    assert [name for name in ROLES if document(name, "ja") == document(name, "en")] == []


@pytest.mark.parametrize(("name", "lang"), EVERY)
def test_a_page_then_its_links_and_pictures_lead_to_what_is_there(name: str, lang: Language) -> None:
    page, here = html(name, lang), document(name, lang)
    for target in re.findall(r'href="([^"]*)"', page):
        if target.startswith("http"):
            continue
        path, _, part = unquote(target).partition("#")
        to = path.removeprefix("/manual").removeprefix("/") or "index"
        assert path.startswith("/manual"), target
        there = document(to, lang)
        assert here is not None
        assert there is not None, target
        assert not part or there.lang != here.lang or f'id="{part}"' in there.html, target
    for source in re.findall(r'src="([^"]*)"', page):
        assert picture(source.removeprefix("/manual/images/")), source


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_contents_then_they_lead_to_every_page(lang: Language) -> None:
    linked = re.findall(r'href="/manual/([^"#]+)"', html("index", lang))
    assert {*linked, "index"} == names()


@pytest.mark.parametrize(("name", "lang"), EVERY)
def test_a_page_then_it_has_no_style_and_no_script_inside(name: str, lang: Language) -> None:
    assert re.findall(r" style=|<script|<style|javascript:", html(name, lang)) == []


def test_a_page_of_the_console_then_its_help_is_a_page_about_it() -> None:
    paths = [one.path for one in PAGES if one.path]
    routes = {route.path for one in PAGES for route in one.router.routes if "GET" in getattr(route, "methods", ())}
    routes = {path for path in routes if not path.endswith(".css")}
    first = {path.split("/")[1].partition(".")[0] for path in routes} | {path.split("/")[1] for path in paths}
    unhelped = {"healthz", "events", "static"}
    assert sorted(first - HELP.keys() - unhelped) == []
    assert all(name in names() for name in HELP.values())
    assert help_of("/items/ABC?x=1") == "/manual/how-to/work-in-the-console"
    assert help_of("/nowhere") == "/manual"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_reason_then_the_manual_has_a_paragraph_about_what_to_do(lang: Language) -> None:
    page = html("reasons", lang)
    assert sorted(re.findall(r'<li id="([A-Z0-9_]+)"', page)) == sorted(CATALOGUE)


def test_a_reason_in_the_japanese_manual_then_it_has_the_name_of_the_console() -> None:
    page = html("reasons", "ja")
    named = {code: f"<code>{code}</code> {text(f'meaning.{code}', 'ja')}：" for code in CATALOGUE}
    assert [words for words in named.values() if words not in page] == []


@pytest.mark.parametrize(("lang", "quoted"), [("ja", "「([^」]+)」"), ("en", '"([^"\n]+)"')])
def test_what_the_manual_quotes_then_the_gate_says_it_so(lang: Language, quoted: str) -> None:
    verified = [japanese if lang == "ja" else english for _, japanese, english in SAYS.values()]
    said = "\n".join([*(both[lang] for both in catalogue().values()), *verified]).casefold()
    pages = {file.name: file.read_text("utf-8") for file in sorted((DOCS / "manual" / lang).glob("*.md"))}
    texts = {name: re.sub(r"^ *```.*?^ *```|`[^`\n]*`", "", page, flags=re.S | re.M) for name, page in pages.items()}
    labels = [(name, label) for name, page in texts.items() for label in re.findall(quoted, page)]
    assert len(labels) > 50
    assert [(name, label) for name, label in labels if label.rstrip(".").casefold() not in said] == []


@pytest.mark.parametrize("name", ["", "..", "../adr/0001-engine", "ja/reviewer", "how-to/ja/ask-people", "nothing"])
def test_a_name_that_is_no_page_then_there_is_none(name: str) -> None:
    assert document(name, "ja") is None


def test_names_of_no_page_then_nothing_of_them_is_kept() -> None:
    assert document("index", "ja") is not None
    gc.collect()
    before = sys.getallocatedblocks()
    assert not any(document(f"nothing-{number}", "ja") for number in range(5_000))
    assert sys.getallocatedblocks() - before < 1_000


@pytest.mark.parametrize("name", ["", "../index.md", "peers.svg", "nothing.png"])
def test_a_name_that_is_no_picture_then_there_is_none(name: str) -> None:
    assert picture(name) is None


def test_markdown_then_it_becomes_what_the_console_may_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "manual" / "en"
    folder.mkdir(parents=True)
    (folder / "trial.md").write_text(
        "# A page, of *trial*\n\n![seen](../../images/queue-en.png)\n\n"
        "[there](other.md#part) [here](#a-page-of-trial) [away](../../reference/limits.md) <script>x</script>\n\n"
        "One.\nTwo.\n\n* `SOURCE_UNKNOWN`: ask\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    monkeypatch.setattr(manual, "DOCS", tmp_path)
    page = manual._document("manual/en/trial.md", "en")
    assert page.title == "A page, of *trial*"
    assert '<h1 id="a-page-of-trial">' in page.html
    assert '<img src="/manual/images/queue-en.png" alt="seen"' in page.html
    assert '<a href="/manual/other#part">there</a> <a href="/manual/trial#a-page-of-trial">here</a>' in page.html
    assert "limits.md" not in page.html
    assert "&lt;script&gt;" in page.html
    assert '<li id="SOURCE_UNKNOWN">' in page.html
    assert "<td>2</td>" in page.html
    assert "<p>One.\nTwo.</p>" in page.html
    assert "<p>One.Two.</p>" in manual._document("manual/en/trial.md", "ja").html
    assert anchor("二人目の署名（two）") == "二人目の署名two"
