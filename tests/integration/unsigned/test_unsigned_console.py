"""A console where acts need no signature says so on each page, and beside each act that nobody signed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.desk import YOUNG, Desk
from tests.support.offline_console import offline_console


def test_acts_that_nobody_had_to_sign_then_the_item_says_so(tmp_path: Path) -> None:
    desk = Desk(*YOUNG, acts="unsigned")
    desk.sign = lambda record: []
    desk.send(event_id="E-1")
    desk.act("note", 0, by="kenji", act_id="n-1")
    page = offline_console(tmp_path, None, desk).anonymous().get(f"/items/{desk.records[0].did}?lang=en").text
    assert "not signed: the name is only what was typed" in page


@pytest.mark.parametrize("path", ["/", "/items", "/reasons", "/manage"])
def test_acts_need_no_signature_then_each_page_says_so_quietly(tmp_path: Path, path: str) -> None:
    house = offline_console(tmp_path, None, Desk(*YOUNG), on_record=None, acts="unsigned")
    page = house.anonymous().get(f"{path}?lang=ja").text
    assert page.count("操作に署名を求めない設定で動いています") == 1
    (tmp_path / "later").mkdir()
    on_record = offline_console(tmp_path / "later", None, Desk(*YOUNG), acts="unsigned")
    assert 'id="unsigned"' not in on_record.anonymous().get(f"{path}?lang=ja").text
