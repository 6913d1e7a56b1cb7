"""The address printed is the address judged, through the running worker; and it is in nothing that the worker says."""

from pathlib import Path
from typing import Any

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


POINT = {"id": "cp", **known_by(HOME)}
PRINTED: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, str | None]]] = {
    "r1": (POINT, HOME, ("clear", None)),
    "r2": (POINT, SPELLED, ("clear", None)),
    "r3": (POINT, OTHER, ("block", "SUBJECT_ERASED")),
    "r5": (POINT, MOVED, ("block", "CONTACT_POINT_NOT_COVERED")),
    "r6": ({"id": "cp", **known_by(AT_WORK)}, AT_WORK, ("clear", None)),
    "r7": (POINT, AT_WORK, ("review", "PRINT_UNACCOUNTED")),
}
"""By recipient: the contact point that a source gave, what is printed, and the answer to it."""


def written(world: World, topic: str) -> list[bytes]:
    """Returns keys and values of a topic."""
    return [part for message in world.read(topic) for part in (message.key(), message.value()) if part]


def test_addresses_in_many_spellings_then_those_judged_go_out_and_nothing_tells_them(world, tmp_path: Path):
    for name, (point, *_) in PRINTED.items():
        world.put("sources", [(name, source_of(name) | {"contact_points": [point]})])
        world.put("consents", [(name, consent_of(name))])
    erased = {"v": 1, "kind": "erasure", "suppression_id": "x1", "received_at": "2025-01-01"}
    erased |= known_by(OTHER, stop=True)
    world.put("suppressions", [(erased["token"], erased)])
    cp = {"id": "cp", "country": "JP"}
    made = {
        name: orjson.dumps(send_to(name, name, contact_point=cp, delivery=delivery))
        for name, (_, delivery, _) in PRINTED.items()
    }
    world.put("sends", made.items())
    log = tmp_path / "worker.log"
    with world.process(log, log_level="debug") as worker:
        until(worker.owned, "partitions that are owned")
        world.await_audits(len(made))
    assert world.verdicts() == {f"e-{name}": answer for name, (_, _, answer) in PRINTED.items()}
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
