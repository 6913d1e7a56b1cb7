"""The manual, for everybody, in the reader's language; it needs no sign-in, no model and no network."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from gatekeeper.console.manual import document, picture
from gatekeeper.console.session import Denied
from gatekeeper.console.view import language, page

router = APIRouter()


@router.get("/manual/images/{name}")
def image(name: str) -> Response:
    """A picture of the manual; raises Denied (404) for an unknown one."""
    file = picture(name)
    if file is None:
        raise Denied("page.no_such_page", 404)
    return FileResponse(file)


@router.get("/manual")
@router.get("/manual/{name:path}")
def shown(request: Request, name: str = "index") -> Response:
    """One page of the manual; raises Denied (404) for an unknown one."""
    manual_page = document(name, language(request))
    if manual_page is None:
        raise Denied("page.no_such_page", 404)
    return page(request, "manual", document=manual_page, contents=name == "index")
