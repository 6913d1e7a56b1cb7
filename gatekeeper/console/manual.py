"""The manual: the Markdown files of `docs/manual` and `docs/how-to` as HTML for the console.

A page's name is that of its file: `reviewer`, or `how-to/ask-people`. Its address is `/manual/NAME` in both languages.
The files lie beside our packages, in the source tree and in the wheel (ADR 34).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from gatekeeper.ground import ROOT
from gatekeeper.ground.texts import Language
from gatekeeper.policy.reasons import CATALOGUE

DOCS = ROOT / "docs"
HELP: Mapping[str, str] = {
    "": "reviewer",
    "items": "how-to/work-in-the-console",
    "bulk": "how-to/work-in-the-console",
    "runs": "how-to/work-in-the-console",
    "forms": "how-to/correct-a-form",
    "overview": "manager",
    "campaigns": "how-to/hand-off-a-campaign",
    "reasons": "reasons",
    "manage": "how-to/act-for-the-privacy-manager",
    "records": "how-to/people-and-keys",
    "passkeys": "how-to/sign-with-a-passkey",
    "sign": "how-to/sign-with-a-passkey",
    "people": "how-to/answer-an-inquiry",
    "letters": "how-to/answer-an-inquiry",
    "report": "how-to/report-to-management",
    "signin": "index",
    "manual": "index",
}
"""The manual's page for each page of the console, by the first part of its address."""

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_PLACE = re.compile(r"manual/(?:ja|en)/([\w-]+)\.md|(how-to)/(?:ja/)?([\w-]+)\.md")


class Document(NamedTuple):
    """One page of the manual: its heading, its content as HTML, and the language in which it is written."""

    title: str
    html: str
    lang: Language


def help_of(path: str) -> str:
    """The address of the manual's page for a page of the console; the contents for any other."""
    return address(HELP.get(path.split("/")[1], "index"))


def address(name: str) -> str:
    """The address of a page of the manual."""
    return "/manual" if name == "index" else f"/manual/{name}"


def picture(name: str) -> Path | None:
    """The file of a picture, None where there is none of this name."""
    return next((file for file in (DOCS / "images").glob("*.png") if file.name == name), None)


@cache
def names() -> frozenset[str]:
    """The names of all pages, in whatever language they are."""
    files = (file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md"))
    return frozenset(name for file in files if (name := _name(file)))


def document(name: str, lang: Language) -> Document | None:
    """The page of this name, in English if there is no translation; None for an unknown name."""
    return _named(name, lang) if name in names() else None  # nobody fills the cache with names of no page


@cache
def _named(name: str, lang: Language) -> Document | None:
    room, _, last = name.rpartition("/")
    japanese, english = (f"{room}/ja/{last}", name) if room else (f"manual/ja/{name}", f"manual/en/{name}")
    for at, written in ((japanese, "ja"), (english, "en")):
        if (lang == "ja" or written == "en") and (DOCS / f"{at}.md").exists():
            return _document(f"{at}.md", "ja" if written == "ja" else "en")
    return None


def _document(file: str, lang: Language) -> Document:
    tokens = _MARKDOWN.parse((DOCS / file).read_text("utf-8"))
    title = next(after.content for token, after in _pairs(tokens) if token.type == "heading_open")
    for token, after in _pairs(tokens):
        if token.type == "heading_open":
            token.attrSet("id", anchor(after.content))
        elif token.type == "list_item_open":
            token.attrs.update(_reason(tokens, token))
        for child in token.children or ():
            if child.type == "image":
                child.attrSet("src", f"/manual/images/{PurePosixPath(str(child.attrGet('src'))).name}")
            elif child.type == "link_open":
                _lead(child, file)
            elif child.type == "softbreak" and lang == "ja":
                child.type = "text"  # Japanese has no blank between sentences
    return Document(title, _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}), lang)


def anchor(heading: str) -> str:
    """The anchor of a heading, as it is made where Markdown is shown elsewhere."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _pairs(tokens: list[Token]) -> Iterator[tuple[Token, Token]]:
    return zip(tokens, [*tokens[1:], tokens[-1]], strict=True)


def _reason(tokens: list[Token], item: Token) -> dict[str, str]:
    """The id of an item that begins with the code of a reason: the code."""
    inline = next(token for token in tokens[tokens.index(item) :] if token.type == "inline")
    first = (inline.children or [inline])[0]
    return {"id": first.content} if first.type == "code_inline" and first.content in CATALOGUE else {}


def _lead(link: Token, file: str) -> None:
    """Makes a link lead to a page of the console. A link to a document outside the manual loses its address."""
    path, _, part = str(link.attrGet("href")).partition("#")
    to = _name(normpath(f"{PurePosixPath(file).parent}/{path}")) if path else _name(file)
    link.attrs = {"href": address(to) + (f"#{part}" if part else "")} if to else {}


def _name(file: str) -> str | None:
    match = _PLACE.fullmatch(file)
    return "/".join(filter(None, match.groups())) if match else None
