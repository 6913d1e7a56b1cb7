"""The walk through the code: every function that an explanation names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.conftest import resolved

PAGES = Path(__file__).parents[2] / "docs" / "explanation"


def named(page: Path) -> set[str]:
    """Returns the dotted names on a page."""
    return set(re.findall(r"`((?:schemas|gatekeeper|streams)(?:\.\w+)+)`", page.read_text("utf-8")))


NAMES = sorted(set().union(*map(named, PAGES.glob("*.md"))))


@pytest.mark.parametrize("name", NAMES)
def test_name_in_the_walk_then_it_exists(name: str) -> None:
    resolved(name)


def test_name_that_is_gone_then_it_is_noticed() -> None:
    with pytest.raises(ImportError):
        resolved("streams.worker.partition.Partition.renamed")


def test_walk_then_it_names_each_room_on_the_way() -> None:
    names = named(PAGES / "life-of-a-send.md")
    rooms = {
        "streams.worker.chunks",
        "streams.worker.intake",
        "streams.worker.facts",
        "streams.worker.partition",
        "streams.worker.batch",
        "streams.worker.transaction",
        "gatekeeper.engine.sends",
        "gatekeeper.deciding.decide",
        "gatekeeper.audit",
        "schemas.codec",
    }
    assert [room for room in rooms if not any(name.startswith(f"{room}.") for name in names)] == []


def test_walk_in_short_then_at_most_twelve_modules_lead_from_kafka_to_cleared() -> None:
    page = (PAGES / "life-of-a-send.md").read_text("utf-8")
    short = page.partition("## In twelve modules")[2].partition("\n## ")[0]
    modules = re.findall(r"^\| \d+ \| `([\w.]+)`", short, re.M)
    assert 8 <= len(modules) <= 12
    assert all(resolved(name).__name__ == name for name in modules)
    assert (modules[0], modules[-1]) == ("streams.worker.chunks", "streams.client.producer")
