"""The feeds that must answer after a loss, as the records of a restored backup name them."""

from __future__ import annotations

import orjson

from streams.backup import feeds
from streams.backup.list import Backup, StoredLog
from streams.client.reader import Reader
from tests.cli.conftest import System
from tests.support import invented

CALLER = (("gate-caller", b"call-centre"),)


def written(system: System, event: invented.Event, *headers: tuple[str, bytes]) -> None:
    """Writes an event as its CRM would; nobody is registered, so reference data count unsigned."""
    topic, value = event
    system.put(topic, orjson.dumps(value), headers=headers)


def backup(system: System) -> Backup:
    """Returns the list of a backup of now, as far as feeds look at it."""
    with Reader(system.settings) as reader:
        ends = {(topic, n): end for topic in ("consents", "suppressions") for n, end in reader.ends(topic).items()}
    about = {"start": 0, "records": 0, "newest": -1, "file": None}
    logs = tuple(StoredLog(topic=topic, partition=n, end=end, **about) for (topic, n), end in ends.items())
    return Backup.model_construct(logs=logs, begun="2026-11-28T01:00:00.000Z", group="gk")


def known(system: System, of: Backup) -> dict[str, tuple[tuple[str, ...], int]]:
    with Reader(system.settings) as reader:
        return {feed.name: (feed.withholds, feed.records) for feed in feeds.found(reader, of)}


def test_records_then_each_feed_has_the_name_that_they_tell_and_their_companies(system: System) -> None:
    for company in ("C1", "C2", "C3"):
        written(system, invented.controller(id=company, group="G1" if company != "C3" else None))
    assert known(system, backup(system)) == {f"controller/{name}": ((name,), 0) for name in ("C1", "C2", "C3")}
    no = {"state": "Withdrawn", "purpose": "*"}
    written(system, invented.consent(method="paper"))
    written(system, invented.consent(record_id="R-2", method="paper", controller_id="C2", **no))
    written(system, invented.suppression(scope={"group": "G1"}), *CALLER)
    written(system, invented.suppression(kind="external", register_id="dma", scope={"controller": "C1"}))
    written(system, invented.suppression(kind="deceased", scope={"controller": "C2"}))
    written(system, ("consents", {"v": 1}))
    of = backup(system)
    written(system, invented.consent(method="later", controller_id="C3"))
    assert known(system, of) == {
        "caller/call-centre": (("C1", "C2"), 1),
        "controller/C3": (("C3",), 0),
        "method/paper": (("C1", "C2"), 2),
        "register/dma": (("C1",), 1),
        "suppression/deceased": (("C2",), 1),
    }
