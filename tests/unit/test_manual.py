"""The manual in the console: what its pages may show, and the page that helps with each page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatekeeper.console import manual
from gatekeeper.console.manual import document, picture
from gatekeeper.ground.texts import Language
from gatekeeper.policy.reasons import CATALOGUE

LANGUAGES: tuple[Language, ...] = ("ja", "en")


def html(name: str, lang: Language) -> str:
    found = document(name, lang)
    assert found is not None, (name, lang)
    return found.html


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_reason_then_the_manual_has_a_paragraph_about_what_to_do(lang: Language) -> None:
    assert sorted(re.findall(r'<li id="([A-Z0-9_]+)"', html("reasons", lang))) == sorted(CATALOGUE)


@pytest.mark.parametrize("name", ["..", "../adr/0001-engine", "ja/reviewer"])
def test_a_name_that_is_no_page_then_there_is_none(name: str) -> None:
    assert picture(f"{name}.png") is None
    assert document(name, "ja") is None


def test_markdown_then_it_becomes_what_the_console_may_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "manual" / "en"
    folder.mkdir(parents=True)
    (folder / "trial.md").write_text(
        "# A page, of *trial*\n\n![seen](../../images/queue-en.png)\n\n"
        "[there](other.md#part) [away](../../reference/limits.md) <script>x</script>\n"
    )
    monkeypatch.setattr(manual, "DOCS", tmp_path)
    page = manual._document("manual/en/trial.md", "en")
    assert '<img src="/manual/images/queue-en.png" alt="seen"' in page.html
    assert '<a href="/manual/other#part">there</a>' in page.html
    assert ("limits.md" in page.html, "&lt;script&gt;" in page.html) == (False, True)
