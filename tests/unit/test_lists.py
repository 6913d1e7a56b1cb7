"""Lists: how days are written, what a column map may say, and what each row comes to."""

from __future__ import annotations

import io
import re
from hashlib import sha256
from typing import Any

import orjson
import pytest

from gatekeeper.ground.errors import UsageError
from gatekeeper.identity import Tokens
from gatekeeper.lists import Event, Outcome, Rejected, SkippedRow, dates, events, read_map
from gatekeeper.lists.rows import LINE_BYTES
from schemas.codec import canonical
from schemas.events import Delivery

TOKENS, ID_KEY = Tokens({1: bytes(range(32))}), bytes(range(32, 64))
TWO = Tokens({1: bytes(range(32)), 2: bytes(32)})
MEMBER = 'recipient_id = { column = "番号" }\n'
SOURCE = MEMBER + 'method = "direct.point_card"\ncollected_by = "C1"\n'
CONSENT = MEMBER + 'controller_id = "C1"\npurpose = "mkt.dm.own"\nchannels = ["postal"]\n'
ADDRESS = 'channel = "postal", name = "氏名", postcode = "〒", lines = ["住所", "建物"]'
MAPPED = 'source_id = "S"\n' + SOURCE + f"[[contact_points]]\ntoken = {{ {ADDRESS} }}\n"
HOMES = "番号,氏名,〒,住所,建物\nR1,金糸雀 花子,,緑山県若葉市カナリア町1-2-3,\n"
FLAG = """
[state]
column = "DM可否"
values = { "1" = "Given", "可" = "Given", "○" = "Given", "Y" = "Given", "否" = "Withdrawn" }
skip = ["", "9"]
"""


def read(text: str | bytes, column_map: str | None = None, topic: str = "sources", **more: Any) -> list[Outcome]:
    content = text.encode() if isinstance(text, str) else text
    columns = None if column_map is None else read_map(column_map.encode(), topic=topic, file="map.toml")
    given = {"encoding": "utf-8", "tokens": TOKENS, "id_key": ID_KEY, "list_date": "2026-11-01", **more}
    return list(events(io.BytesIO(content), columns, topic=topic, file="list.csv", **given))


def values(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    assert all(isinstance(each, Event) for each in outcomes), outcomes
    return [orjson.loads(each.value) for each in outcomes if isinstance(each, Event)]


def rejected(outcomes: list[Outcome]) -> list[tuple[int, str, str]]:
    return [(each.line, each.column, each.cause) for each in outcomes if isinstance(each, Rejected)]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("2019/5/1", "2019-05-01"), ("２０１９年５月１日（水）", "2019-05-01")),
        *(("令和 元年 5月 1日 9時5分", "2019-05-01T09:05:00"), ("R01/05/01 24:00", "2019-05-02T00:00:00")),
        ("2026-03-31T15:00Z", "2026-03-31T15:00:00+00:00"),
        ("2026-04-01 00:00:00.5+0900", "2026-04-01T00:00:00.500000+09:00"),
    ],
)
def test_day_or_time_as_people_write_it_then_it_is_iso(written: str, meant: str) -> None:
    assert dates.time(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        *("", "5/1/2019", "19/5/1", "2019", "2019-05", "2019-02-29", "平成元年1月7日", "令和元年4月30日", "43586"),
        *("令和0年5月1日", "R元.13.1", "2019-05-01 24:01", "2019-05-01 25:00", "2019-05-01 10:5", "2019/5/1 2"),
        *("2019-05-01T", "2019.5-1", "明日", "9999-12-31 24:00", "2019-05-01 10:00+99:99"),
    ],
)
def test_day_that_is_none_or_may_be_two_then_it_is_refused(written: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (what it says is never shown)
        dates.time(written)


def test_flag_that_says_nothing_or_is_unknown_then_silence_or_a_rejection() -> None:
    found = read("番号,DM可否\nR1,\nR2,9\nR3,はい\nR4,否\n", CONSENT + FLAG, "consents")
    assert [type(each) for each in found] == [SkippedRow, SkippedRow, Rejected, Event]
    assert rejected(found) == [(4, "DM可否", "row.value_unknown")]


@pytest.mark.parametrize(("method", "made"), [('{ column = "方法" }', "paper"), ('"paper"', "import")])
def test_yes_then_its_method_is_the_row_s_own_and_needs_evidence(method: str, made: str) -> None:
    said = f'method = {method}\nexpressed_by = "subject"\nnotice_id = "form-1"\nstate = "Given"\n'
    evidence = 'evidence_ref = { column = "証跡" }\nevent_time = { column = "日" }\n'
    found = read("番号,証跡,日,方法\nR1,,R1.5.1,paper\nR2,scan-2,R1.5.1,paper\n", CONSENT + said + evidence, "consents")
    assert [each["method"] for each in values(found)] == ["import", made]


def test_row_twice_then_it_is_the_same_event_whatever_day_the_list_is_of() -> None:
    list_ = "番号,DM可否\nR1,1\nR2,1\nR1,1\n"
    first, other, again = values(read(list_, CONSENT + FLAG, "consents"))
    assert first == again
    assert first["record_id"] != other["record_id"]
    (later, *_) = values(read(list_, CONSENT + FLAG, "consents", list_date="2026-12-01"))
    assert later == {**first, "recorded_at": "2026-12-01"}


def test_row_without_id_then_nobody_without_the_key_can_make_its_id_from_the_row() -> None:
    list_ = "番号,DM可否\nR1,1\n"
    ours = values(read(list_, CONSENT + FLAG, "consents"))[0]
    assert re.fullmatch(r"row-[0-9a-f]{40}", ours["record_id"])
    guessed = {name: value for name, value in ours.items() if name not in ("record_id", "recorded_at")}
    assert sha256(canonical(guessed)).hexdigest()[:40] not in ours["record_id"]
    theirs = values(read(list_, CONSENT + FLAG, "consents", id_key=bytes(32)))[0]
    assert theirs["record_id"] != ours["record_id"]


def test_list_imported_again_under_a_second_key_then_ids_stay_with_both_tokens() -> None:
    columns = MAPPED.replace('source_id = "S"\n', "")
    before, after = (values(read(HOMES, columns, tokens=tokens))[0] for tokens in (TOKENS, TWO))
    assert before["source_id"] == after["source_id"]
    (was,), (now,) = before["contact_points"], after["contact_points"]
    assert (was["id"], was["token"][:3], now["token"][:5]) == (now["id"], "t1_", "t1k2_")
    assert {"token": was["token"], "score": 1000} in now["readings"]
    (other,) = values(read(HOMES.replace("1-2-3", "1-2-4"), columns))
    assert other["source_id"] != before["source_id"]


def test_address_without_a_column_for_its_id_then_it_gets_one_that_shows_no_value() -> None:
    one, two = values(read(HOMES + HOMES.splitlines()[1].replace("R1", "R2") + "\n", MAPPED))
    assert one["contact_points"] == two["contact_points"], "one address has one id, whoever lives there"
    assert re.fullmatch(r"cp-[0-9a-f]{40}", one["contact_points"][0]["id"])
    written = canonical([one, two]).decode()
    assert not any(value in written for value in ("金糸雀", "カナリア", "1-2-3"))
    with pytest.raises(UsageError, match=r"contact_points\.0\.id"):
        read(HOMES, MAPPED, id_key=None)
    with pytest.raises(UsageError, match="keys init --role import"):
        read("番号,DM可否\nR1,1\n", CONSENT + FLAG, "consents", id_key=None)


def test_name_and_address_then_the_token_of_that_contact_point_and_nothing_else() -> None:
    columns = SOURCE + f'[[contact_points]]\nid = "A"\ntoken = {{ {ADDRESS} }}\n'
    line = "R1,髙橋 一郎様,150-0001,渋谷区神宮前一丁目2番3号,みどりハイツ101"
    (found,) = read(f"番号,氏名,〒,住所,建物\n{line}\n", columns)
    assert isinstance(found, Event)
    known = TOKENS.of("postal", Delivery(name="高橋一郎", lines=("東京都渋谷区神宮前1-2-3-101",)))
    assert known is not None
    (point,) = orjson.loads(found.value)["contact_points"]
    assert (point["id"], point["token"]) == ("A", known.token)
    assert point["readings"] == [{"token": token, "score": score} for token, score in known.readings]
    assert not any(part.encode() in found.value + found.key for part in ("橋", "渋谷", "150", "みどり"))


def test_a_list_of_whole_addresses_then_tokens_of_addresses_without_a_name() -> None:
    columns = 'kind = "objection"\nwhole_address = true\n[suppression_id]\ncolumn = "番号"\n'
    columns += '[token]\nchannel = "postal"\npostcode = "〒"\nlines = ["住所", "建物"]\n'
    (found,) = read("番号,〒,住所,建物\nX1,,渋谷区神宮前1-2-3,みどりハイツ101\n", columns, topic="suppressions")
    assert isinstance(found, Event)
    value = orjson.loads(found.value)
    assert found.key.decode() == value["token"]
    printed = TOKENS.of("postal", Delivery(name="林 誠", lines=("東京都渋谷区神宮前1-2-3-101",)))
    assert printed is not None
    assert (value["token"], 1000) in printed.places
    assert [reading["token"] for reading in value["readings"]] == [token for token, score in printed.places[1:]]
    named = columns.replace("lines =", 'name = "氏名"\nlines =')
    with pytest.raises(UsageError):
        read("番号,氏名,〒,住所,建物\n", named, topic="suppressions")


def test_contact_points_that_are_empty_or_unreadable_then_rejected() -> None:
    columns = SOURCE + f'[[contact_points]]\nid = "A"\ntoken = {{ {ADDRESS} }}\n'
    long = f"渋谷区{'あ' * 200}"
    found = read(f"番号,氏名,〒,住所,建物\nR1,林 誠,,,\nR2,,,渋谷区神宮前1-2-3,\nR3,林 誠,,{long},\n", columns)
    causes = ("row.contact_missing", "row.contact_unreadable", "row.contact_unreadable")
    assert rejected(found) == [(line, "住所", cause) for line, cause in enumerate(causes, 2)]


def test_rows_that_are_no_csv_then_each_costs_itself_alone() -> None:
    found = read(
        b'\xef\xbb\xbf\xe7\x95\xaa\xe5\x8f\xb7,memo\r\nR1,"two\r\nlines"\r\nR2,"a"b\r\nR3,\r\n\r\nR4,x,y\r\n,\r\n'
        + b"R5,\xff\r\nR6,"
        + b"x" * LINE_BYTES
        + b'\r\nR7,"never closed\r\nR8,\r\n',
        SOURCE,
    )
    assert [each["recipient_id"] for each in values([each for each in found if isinstance(each, Event)])] == [
        *("R1", "R3", "R8")
    ]
    assert rejected(found) == [
        (4, "", "row.not_csv"),
        (7, "", "row.cells_differ"),
        (9, "", "row.not_encoded"),
        (10, "", "row.line_too_long"),
        (11, "", "row.not_csv"),
    ]


def test_header_that_does_not_fit_then_the_column_is_named_by_the_map_or_by_number() -> None:
    with pytest.raises(UsageError, match="no column “番号”"):
        read("氏名\nx\n", SOURCE)
    with pytest.raises(UsageError, match="more than once"):
        read("番号,番号\nx,y\n", SOURCE)
    with pytest.raises(UsageError, match=r"Column 2 of list\.csv") as refused:
        read("recipient_id,林 誠\nx,y\n")
    assert "林" not in str(refused.value)
    with pytest.raises(UsageError, match="no header"):
        read("\n\n")
    with pytest.raises(UsageError, match=r"map\.toml is not TOML"):
        read_map(b"\xff", topic="sources", file="map.toml")
