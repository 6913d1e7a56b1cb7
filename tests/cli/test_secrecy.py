"""Nobody's name, address, e-mail or phone leaves the places that must have them: every path tried, errors included."""

from __future__ import annotations

import csv
import gzip
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import orjson
import pytest

from gatekeeper.webhooks.endpoints import Endpoint
from gatekeeper.webhooks.outbox import Outbox
from gatekeeper.webhooks.watch import Watch
from schemas.topics import DAY_MS, TOPICS
from schemas.webhooks import WEBHOOK_TYPES
from streams.client import broker_access
from streams.client.reader import Reader
from streams.kafka.broker import Broker
from tests.cli.conftest import Outcome, Run
from tests.support import canaries, guesses
from tests.support.canaries import NARUMI, PEOPLE
from tests.support.invented import bare, known_by
from tests.support.list_files import list_map
from tests.support.service import service
from tests.support.world import TEMPLATE, Supervised, World, consent_of, own_keys, send_to, source_of, until

NAME, MAIL, PHONE = NARUMI["name"], NARUMI["email"], NARUMI["phone"]
FREE = ("recalls", "results", "audit", "manifests", "ledger")
"""Topics that hold nobody; the others hold what came in as it came, a letter to a person, or words about one."""
DEFECT = """
import sys
from gatekeeper import cli
from gatekeeper.knowledge.store import FactStore

view, apply = FactStore.view, FactStore.apply

def defective(self, sent, *more, **named):
    if sent.event_id == "e-defect":
        raise ValueError(str(sent.delivery))
    return view(self, sent, *more, **named)

def crashing(self, record):
    if b"crash" in (record.value or b""):
        raise ValueError(record.value.decode())
    return apply(self, record)

FactStore.view, FactStore.apply = defective, crashing
sys.argv = ["gatekeeper", "worker"]
cli.main()
"""
"""A worker with a defect of ours, which quotes the person in its error."""
BORN = "1987-06-05"
"""The birthday of everybody here: only `sources` has it; from a look-up on there are ages."""
MEMBER = "M10442873"
"""The member number of somebody whose facts and sends come over HTTP."""
REQUEST = "order-4711"
"""An `Idempotency-Key` that anybody may guess."""
SENT = {name: value for name, value in send_to(MEMBER, delivery=NARUMI).items() if name != "event_id"}
SENT["contact_point"] = {"id": "cp", "country": "JP"}
FACES = "template/T-FACE", {**TEMPLATE[1], "id": "T-FACE", "persons": [{}], "ask_complete": False}
LIST = f"""番号,氏名,住所,電話
{MAIL},{NAME},{NARUMI["lines"][0]},{PHONE}
{PHONE},{NAME},{NARUMI["lines"][0]},{PHONE}
L1,{NAME},{NAME},{PHONE}
L2,,{NARUMI["lines"][0]},{PHONE}
L3,{NAME},{NARUMI["lines"][0]},{PHONE}
"""
MAP = list_map(acquired_at="電話")


LISTED = (
    *(guesses.customer(f"c{number}", person, BORN) for number, person in enumerate(PEOPLE)),
    guesses.Person((MEMBER, NAME, PHONE, MAIL, f"{NAME} {PHONE}", BORN), (SENT, {**NARUMI})),
)
"""The customers, as an attacker has them on a list."""


class Said:
    """All that commands said, and the way to run one more."""

    def __init__(self, run: Run) -> None:
        self.written = b""
        self._run = run

    def __call__(self, *words: str, code: int | None = None) -> Outcome:
        done = self._run(*words)
        assert code in (None, done.code), (words, done)
        assert "Traceback" not in done.err, (words, done.err)
        said = (done.out + done.err).encode()
        assert not canaries.found(said), (words, done)
        self.written += said
        return done


@pytest.fixture
def world(run: Run, kafka: Broker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world that commands are told of; they run in a folder of their own, which they may write to."""
    found = World(kafka.bootstrap, prefix, partitions=2, max_lag=60.0, keys=own_keys(tmp_path / "keys"))
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GATEKEEPER_USER", "hanako")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    assert run("keys", "init").code == 0
    return found.create().may_ask()


@pytest.fixture
def worker(world: World, tmp_path: Path) -> Iterator[Supervised]:
    """Their worker, which tells all that it does, with a defect."""
    script = tmp_path / "worker.py"
    script.write_text(DEFECT)
    with world.process(tmp_path / "worker.log", script, log_level="debug") as found:
        until(found.owned, "partitions that are owned")
        yield found


def faulty() -> Iterator[tuple[str | None, bytes]]:
    """Yields sends that cannot be read and hold somebody, each in another way."""
    for number, person in enumerate(PEOPLE):
        good = send_to(f"c{number}", f"bad-{number}", delivery=person)
        value = orjson.dumps(good)
        yield None, value[:-1]
        yield None, value.decode().encode("utf-16")
        yield None, "、".join(map(str, person.values())).encode("cp932", "replace")
        yield person["name"], value
        yield None, orjson.dumps({**good, "delivery": {**person, person["name"]: "x"}})
        yield None, orjson.dumps({**good, "delivery": {**person, "name": [person["name"]]}})
        yield None, orjson.dumps({**good, "delivery": {**person, "lines": person["name"]}})
        yield None, orjson.dumps({**good, "delivery": {**person, "name": person["name"] * 30}})
        for field in ("recipient_id", "campaign_id", "channel", "purpose", "message_class", "mail_date", "v"):
            yield None, orjson.dumps({**good, field: person["name"]})
        for value in (MAIL, PHONE):
            yield None, orjson.dumps({**good, "recipient_id": value})
            yield None, orjson.dumps({**good, "contact_point": {**good["contact_point"], "id": value}})


def unreadable_facts() -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    """Yields topic, key and value of facts that cannot be read and name somebody where no name belongs."""
    yield "sources", None, {**source_of("f1"), NAME: NAME}
    yield "sources", None, {**source_of("f2"), "route": NAME}
    yield "reference", None, {"v": 1, "kind": "template", "id": "T9", "display_ok": {NAME: ["postal"]}}
    yield "reference", None, {"v": 1, "kind": "controller", "id": "C9", "notice_items": {"purposes": {NAME: "x"}}}


def judged(world: World) -> dict[str, tuple[str, str | None]]:
    """Publishes sends that are cleared, withheld, failed by a defect, and not readable; returns the verdicts."""
    known = [f"c{number}" for number in range(len(PEOPLE))]
    for name, person in zip(known, PEOPLE, strict=True):
        checked = {"name": NAME, "address": NARUMI["lines"][0], "representative": NAME, "how_obtained": NAME}
        check = {"checked_at": "2024-01-01", "basis": "consent", **checked}
        known_at = {"contact_points": [{"id": "cp", **known_by(person)}], "check": check, "birth_date": BORN}
        world.put("sources", [(name, source_of(name, **known_at))])
        world.put("consents", [(name, consent_of(name))])
        point = {"contact_point": {"id": "cp", "country": "JP"}, "delivery": person}
        world.put("sends", [(name, send_to(name, f"clear-{name}", **point))])
        world.put("sends", [(name, send_to(name, f"face-{name}", template_id="T-FACE", **point))])
        world.put("sends", [(f"u{name}", send_to(f"u{name}", f"unknown-{name}", **point))])
    world.put("sends", [("c0", send_to("c0", "defect", delivery=NARUMI))])
    world.put("sends", faulty())
    count = 3 * len(PEOPLE) + 1 + len(list(faulty()))
    world.await_audits(count)
    return world.verdicts()


def over_http(world: World, folder: Path) -> dict[str, Any]:
    """States facts of somebody and sends a piece, as a platform does that may repeat its request; gives the answer."""
    with service(world, folder) as (_, client):
        point = {"id": "cp", **known_by(NARUMI)}
        known = source_of(MEMBER, source_id="s-member", contact_points=[point], birth_date=BORN)
        agreed = consent_of(MEMBER, record_id="yes-member", evidence_ref="form-member")
        for topic, fact in (("sources", bare(known)), ("consents", agreed)):
            assert client.post(f"/v1/facts/{topic}", json=fact).status_code == 200
        repeatable = {"headers": {"Idempotency-Key": REQUEST}, "params": {"wait": 60}}
        first, again = (client.post("/v1/sends", json=SENT, **repeatable).json() for _ in range(2))
    assert (first["decision"]["verdict"], again["decision"]["primary"]) == ("clear", "DUPLICATE_SEND")
    assert again["decision"]["duplicate_of_event"] == again["event_id"] == first["event_id"]
    return first


def posted(world: World, folder: Path) -> bytes:
    """The bodies of all events that would be posted to an endpoint."""
    hooks = Endpoint("hooks", "https://hooks.example", WEBHOOK_TYPES, (), (), allow_private=False)
    now, outbox = time.time_ns() // 10**6, Outbox(folder)
    watch = Watch(world.settings, outbox, [hooks], lambda: now, since=now - DAY_MS)
    with Reader(world.settings) as reader:
        watch.begin(reader)
        until(lambda: watch.look(reader), "all that is there")
    found = b"\n".join(body + id_.encode() for body, id_ in outbox.db.execute("SELECT body, id FROM event"))
    outbox.close()
    return found


def wrong(item: str, folder: Path) -> Iterator[tuple[str, ...]]:
    """Yields commands with somebody where an id, a day or a filter belongs."""
    why = ("--reason", "x", "--yes")
    for value in (NAME, MAIL, PHONE):
        yield "erase", value, *why
        for verb in (("withdraw",), ("review", "show"), ("deadletter", "show")):
            yield *verb, value
        for option in ("--by", "--evidence", "--at"):
            yield "withdraw", "c0", option, value
        yield "review", "release", value, *why
        yield "review", "uphold", item, *why, "--evidence", value
        yield "review", "list", "--filter", f"{value}=1"
        yield "suspend", "C1", "--reason", "x", "--from", value
        yield "audit", "prove", value, "--out", str(folder / "no.json")
        yield "audit", "explain", value
        yield "tail", "sends", "--raw", "--by", value
        yield "deadletter", "resolve", value, "--by", "hanako", "--reason", "x"
        yield "deadletter", "resolve", "consents/0/0", "--by", value, "--reason", "x"
        yield "import", "sources", str(folder / "list.csv"), "--list-date", value
    for value in (NAME, MAIL):  # a number alone may be an id of theirs
        yield "withdraw", "c0", "--controller", value
        yield "suspend", value, "--reason", "x"
        yield "source", "quarantine", value, "--reason", "x"
        yield "handoff", value, "--out", str(folder / "no.csv")
        yield "campaign", "show", value, "--json"
        yield "campaign", "cancel", value, *why


def test_canary_people_on_every_path_then_nothing_of_them_is_written_anywhere_else(
    run: Run, world: World, worker: Supervised, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Said(run)
    world.put("reference", [FACES])
    for topic, key, value in unreadable_facts():
        world.put(topic, [(key, value)])
    verdicts = judged(world)
    assert {verdicts[f"e-clear-c{n}"][0] for n in range(len(PEOPLE))} == {"clear"}
    assert verdicts["e-defect"] == ("block", "DECISION_FAILED")

    over_http(world, tmp_path / "service")
    (tmp_path / "list.csv").write_text(LIST, "cp932")
    (tmp_path / "map.toml").write_text(MAP, "utf-8")
    said("import", "sources", str(tmp_path / "list.csv"), "--map", str(tmp_path / "map.toml"), code=1)
    said("import", "sources", str(tmp_path / "list.csv"), code=2)
    (tmp_path / "bad.jsonl").write_bytes(b"\n".join(value for _, value in faulty() if b"\n" not in value))
    for verb in (("publish",), ("check",), ("import", "consents"), ("reconcile",), ("decide",)):
        said(*verb, str(tmp_path / "bad.jsonl"))

    (asked, released), items = [f"e-face-c{n}" for n in (0, 1)], world.items()
    ids = {event: item["decision_id"] for event, item in items.items()}
    because = ("--reason", f"{NAME} {PHONE}", "--yes")
    said("review", "release", ids[released], "--evidence", "scan-9", *because, code=0)
    said("review", "uphold", ids[asked], *because, code=0)
    said("review", "undo", ids[asked], *because, code=0)
    said("review", "note", ids[asked], *because, code=0)
    said("handoff", "K-clear-c0", "--out", str(tmp_path / "out.csv"), code=0)
    with (tmp_path / "out.csv").open(encoding="utf-8-sig") as handle:
        assert [row["name"] for row in csv.DictReader(handle)] == [NAME], "the print house must have it"
    said("suspend", "C1", "--reason", NAME, code=0)
    said("resume", "C1", "--reason", NAME, code=0)
    said("withdraw", "c2", "--reason", NAME, code=0)
    said("erase", "c3", *because, code=0)
    said("readmit", "c3", "--reason", NAME, "--evidence", "form-91", code=0)
    said("deadletter", "resolve", "reference/0/99999", "--by", "hanako", "--reason", NAME)
    said("campaign", "cancel", "K-face-c1", "--reason", NAME, "--yes")
    world.put("suppressions", [(None, {"v": 1, "kind": NAME, "recipient_id": NAME})])  # it withholds everybody

    leaks = []
    for words in wrong(ids[asked], tmp_path):
        try:
            said(*words)
        except AssertionError as error:
            leaks.append((words, str(error)[:600]))
    assert not leaks, leaks
    for topic in TOPICS:
        said("tail", topic, "--from-beginning", "--no-follow", code=0)
        said("tail", topic, "--from-beginning", "--no-follow", "--json", code=0)
    for words in ("status", "doctor", "config", "deadletter list", "review list", "campaign show K-clear-c0"):
        said(*words.split())
        said(*words.split(), "--json")
    letter = world.read("deadletter")[-1]
    said("deadletter", "show", dict(letter.headers())["gate-source"].decode(), code=0)
    said("review", "show", ids["e-unknown-uc0"] if "e-unknown-uc0" in ids else ids["e-unknown-c0"], code=0)
    said("audit", "seal", "--once", code=0)
    said("audit", "witness", "--once", "--first", code=0)
    said("audit", "export", "--out", "export", code=0)
    said("audit", "verify", "export", code=0)
    said("audit", "replay", "export", "--json")
    said("audit", "replay", "--live", "--rate", "0")
    said("audit", "what-if", "export", "--policy", "strictest")
    said("audit", "coverage")
    said("audit", "explain", ids[asked], code=0)
    said("audit", "prove", ids[asked], "--out", "proof.json", code=0)
    said("audit", "check", "proof.json", code=0)
    with monkeypatch.context() as nowhere:
        nowhere.setenv("GATEKEEPER_BROKER", "127.0.0.1:1")
        nowhere.setattr(broker_access, "CONNECT_MS", 300)
        for words in (("withdraw", "c0", "--reason", NAME), ("erase", "c0", *because)):
            said(*words, code=3)

    (started,) = worker.events("worker_started")
    pages = b""
    for page in ("healthz", "readyz", NAME.encode().hex()):
        try:
            with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{started['port']}/{page}") as answer:
                pages += answer.read()
        except HTTPError as error:
            pages += error.read()
    assert b'"withholding": [{' in pages

    world.put("consents", [(None, {**consent_of("c0"), "crash": NAME})])
    assert worker.wait() == 70
    bodies = posted(world, tmp_path / "webhooks")
    assert b'"recall"' in bodies
    written = {"pages": pages, "commands": said.written, "log": worker.log.read_bytes(), "webhooks": bodies}
    assert b'"DECISION_FAILED"' in written["log"]
    for topic in TOPICS:
        records = world.read(topic)
        headers = b"\n".join(value or b"" for record in records for _, value in record.headers() or ())
        written[f"headers of {topic}"] = headers
        if topic in FREE:
            written[topic] = b"\n".join((record.key() or b"") + (record.value() or b"") for record in records)
    for path in (path for path in (tmp_path / "home").rglob("*") if path.is_file()):
        data = path.read_bytes()
        written[str(path)] = gzip.decompress(data) if path.suffix == ".gz" else data
    for path in tmp_path.glob("*.rejected.*"):
        written[path.name] = path.read_bytes()
    assert sum(map(len, written.values())) > 50_000
    assert {name: canaries.found(data) for name, data in written.items() if canaries.found(data)} == {}
    told = {topic: [record.value() or b"" for record in world.read(topic)] for topic in TOPICS}
    dated = [name for name, values in told.items() if BORN.encode() in b"".join(values)]
    assert (dated, [name for name, data in written.items() if BORN.encode() in data]) == (["sources"], [])
    assert b'"age":25' in b"".join(told["audit"]), "what is there instead"
    numbered = {name for name, data in written.items() if MEMBER.encode() in data}
    assert numbered == {"ledger", "recalls", "commands"}, "a recipient id stands where people are found by it"
    tried = {name: data.splitlines() for name, data in written.items()}
    named = guesses.guessed(tried, LISTED, known=("everybody", REQUEST))
    assert not named, "\n".join(map(str, named))
    held = b"".join(told["sends"])
    assert set(canaries.found(held)) >= {"金糸雀", "ﾅﾙﾐ", "がなみ"}, "the search finds what is there"
