"""The read model: what a page reads of it is of one moment, whatever is written meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path

import orjson
import pytest

from gatekeeper.console import items
from gatekeeper.console.model import Model
from streams.client import Record
from tests import world


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(tmp_path, (items.PART,), zone="Asia/Tokyo")


def elsewhere(model: Model, *records: Record) -> None:
    """Takes records in as the feed does, in a thread of its own."""
    thread = threading.Thread(target=model.take, args=(records,))
    thread.start()
    thread.join()


def test_a_record_that_comes_while_a_page_is_made_then_it_is_after_the_pages_cursor(model: Model) -> None:
    topic, act = world.act(act_id="run.D-1")
    with model.read() as db:
        assert items.doings(db, "D-1") == []
        elsewhere(model, Record(topic, 0, 0, world.T, None, orjson.dumps(act), ()))
        assert items.doings(db, "D-1") == []
        shown = model.cursor()
    with model.read() as db:
        assert items.doings(db, "D-1")
    assert (shown, model.cursor()) == (f"{model.generation}-0", f"{model.generation}-1")
