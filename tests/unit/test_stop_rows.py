"""Rows of stop lists: certain, wide or rejected, and what each binds (domain rule 8.1.37)."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any, cast

import orjson
import pytest

from gatekeeper.ground.errors import UsageError
from gatekeeper.identity import Identified, Tokens, stop_row
from gatekeeper.identity.stop_row import Bound, StopRow
from gatekeeper.knowledge.store import FactStore
from gatekeeper.lists import Event, Outcome, Rejected, events, json_events, read_map
from gatekeeper.management.publication import LineFault, Publication
from gatekeeper.report.nos import Nos
from schemas.codec import decode, encode
from schemas.events import Delivery, Send
from schemas.record import Record
from schemas.topics import subject_key
from streams.client.reader import Reader
from streams.operations import corrections
from tests.support import invented

TOKENS = Tokens({1: bytes(range(32))})
HOME = "渋谷区神宮前1-2-3"
NO_HOUSE = ("1丁目", "一丁目", "1丁目 みどりハイツ101", "1丁目101号室", "101号室", "3階", "2棟")
UNCLEAR = (
    *("1.2.3", "2026/11/03", "1/2", "1・2・3", "2001-2-3", "2001-2-3-101", "11月3日", "2026年11月3日", "S50.1.2"),
    *("S50-1-2", "令和8-11-3", " みどりハイツ101", "101号", "0", "36925"),
)
NO_ROOM_BUT_REAL = ("東京都北区桐ケ丘1丁目3号棟201", "札幌市中央区大通西10丁目 南大通ビル4階")
DEAD = ("故 高橋 一郎", "故高橋 一郎", "(亡)高橋 一郎", "高橋 一郎（故人）", "高橋 一郎(故)花子", "故・高橋 一郎・花子")
ANYBODY = ("世帯主様", "ご居住者 様", "現居住者御一同様", "ご担当者様")
SHORT = ("Smith", "J. Smith", "Smith J", "J.S.", "高橋 I", "高橋A", "故 高橋")
COLUMNS = 'kind = "objection"\nreceived_at = "2026-04-01"\nsuppression_id = { column = "番号" }\n'
NAMED = COLUMNS + 'token = { channel = "postal", name = "氏名", lines = ["住所"] }\n'
OF_PERSON = NAMED + 'recipient_id = { column = "会員" }\n'


def row(name: str, *lines: str, postcode: str | None = None) -> StopRow:
    return stop_row(TOKENS, Delivery(name=name, postcode=postcode, lines=lines))


def read(rows: str, columns: str = NAMED, **more: Any) -> list[Outcome]:
    given = {"encoding": "utf-8", "tokens": TOKENS, "id_key": bytes(32), "list_date": "2026-11-01", **more}
    made = read_map(columns.encode(), topic="suppressions", file="map.toml") if columns else None
    return list(events(io.BytesIO(rows.encode()), made, topic="suppressions", file="list.csv", **given))


def stops(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    return [orjson.loads(value) for each in outcomes if isinstance(each, Event) for _, value in each.records]


def printed(name: str, *lines: str) -> Identified:
    known = TOKENS.of("postal", Delivery(name=name, lines=lines))
    assert known
    return known


@pytest.mark.parametrize(
    ("name", "line", "lacks"),
    [
        ("高橋", HOME, "name_short"),
        ("タカハシ イチロウ", HOME, "name_in_kana"),
        ("〓橋 一郎", HOME, "letter_unknown"),
        ("高橋 花子(旧姓 佐藤)", HOME, "names_unclear"),
        ("高橋 一郎", f"{HOME} 営業部", "address_unaccounted"),
        ("高橋 一郎", "府中市宮西町1-2-3", "prefecture_missing"),
        *(("高橋 一郎", f"渋谷区神宮前{number}", "number_unclear") for number in (*UNCLEAR, *NO_HOUSE)),
        *((name, HOME, "names_unclear") for name in (*DEAD, *ANYBODY)),
        *((name, HOME, "name_short") for name in SHORT),
    ],
)
def test_row_that_lacks_something_then_it_is_wide_and_says_what(name: str, line: str, lacks: str) -> None:
    found = row(name, line)
    assert found.lacks == lacks


@pytest.mark.parametrize(
    ("name", "line", "cause"),
    [
        ("高橋 一郎", "浦和市常盤1-2-3", "place_unknown"),
        ("高橋 一郎", "渋谷区神宮前", "number_missing"),
        ("-", HOME, "name_missing"),
    ],
)
def test_row_whose_address_cannot_be_read_then_it_is_not_right_and_binds_as_written(
    name: str, line: str, cause: str
) -> None:
    found = row(name, line)
    assert found.cause == cause
    as_printed = () if name == "-" else (TOKENS.of("postal", Delivery(name=name, lines=(line,))),)
    assert [bound.token for bound in found.bound] == [one.token for one in as_printed if one]


def test_wide_row_then_it_binds_as_written_and_at_800_where_it_may_be_meant() -> None:
    kana, turned = row("タカハシ イチロウ", HOME), row("高橋 一郎", f"みどりハイツ101 {HOME}")
    (bound,) = kana.bound
    at_home = printed("高橋 健", HOME)
    assert bound.token == printed("タカハシ イチロウ", HOME).token
    assert {token for token, _ in bound.readings} & {token for token, _ in at_home.places}
    near = dict(turned.bound[0].readings)
    assert near[printed("高橋 一郎", f"{HOME}-101").token] == 800
    forms = sum(score == 1000 for _, score in row("高橋 一郎", HOME).bound[0].readings)
    assert sum(score > 850 for score in near.values()) == forms, "only other forms of the name, where it is written"


def test_number_that_became_a_date_then_it_binds_at_800_where_it_may_be_meant() -> None:
    home = printed("高橋 一郎", HOME).token
    for number in ("1.2.3", "2001-2-3", "2001/2/3", "2001年2月3日"):
        (bound,) = row("高橋 一郎", f"渋谷区神宮前{number}").bound
        assert dict(bound.readings)[home] == 800, number
    (bound,) = row("高橋 一郎", "渋谷区神宮前11月3日").bound
    assert dict(bound.readings)[printed("高橋 一郎", "渋谷区神宮前11-3").token] == 800


def scores(rows: Iterable[Bound]) -> dict[str, int]:
    """The best score of each token."""
    found: dict[str, int] = {}
    for each in rows:
        for token, score in ((each.token, 1000), *each.readings):
            found[token] = max(score, found.get(token, 0))
    return found


@pytest.mark.parametrize("line", NO_ROOM_BUT_REAL)
def test_real_address_without_house_number_then_it_is_wide_and_binds_each_person(line: str) -> None:
    for name, others in (("高橋 一郎・花子", ("高橋 一郎", "高橋 花子")), ("高橋 一郎", ("高橋 一郎",))):
        found = row(name, line)
        assert (found.lacks, found.cause) == ("number_unclear", None)
        bound = scores(found.bound)
        assert [bound[printed(other, line).token] for other in others] == [1000] * len(others)
    for name in ("株式会社見本 高橋 一郎", "高橋 一郎 妻 花子", "高橋 一郎 ほか", "高橋 一郎 奥様"):
        assert scores(row(name, line).bound)[printed("高橋 一郎", line).token] >= 800, name


def test_mark_of_a_death_then_it_is_no_part_of_the_name_and_both_are_bound() -> None:
    for name in ("故高橋 一郎", "故 高橋 一郎 様", "亡 高橋 一郎", "高橋 一郎（故人）"):
        (bound,) = row(name, HOME).bound
        assert bound.token == printed(name, HOME).token
        assert dict(bound.readings)[printed("高橋 一郎", HOME).token] == 1000, name
    assert dict(printed("高橋 一郎", HOME).further)[printed("故高橋 一郎", HOME).token] == 1000
    assert dict(printed("故 高橋 一郎", HOME).further)[printed("高橋 一郎", HOME).token] == 1000


def test_row_with_a_person_s_id_then_the_id_is_bound_whatever_its_address_says() -> None:
    there = "高橋 一郎,浦和市常盤1-2-3"
    found = read(f"番号,会員,氏名,住所\nX1,R1,高橋 一郎,{HOME}\nX2,R2,{there}\nX3,,{there}\n", OF_PERSON)
    said = [(stop["suppression_id"], stop.get("recipient_id"), stop["row"]) for stop in stops(found)]
    assert said[:2] == [("X1", "R1", "certain"), ("X1.2", None, "certain")]
    assert said[2:] == [("X2", "R2", "wide"), ("X2.2", None, "wide")]
    assert isinstance(found[2], Rejected)


def test_rejected_row_then_a_record_of_its_id_says_what_it_lacks() -> None:
    (rejected,) = read("番号,氏名,住所\nX1,金糸雀 一郎,浦和市常盤1-2-3\n")
    assert isinstance(rejected, Rejected)
    assert (rejected.column, rejected.cause) == ("住所", "row.place_unknown")
    assert rejected.duty is not None
    key, value = rejected.duty
    said = orjson.loads(value)
    (as_written,) = row("金糸雀 一郎", "浦和市常盤1-2-3").bound
    assert key.decode() == said["token"] == as_written.token
    assert (said["suppression_id"], said["row"], said["lacks"]) == ("X1", "rejected", "place_unknown")
    decode("suppressions", key, value)


@pytest.mark.parametrize("field", ["row", "lacks", "\\u0072ow"])
def test_mark_of_a_row_from_outside_then_it_is_refused_at_its_cell(field: str) -> None:
    said = stop_of("X1", recipient_id="R1", **{"row": "certain"} if "row" in field else {"lacks": "name_short"})
    for value in (said, {**said, "row": None, "lacks": None}):
        raw = orjson.dumps(value).replace(b'"row"', f'"{field}"'.encode() if "u0072" in field else b'"row"')
        (rejected,) = json_events(io.BytesIO(raw), topic="suppressions")
        assert isinstance(rejected, Rejected)
        assert rejected.cause == "fault.row_given"
        assert Publication("suppressions").read(raw) == LineFault("row_given", rejected.field)
    with pytest.raises(UsageError, match="row"):
        read_map((OF_PERSON + 'row = "certain"\n').encode(), topic="suppressions", file="map.toml")
    with pytest.raises(UsageError):
        read("suppression_id,kind,received_at,recipient_id,row\nX1,objection,2026-04-01,R1,certain\n", "")


def stop_of(id_: str, **more: Any) -> dict[str, Any]:
    said = {"v": 1, "kind": "objection", "suppression_id": id_, "received_at": "2026-04-01"}
    return said | more


def test_rejected_erasure_closed_by_managers_then_it_binds_on_as_written() -> None:
    class Topic:
        def read(self, topic: str) -> list[Record]:
            return [Record(topic, 0, 0, invented.T, home.encode(), orjson.dumps(erased))]

    home = invented.token("cp-1")
    erased = stop_of("X1", kind="erasure", token=home, row="rejected", lacks="place_unknown")
    nos = Nos(FactStore(), invented.T, invented.T + 1)
    nos.take(Topic().read("suppressions")[0])
    (closing,) = corrections.corrected(cast("Reader", Topic()), ["X1"], by="hanako", evidence="m-7", at="2026-11-24")
    assert closing.token is None
    key, of_two = subject_key("suppressions", closing).encode(), closing.model_copy(update={"by": ("hanako", "taro")})
    nos.take(Record("suppressions", 0, 1, invented.T, key, encode(of_two)))
    assert nos.told()["duties"] == []
    assert nos.store.row_counts["rejected"] == 0
    value = invented.send(recipient_id="P-9", delivery=None)
    value["contact_point"]["token"] = home
    send = Send.model_validate_json(orjson.dumps(value))
    (hit,) = nos.store.view(send, None, **invented.NOW).suppressions
    assert (hit.stop.suppression_id, hit.stop.state) == ("X1", None)


def duties_of(*said: dict[str, Any], order: slice = slice(None)) -> list[tuple[int, str | None]]:
    """The duties as arrival in seconds and what is lacking, of stops that arrived a second apart."""
    store = FactStore()
    for second, value in list(enumerate(said))[order]:
        key = (value.get("recipient_id") or value.get("token") or "X1").encode()
        record = Record("suppressions", 0, second, invented.T + second * 1000, key, orjson.dumps(value))
        assert store.apply(record) is None
    duties = [*store.stop_rows.duties(store.log)]
    assert store.row_counts["rejected"] == len(duties)
    return [((duty.since - invented.T) // 1000, duty.lacks) for duty in duties]


REJECTED = stop_of("X1", row="rejected", lacks="place_unknown")
BY_TOKEN = stop_of("X1", token=invented.token("cp-1"), row="certain")
OF_ONE = {**REJECTED, "recipient_id": "P-1"}


@pytest.mark.parametrize(
    ("said", "duty"),
    [
        ((REJECTED, BY_TOKEN), None),
        ((BY_TOKEN, REJECTED), (1, "place_unknown")),
        ((OF_ONE, stop_of("X1", recipient_id="P-999")), (0, "place_unknown")),
        ((REJECTED, {**BY_TOKEN, "effective_until": "2026-04-02"}), (0, "place_unknown")),
        ((REJECTED, BY_TOKEN, {**REJECTED, "lacks": "number_missing"}), (2, "number_missing")),
    ],
)
def test_rejected_row_then_only_a_later_right_one_of_the_same_closes_it_in_any_order(
    said: tuple[dict[str, Any], ...], duty: tuple[int, str | None] | None
) -> None:
    for order in (slice(None), slice(None, None, -1)):
        assert duties_of(*said, order=order) == ([duty] if duty else [])


def test_rejected_row_with_a_person_s_id_then_it_binds_that_person() -> None:
    store = FactStore()
    for topic, value in (("consents", invented.consent()[1]), ("suppressions", OF_ONE)):
        assert store.apply(Record(topic, 0, 0, invented.T - 5000, b"P-1", orjson.dumps(value))) is None
    send = Send.model_validate_json(orjson.dumps(invented.send()))
    assert [hit.stop.suppression_id for hit in store.view(send, None, **invented.NOW).suppressions] == ["X1"]
