"""A stop by any one name printed binds the piece, and a stop by another does not (domain rule 8.2.44)."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.engine.judged import Judged
from schemas.audit import AuditRecord
from tests.support import invented
from tests.support.one_send import SEND_JUDGE, send_record

FAMILIES = ["高橋", "佐藤", "長谷川", "林", "齋藤", "久保田"]
GIVEN = ["一郎", "花子", "恵", "健太郎", "さくら", "茂"]
KANA = ["タカハシ ハナコ", "さとう めぐみ", "ハセガワ ケンタロウ"]
COMPANIES = ["株式会社見本商事", "㈱緑山", "みどり商店 有限会社", "医療法人若葉会"]
LINES = ["緑山県若葉市青葉町1-2-3", "緑山県若葉市青葉町1-2-3 みどりハイツ101", "緑山県若葉市青葉町1-2-3 田中様方"]
HONORED = ["", "さん", " 先生", "様"]

PEOPLE = st.lists(st.tuples(st.sampled_from(FAMILIES), st.sampled_from(GIVEN)), min_size=2, max_size=4, unique=True)
SPACE = st.sampled_from(["", " ", "\u3000"])
SIGN = st.sampled_from(["・", "、", "，", "/", "＆", " ・ ", "様 ", " 様　", "さま、"])


@st.composite
def printings(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Draws a name as it is printed, with each name in it."""
    people, space = draw(PEOPLE), draw(SPACE)
    whole = [family + space + given for family, given in people]
    family, given = people[0]
    match draw(st.sampled_from(["several", "family", "former", "kana", "before", "behind"])):
        case "several":
            return draw(SIGN).join(whole), whole
        case "family":
            others = [given for _, given in people[1:]]
            return draw(SIGN).join([whole[0], *others]), [whole[0], *(f"{family} {one}" for one in others)]
        case "former":
            former = next((other for other, _ in people if other != family), "小川")
            return f"{whole[0]}（旧姓 {former}）", [whole[0], f"{former} {given}"]
        case "kana":
            kana = draw(st.sampled_from(KANA))
            return f"{whole[0]}({kana})", [whole[0], kana]
        case "before":
            return f"{draw(st.sampled_from(COMPANIES))} {whole[0]}", [whole[0]]
        case _:
            return f"{whole[0]} {draw(st.sampled_from(COMPANIES))}", [whole[0]]


def judged(printed: dict[str, Any], stop: dict[str, Any]) -> Judged:
    source = invented.source(contact_points=[{"id": "cp-1", "written": printed}])
    store = invented.store(source, invented.consent(), invented.suppression(written=stop))
    return SEND_JUDGE.judge(send_record(orjson.dumps(invented.send(delivery=printed))), store, invented.T)


@given(printings(), st.sampled_from(LINES), st.data())
def test_a_stop_by_any_name_printed_then_the_piece_is_blocked_and_no_record_names_it(
    printing: tuple[str, list[str]], line: str, data: st.DataObject
) -> None:
    name, names = printing
    stopped = data.draw(st.sampled_from(names)) + data.draw(st.sampled_from(HONORED))
    found = judged({"name": name, "lines": [line]}, {"name": stopped, "lines": [line]})
    assert found.codes == ("SUBJECT_OBJECTED",)
    (reason,) = AuditRecord.model_validate_json(found.audit).reasons
    assert reason.says.get("name", "1").isdigit()
    for part in (*name.split(), *stopped.split()):
        assert part.encode() not in found.audit
