"""The address printed is the address judged, through the running worker; and it is in nothing that the worker says."""

import os
import subprocess
from itertools import product
from pathlib import Path

import orjson
import pytest

from tests.support import canaries, forked, other_python
from tests.support.invented import known_by
from tests.support.world import World, consent_of, group_keys, send_to, source_of, until

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


LETTER, KANJI = "\U0001e030", "\U00031350"
"""For Unicode 15 a raised Cyrillic letter and one more kanji; Unicode 14 does not assign them."""
SPELLINGS = {
    "the letter in a name": (
        {"name": f"高橋 {LETTER}", "lines": ["東京都渋谷区神宮前1-2-3"]},
        {"name": f"髙橋{LETTER} 様", "lines": ["東京都渋谷区神宮前一丁目２番３号"]},
    ),
    "the kanji in a town": (
        {"name": "高橋 恵", "lines": [f"緑山県若葉市{KANJI}町1-2-3"]},
        {"name": "髙橋恵 様", "lines": [f"緑山県若葉市{KANJI}町一丁目２番３号"]},
    ),
    "the letter in a building": (
        {"name": "高橋 恵", "lines": [f"東京都渋谷区神宮前1-2-3 {LETTER}ハイツ101"]},
        {"name": "髙橋恵 様", "lines": [f"東京都渋谷区神宮前一丁目２番３号 {LETTER}ﾊｲﾂ101"]},
    ),
}
PEOPLE = {
    "r1": "the letter in a name",
    "r3": "the letter in a name",
    "r2": "the kanji in a town",
    "r4": "the kanji in a town",
    "r5": "the letter in a building",
    "r7": "the letter in a building",
}
"""In each pair one of partition 0 and one of partition 1."""
ALIKE = {"name": "高橋 \u0430", "lines": ["東京都渋谷区神宮前1-2-3"]}
"""For Unicode 15 the first spelling of all, and somebody else here."""


def objection_at(home: dict[str, object]) -> tuple[str, dict[str, object]]:
    """Returns an objection of whoever lives there, and its key."""
    said = {"v": 1, "kind": "objection", "suppression_id": "o1", "received_at": "2026-01-01T10:00:00+09:00"}
    token = known_by(home)["token"]
    return token, {**said, "token": token}


def in_both_spellings(world: World, time: int) -> None:
    """Publishes two sends to each person; `time`: of how many."""
    point = {"id": "cp", "country": "JP"}
    for who, place in PEOPLE.items():
        numbered = enumerate(SPELLINGS[place])
        made = (send_to(who, f"{who}-{n}-{time}", contact_point=point, delivery=home) for n, home in numbered)
        world.put("sends", [(who, send) for send in made])


def writers(world: World) -> set[tuple[int, str]]:
    """Returns the workers of the manifests, each with its partitions."""
    return {(message.partition(), message.key().decode()) for message in world.read("manifests")}


def test_two_pythons_share_the_work_and_one_is_killed_then_all_is_decided_the_same(kafka, prefix, tmp_path: Path):
    if not other_python.GATEKEEPER.exists():
        pytest.skip("no .venv-other: scripts/test makes it where another Python is on the PATH")
    keys = group_keys(tmp_path / "keys", f"{prefix}gk")
    world = World(kafka.bootstrap, prefix, keys=keys, data=str(tmp_path / "data")).create()
    for who, place in PEOPLE.items():
        point = {"id": "cp", **known_by(SPELLINGS[place][0])}
        world.put("sources", [(who, source_of(who) | {"contact_points": [point]})])
        world.put("consents", [(who, consent_of(who))])
    world.put("suppressions", [objection_at(ALIKE)])

    each, script = 2 * len(PEOPLE), Path(other_python.__file__)
    with (
        world.process(tmp_path / "other.log", script, worker="other") as second,
        world.process(tmp_path / "ours.log", worker="ours") as first,
    ):
        until(lambda: first.owned() and second.owned(), "both own a partition")
        in_both_spellings(world, 1)
        until(lambda: world.decided() == each, "decisions of both")
        assert {who for _, who in writers(world)} == {"ours", "other"}

        world.put("suppressions", [objection_at(SPELLINGS["the letter in a building"][1])])
        world.put("consents", [("r2", consent_of("r2", "Withdrawn"))])
        until(lambda: len(world.read("recalls")) == 6, "recalls of all that went to r2, r5 and r7")
        first.kill()
        in_both_spellings(world, 2)
        until(lambda: world.decided() == 2 * each, "decisions of the one that is left")
    assert writers(world) > {(0, "other"), (1, "other")}
    world.check(2 * each)

    objected, clear = ("block", "SUBJECT_OBJECTED"), ("clear", None)
    no = {"r2": ("block", "CONSENT_WITHDRAWN"), "r5": objected, "r7": objected}
    assert world.verdicts() == {
        f"e-{who}-{spelling}-{time}": no.get(who, clear) if time == 2 else clear
        for who, spelling, time in product(PEOPLE, (0, 1), (1, 2))
    }
    printed = {(key.split("/")[1], one["printed"][0]) for key, one in world.ledger().items() if key.startswith("clear")}
    assert printed == {(who, known_by(SPELLINGS[PEOPLE[who]][0])["token"]) for who in PEOPLE.keys() - no.keys()}

    settings = os.environ | world.environment | {"GATEKEEPER_LOG": str(tmp_path / "log")}
    for words in (("seal", "--once"), ("export", "--out", str(tmp_path / "export"))):
        assert (done := forked.run("audit", *words, env=settings)).returncode == 0, done
    for words in (("verify", str(tmp_path / "export")), ("replay", str(tmp_path / "export"))):
        other = subprocess.run(
            [other_python.GATEKEEPER, "audit", *words, "--json"],
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )
        ours = forked.run("audit", *words, "--json", env=settings)
        assert (ours.returncode, other.returncode, other.stdout) == (0, 0, ours.stdout), (ours, other)
