"""The paper of a letter: HTML for the console, or one file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from gatekeeper.ground.texts import Language, text
from gatekeeper.letters.answer import Answer
from gatekeeper.letters.asking import AskingLetter


def answered(answer: Answer, *, whole: bool, fonts: str | None = None) -> str:
    """An answer as HTML on A4. `whole`: with its style inside, for a file. `fonts`: the address of a style sheet."""
    return _paper("answer", answer.lang, whole=whole, fonts=fonts, a=answer)


def asked(letters: Sequence[AskingLetter], *, fonts: str | None = None) -> str:
    """Letters that ask as one HTML file, each on a sheet of its own; at least one. `fonts`: as for `answered`."""
    return _paper("asking", letters[0].lang, whole=True, fonts=fonts, letters=letters, words=text)


def _paper(name: str, lang: Language, *, whole: bool, **values: Any) -> str:
    style = Markup(css()) if whole else None  # noqa: S704 - our own file
    shared = {"lang": lang, "t": lambda key, **fields: text(f"letter.{key}", lang, **fields), "style": style}
    return _environment().get_template(f"{name}.html").render(**shared, **values)


@cache
def css() -> str:
    """The style sheet of a letter."""
    return files("gatekeeper.letters").joinpath("letter.css").read_text("utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("gatekeeper.letters"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
