"""The documents as the tests read them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

HOUSE = Path(__file__).parents[2]
PAGES = {
    path.relative_to(HOUSE).as_posix(): path.read_text("utf-8")
    for path in (*sorted(HOUSE.glob("*.md")), *sorted((HOUSE / "docs").rglob("*.md")))
}


@pytest.fixture(params=PAGES, ids=str)
def page(request: pytest.FixtureRequest) -> tuple[Path, str]:
    """Each page in turn: its path and its text."""
    return HOUSE / request.param, PAGES[request.param]


@pytest.fixture(scope="session")
def house() -> Path:
    """The folder of the repository."""
    return HOUSE


@pytest.fixture(scope="session")
def everything() -> str:
    """All pages in one."""
    return "\n".join(PAGES.values())


def rows(page: str, first: str) -> list[list[str]]:
    """Returns the cells of the table whose first column is headed `first`, without back-ticks."""
    lines = page.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip().replace("`", "") for cell in line.strip("|").split("|")])
    return found


@pytest.fixture(scope="session")
def table() -> object:
    """Reads one table of a page: `table("docs/reference/topics.md", "topic")`."""
    return lambda name, first: rows(PAGES[name], first)


def resolved(name: str) -> Any:
    """Returns what a dotted name stands for; raises ImportError or AttributeError where there is nothing."""
    parts = name.split(".")
    found: Any = import_module(parts[0])
    for number, part in enumerate(parts[1:], start=2):
        # a function may have its module's name: gatekeeper.deciding.decide.decide
        found = getattr(found, part) if hasattr(found, part) else import_module(".".join(parts[:number]))
    return found
