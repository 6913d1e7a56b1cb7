"""The walk through the code: every function that an explanation names exists."""

from __future__ import annotations

import re

import pytest

from tests.docs.conftest import PAGES, resolved

TOLD = [page for name, page in PAGES.items() if name.startswith("docs/explanation/")]
NAMES = {name for page in TOLD for name in re.findall(r"`((?:schemas|gatekeeper|streams)(?:\.\w+)+)`", page)}


def test_names_in_the_walk_then_they_exist_and_one_that_is_gone_is_noticed() -> None:
    assert len(NAMES) > 30
    for name in NAMES:
        resolved(name)
    with pytest.raises(ImportError):
        resolved("streams.worker.partition.Partition.renamed")


def test_walk_in_short_then_at_most_twelve_modules_lead_from_kafka_to_cleared() -> None:
    short = PAGES["docs/explanation/life-of-a-send.md"].partition("## In twelve modules")[2].partition("\n## ")[0]
    modules = re.findall(r"^\| \d+ \| `([\w.]+)`", short, re.M)
    assert 8 <= len(modules) <= 12
    assert all(resolved(name).__name__ == name for name in modules)
    assert (modules[0], modules[-1]) == ("streams.worker.chunks", "streams.client.producer")
