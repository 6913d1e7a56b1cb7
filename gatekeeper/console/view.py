"""Renders pages: templates with sentences of the catalogue, in the reader's language."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from gatekeeper.console.manual import help_of
from gatekeeper.console.state import console
from gatekeeper.ground.texts import Language
from gatekeeper.ground.words import Words, with_code
from gatekeeper.review.actions import sentence
from gatekeeper.staff.act_kinds import ACT_KINDS

ROOM = Path(__file__).parent
LANGUAGE = "lang"
"""The name of the query key and of the cookie that hold the language."""

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(ROOM / "templates"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def language(request: Request) -> Language:
    """The reader's language: from the address, else the cookie, else the browser, else Japanese."""
    for asked in (request.query_params.get(LANGUAGE), request.cookies.get(LANGUAGE)):
        if asked in ("ja", "en"):
            return "ja" if asked == "ja" else "en"
    for part in request.headers.get("accept-language", "").lower().split(","):
        if part.strip().startswith(("ja", "en")):
            return "ja" if part.strip().startswith("ja") else "en"
    return "ja"


def page(request: Request, name: str, *, status: int = 200, address: str | None = None, **values: Any) -> HTMLResponse:
    """A page from the template `NAME.html`, which gets its sentences, the session and `values`.

    `address`: the page's own address, for a page that answers a form.
    """
    lang = language(request)
    held, session = console(request), getattr(request.state, "session", None)
    other: Language = "en" if lang == "ja" else "ja"
    _, _, path, query, _ = urlsplit(address or str(request.url))
    rest = [(key, value) for key, value in parse_qsl(query) if key != LANGUAGE]
    html = _ENVIRONMENT.get_template(f"{name}.html").render(
        **Words(lang, held.zone(), minor_age=held.policy().minor_age).names(),
        lang=lang,
        session=session,
        sign_in=held.signs_in,
        nav=[(tab.path, tab.name) for tab in held.pages if tab.path and session and tab.shown_to(session)],
        here=request.url.path,
        help=help_of(request.url.path),
        other_language=f"/{path.lstrip('/')}?{urlencode([*rest, (LANGUAGE, other)])}",
        address=address if request.method == "POST" else None,
        act_keys=[(row.key, f"act_kind.name_{kind}") for kind, row in ACT_KINDS.items() if row.key],
        trouble=held.feed.progress.trouble,
        **{"cursor": None, "refresh": None, **values},
    )
    answer = HTMLResponse(with_code(html), status)
    if request.query_params.get(LANGUAGE) in ("ja", "en"):
        answer.set_cookie(LANGUAGE, lang, max_age=31_536_000, httponly=True, samesite="strict")
    return answer


def told(outcome: str | None, code: str | None, lang: Language) -> str:
    """The outcome of an act in one sentence, with the page's own wording where the general one names a command."""
    return sentence(outcome, code, lang, "page")
