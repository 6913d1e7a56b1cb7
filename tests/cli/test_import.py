"""`gatekeeper import`: good rows on the topic, bad ones in a file with their cause, and no name or address anywhere."""

from __future__ import annotations

import csv
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gatekeeper import identity
from gatekeeper.ground.mac import fingerprint
from schemas.events import Delivery
from tests.support.list_files import list_map
from tests.support.world import key_folder

pytestmark = pytest.mark.main

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
KEY = bytes(range(32))
MAP = list_map()
CANARIES = ("金糸雀", "カナリア町", "kanaria")
ROWS = """番号,氏名,住所,入会日
R1,金糸雀 花子,緑山県若葉市カナリア町1-2-3,令和元年5月1日
R2,金糸雀 次郎,緑山県若葉市カナリア町1-2-4,5/1/2019
kanaria@mail.example,金糸雀 三郎,緑山県若葉市カナリア町1-2-5,2019-05-01
R4,金糸雀 四郎,緑山県若葉市カナリア町1-2-6,2020-02-29 24:00
R5,,緑山県若葉市カナリア町1-2-7,2019-05-01
"""


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder with a token key and the key of import, in the settings."""
    monkeypatch.setenv("GATEKEEPER_KEYS", str(key_folder()))


@pytest.fixture
def members(tmp_path: Path) -> tuple[str, ...]:
    """A list with good and bad rows, as Japanese Excel writes it, and its map: the arguments that name them."""
    (tmp_path / "members.csv").write_text(ROWS, "cp932", newline="\r\n")
    (tmp_path / "map.toml").write_text(MAP, "utf-8")
    return str(tmp_path / "members.csv"), "--map", str(tmp_path / "map.toml")


def rejects(path: str) -> list[tuple[str, str, str]]:
    rows = csv.DictReader(Path(path).read_text("utf-8-sig").splitlines())
    return [(row["line"], row["column"], row["cause"]) for row in rows]


def test_list_with_bad_rows_then_the_good_are_published_without_a_name_or_address(
    run, system, key, members, tmp_path: Path
) -> None:
    done = run("import", "sources", *members, "--list-date", "2026-11-01", "--json")
    assert done.code == 1, done
    assert (done.json["published"], done.json["rejected"], done.json["encoding"]) == (2, 3, "cp932")
    assert "CP932" in done.err
    known = identity.identify(
        {1: KEY}, "postal", Delivery(name="金糸雀花子", lines=("緑山県若葉市カナリア町一丁目2番3号",))
    )
    assert known is not None
    records = sorted(system.records("sources"), key=lambda record: record.key)
    assert [record.key for record in records] == [b"R1", b"R4"]
    events = [json.loads(record.value) for record in records]
    assert [event["acquired_at"] for event in events] == ["2019-05-01", "2020-03-01T00:00:00"]
    assert events[0]["source_id"].startswith("row-")
    assert events[0] == {
        "v": 1,
        "source_id": events[0]["source_id"],
        "recipient_id": "R1",
        "method": "direct.point_card",
        "collected_by": "C1",
        "acquired_at": "2019-05-01",
        "contact_points": [
            {
                "id": "A",
                "token": known.token,
                "readings": [{"token": token, "score": score} for token, score in known.readings],
                "channel": "postal",
            }
        ],
    }
    assert rejects(done.json["rejects"]) == [
        ("3", "入会日", "time_unclear"),
        ("4", "番号", "field_invalid"),
        ("6", "住所", "contact_unreadable"),
    ]
    written = (
        *(record.value.decode() for record in records),
        Path(done.json["rejects"]).read_text("utf-8"),
        *(done.out, done.err),
    )
    assert not any(canary in text for canary in CANARIES for text in written)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("map.toml", "members.csv", "members.csv.sources.rejected.csv")
    ]


def test_examples_then_a_list_gives_sources_consents_and_stops_of_one_token(run, system, key, tmp_path: Path) -> None:
    told = {}
    for topic, name, column_map in (
        ("sources", "card-members", "card-members-sources"),
        ("consents", "card-members", "card-members-consents"),
        ("suppressions", "stop-list", "stop-list"),
    ):
        arguments = (str(EXAMPLES / f"{name}.csv"), "--map", str(EXAMPLES / f"{column_map}.toml"))
        told[topic] = run("import", topic, *arguments, "--rejects", str(tmp_path / "rejects"), "--json").json
    assert [(each["published"], each["silent"], each["rejected"]) for each in told.values()] == [
        *((5, 0, 0), (4, 1, 0), (2, 0, 0))
    ]
    sources = {record.key: json.loads(record.value) for record in system.records("sources")}
    for recipient, source in sources.items():
        rest = json.dumps({name: value for name, value in source.items() if name != "recipient_id"})
        assert recipient.decode() not in rest, "no other id is made of the recipient id"
    stops = {record.key.decode() for record in system.records("suppressions")}
    made_by = {record.header("gate-token-key") for record in system.records("suppressions")}
    assert made_by == {f"t1={fingerprint(KEY, 'token')}"}
    assert sources[b"R100001"]["contact_points"][0]["token"] in stops
    yes = {record.key: json.loads(record.value) for record in system.records("consents")}
    assert (yes[b"R100003"]["state"], yes[b"R100003"]["method"]) == ("Given", "import")
    assert yes[b"R100002"]["event_time"] == "2019-05-02T00:00:00"


def test_reference_with_bad_lines_then_each_is_told_and_nothing_is_published(run, system, tmp_path: Path) -> None:
    file = tmp_path / "reference.jsonl"
    good = '{"v":1, "kind":"controller", "id":"C1"}'
    file.write_text(f'{good}\n{{"v":1,"kind":"notice","id":"n"}}\nkanaria\n', "utf-8")
    done = run("import", "reference", str(file), "--json")
    assert (done.code, done.json["causes"]) == (1, {"field_missing": 1, "not_json": 1})
    assert (done.json["right"], done.json["published"], system.records("reference")) == (1, 0, [])
    assert all(part in done.err for part in (f"{file}, line 2: ", f"{file}, line 3: ", "Nothing was published"))
    lines = Path(done.json["rejects"]).read_text("utf-8")
    assert done.json["rejects"].endswith("reference.jsonl.reference.rejected.jsonl")
    assert [json.loads(line)["line"] for line in lines.splitlines()] == [2, 3]
    assert "kanaria" not in lines
    file.write_text(good, "utf-8")
    assert run("import", "reference", str(file), "--json").json["published"] == 1
    assert [record.value.decode() for record in system.records("reference")] == [good]


def test_call_that_is_wrong_then_one_sentence_and_nothing_is_written(
    run, members, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEKEEPER_BROKER", "127.0.0.1:1")
    monkeypatch.setenv("GATEKEEPER_KEYS", str(tmp_path / "keys"))
    file, _, column_map = members
    before = sorted(tmp_path.iterdir())
    assert "token-*.key" in run("import", "sources", *members, "--encoding", "cp932").says(2)
    Path(column_map).write_text(MAP.replace("acquired_at", "aquired_at"), "utf-8")
    says = run("import", "sources", *members).says(2)
    assert all(part in says for part in (column_map, "aquired_at", "did you mean acquired_at"))
    assert "none.csv" in run("import", "sources", str(tmp_path / "none.csv")).says(2)
    assert str(tmp_path) in run("import", "sources", str(tmp_path)).says(2)
    assert "Column 1" in run("import", "sources", file, "--encoding", "cp932").says(2)
    assert "--list-date" in run("import", "sources", file, "--list-date", "5/1/2019").says(2)
    assert "input" in run("import", "sources", file, "--rejects", file).says(2)
    assert sorted(tmp_path.iterdir()) == before


FEED = {"v": 1, "kind": "feed", "id": "crm", "topic": "consents", "controllers": ["C1"], "owner": "kenji",
        "rhythm": "P1D", "limit": "P2D", "counted": True}  # fmt: skip


def test_a_list_of_a_feed_then_its_delivery_is_closed_only_if_it_is_the_senders(run, system, tmp_path: Path) -> None:
    system.put("reference", json.dumps(FEED).encode(), key=b"feed/crm")
    rows = [
        {"v": 1, "kind": "objection", "suppression_id": f"X-{n}", "recipient_id": f"P-{n}", "received_at": "2026-11-01"}
        for n in range(2)
    ]
    file = tmp_path / "stops.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    hash_ = sha256(file.read_bytes()).hexdigest()
    arguments = ("import", "suppressions", str(file), "--recorded", "now", "--list-date", "2026-12-01", "--json")

    def imported(*more: str) -> Any:
        return run(*arguments, *more)

    done = imported("--feed", "crm", "--count", "2", "--hash", "0" * 64)
    assert (done.code, hash_ in done.err) == (2, True)
    assert (imported("--feed", "shop").code, imported("--count", "2").code) == (2, 2)
    assert system.decoded("suppressions") == []
    done = imported("--feed", "crm", "--count", "3", "--hash", hash_)
    assert (done.code, done.json["closed"], done.json["published"]) == (1, False, 2), "its stops bind at once"
    assert system.decoded("consents") == []
    done = imported("--feed", "crm", "--count", "2", "--hash", hash_)
    assert (done.code, done.json["closed"]) == (0, True)
    (delivery,) = system.decoded("consents")
    named = {name: getattr(delivery, name) for name in ("feed", "count", "sha256", "at")}
    assert named == {"feed": "crm", "count": 2, "sha256": hash_, "at": "2026-11-30T15:00:00.000Z"}
