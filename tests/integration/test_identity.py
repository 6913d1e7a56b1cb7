"""The address printed is the address judged, through the running worker; and it is in nothing that the worker says."""

from pathlib import Path

import orjson
import pytest

from tests.support import canaries
from tests.support.invented import known_by
from tests.support.world import World, consent_of, send_to, source_of, until

HOME = {"name": "髙橋 橘花", "postcode": "150-0001", "lines": ["東京都渋谷区神宮前1-2-3"], "phone": "03-0000-4321"}
SPELLED = {
    "name": "高橋橘花 様",
    "postcode": "〒150-0001",
    "lines": ["渋谷区神宮前一丁目２番３号"],
    "email": "kikka@mail.example",
}
OTHER = {"name": "ﾏﾘｱ･ｶﾅﾘﾔ", "lines": ["緑山県若葉市青葉町9-8-7 ﾐﾄﾞﾘﾊｲﾂ606"]}
MOVED = {"name": "髙橋 橘花", "lines": ["東京都渋谷区神宮前1-2-33"]}
AT_WORK = {**HOME, "lines": [*HOME["lines"], "営業部 課長"]}
CANARIES = ("橘花", "神宮前", "営業部", "課長", "ｶﾅﾘﾔ", "青葉町", "kikka", "0000-4321", "0000432")


@pytest.fixture
def world(kafka, prefix) -> World:
    return World(kafka.bootstrap, prefix).create()


def people(world: World) -> None:
    point = {"id": "cp", **known_by(HOME)}
    world.put("sources", [(name, source_of(name) | {"contact_points": [point]}) for name in ("r1", "r2", "r3", "r5")])
    work = {"id": "cp", **known_by(AT_WORK)}
    world.put("sources", [("r4", source_of("r4")), ("r6", source_of("r6") | {"contact_points": [work]})])
    world.put("sources", [("r7", source_of("r7") | {"contact_points": [point]})])
    world.put("consents", [(name, consent_of(name)) for name in ("r1", "r2", "r3", "r4", "r5", "r6", "r7")])
    erased = {
        "v": 1,
        "kind": "erasure",
        "suppression_id": "x1",
        "received_at": "2025-01-01",
        **known_by(OTHER, stop=True),
    }
    world.put("suppressions", [(erased["token"], erased)])


def sends(world: World) -> dict[str, bytes]:
    """Publishes one send to each and returns their bytes, by recipient."""
    point = {"id": "cp", "country": "JP"}
    printed = {"r1": HOME, "r2": SPELLED, "r3": OTHER, "r4": OTHER, "r5": MOVED, "r6": AT_WORK, "r7": AT_WORK}
    made = {
        name: orjson.dumps(send_to(name, name, contact_point=point, delivery=delivery))
        for name, delivery in printed.items()
    }
    world.put("sends", made.items())
    return made


def written(world: World, topic: str) -> list[bytes]:
    """Returns keys and values of a topic."""
    return [part for message in world.read(topic) for part in (message.key(), message.value()) if part]


def test_addresses_in_many_spellings_then_those_judged_go_out_and_nothing_tells_them(world, tmp_path: Path):
    people(world)
    made = sends(world)
    log = tmp_path / "worker.log"
    with world.process(log, log_level="debug") as worker:
        until(worker.owned, "partitions that are owned")
        world.await_audits(len(made))
    assert world.verdicts() == {
        "e-r1": ("clear", None),
        "e-r2": ("clear", None),
        "e-r3": ("block", "SUBJECT_ERASED"),
        "e-r4": ("block", "SUBJECT_ERASED"),
        "e-r5": ("block", "CONTACT_POINT_NOT_COVERED"),
        "e-r6": ("clear", None),
        "e-r7": ("review", "PRINT_UNACCOUNTED"),
    }
    assert {audit.facts.printed for audit in world.audits() if audit.facts and audit.verdict == "clear"} == {
        "tokenised",
        "unaccounted",  # but a source gave it
    }
    assert {m.key().decode(): m.value() for m in world.read("cleared")} == {
        name: made[name] for name in ("r1", "r2", "r6")
    }
    world.check(len(made))

    said = log.read_bytes()
    for topic in ("audit", "manifests"):
        said += b"\n".join(written(world, topic))
    for topic in ("cleared", "review"):
        said += b"\n".join(value for message in world.read(topic) for _, value in message.headers())
    assert b"SUBJECT_ERASED" in said
    assert b"t1_" not in said, "a token"
    said += b"\n".join(written(world, "ledger"))  # which keeps the token of what is cleared, for its recall
    assert not canaries.found(said, CANARIES)
