"""The paper of a letter: HTML for the console, or one file that needs nothing beside it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from gatekeeper.letters.answer import Answer
from gatekeeper.texts import text


def written(answer: Answer, *, whole: bool, fonts: str | None = None) -> str:
    """An answer as HTML on A4. `whole`: with its style inside, for a file. `fonts`: the address of a style sheet."""
    style = Markup(css()) if whole else None  # noqa: S704 - our own file
    return (
        _environment()
        .get_template("answer.html")
        .render(
            a=answer,
            t=lambda key, **values: text(f"letter.{key}", answer.lang, **values),
            style=style,
            fonts=fonts,
        )
    )


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
