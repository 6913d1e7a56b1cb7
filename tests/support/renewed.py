"""The files that are made from the models: `python -m tests.support.renewed --write` renews them."""

from __future__ import annotations

import sys
from pathlib import Path

from gatekeeper.cli.version import release
from gatekeeper.service.openapi import document, paths
from schemas.asyncapi import files
from schemas.json_schema import written
from tests.support import events_page

HOUSE = Path(__file__).parents[2]
FOLDER = HOUSE / "schemas" / "json"
HOW = "these files are not what the models say. Run `python -m tests.support.renewed --write`, and look at the diff."


def wanted() -> dict[Path, str]:
    """Returns what each file must hold."""
    return {
        HOUSE / events_page.NAME: events_page.events_page(),
        **{FOLDER / name: content for name, content in contract().items()},
    }


def contract() -> dict[str, str]:
    """Returns the files of the published contract by name: those of topics, and the service's."""
    return {**files(), "openapi.json": written(document(paths(release())))}


def stale() -> list[str]:
    """Returns the files that are missing, hold something else, or are not made any more."""
    found = wanted()
    there = {path: path.read_text("utf-8") for path in {*found, *FOLDER.glob("*")} if path.exists()}
    return sorted(str(path.relative_to(HOUSE)) for path in {*found, *there} if there.get(path) != found.get(path))


def renew() -> None:
    """Writes every file, and deletes those that are not made any more."""
    found = wanted()
    for path in {*FOLDER.glob("*")} - found.keys():
        path.unlink()
    for path, content in found.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, "utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    renew()
