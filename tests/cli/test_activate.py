"""`gatekeeper policy activate`: checked, compared, refused where it must be, and written as workers read it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from schemas.codec import decode
from tests.support.policies import text, today

pytestmark = pytest.mark.main

TIGHTER = ("ask_cap = 1", "ask_cap = 1\nconsent_max_age_months = 24")


@pytest.fixture
def file(tmp_path: Path):
    """Writes a policy file and returns its name."""

    def write(content: str, name: str = "mine.toml") -> str:
        (tmp_path / name).write_bytes(content.encode())
        return str(tmp_path / name)

    return write


def activate(run, policy: str, *more: str):
    return run("policy", "activate", policy, "--by", "hanako", "--yes", *more)


def test_tighter_file_then_its_whole_text_is_written_and_holds_from_now(run, system, file) -> None:
    both = [today(7, TIGHTER, of="strictest"), today(7, TIGHTER)]
    for content in both:
        done = activate(run, file(content), "--from", "now", "--json")
        assert done.code == 0, done
        assert done.json["activated"] is True
        assert [one["key"] for one in done.json["differences"]] == ["consent_max_age_months"]
    records = [decode("reference", one.key, one.value) for one in system.records("reference")]
    assert [(one.id, one.version, one.by, one.toml) for one in records] == [
        ("strictest", 7, "hanako", both[0]),
        ("jp-pmark", 7, "hanako", both[1]),
    ]
    assert records[1].sha256 == done.json["sha256"] == sha256(both[1].encode()).hexdigest()
    assert done.json["offset"] == system.records("reference")[1].offset
    acts = [decode("acts", one.key, one.value) for one in system.records("acts")]
    assert {(act.kind, act.subject, act.by) for act in acts} == {
        ("activate", "policy/strictest", "hanako"),
        ("activate", "policy/jp-pmark", "hanako"),
    }

    listed = {f"{one['id']}@{one['version']}": one for one in run("policy", "list", "--live", "--json").json}
    assert (listed["jp-pmark@7"]["state"], listed["jp-pmark@7"]["by"]) == ("in_force", "hanako")
    states = [listed[f"jp-pmark@{version}"]["state"] for version in (1, 3, 4)]
    assert states == ["past", "past", "scheduled"]
    assert "jp-pmark@7" not in run("policy", "list").out


def test_wider_file_then_it_is_refused_with_its_lines_and_written_only_when_allowed(run, system, file) -> None:
    wide = file(today(7, ("[rules]", '[rules]\nNOTICE_ITEMS_MISSING = "off"')))
    done = activate(run, wide, "--from", "now", "--json")
    assert (done.code, done.json["activated"]) == (1, False)
    assert "--and-by" in done.err
    assert system.records("reference") == []
    assert activate(run, wide, "--from", "now", "--and-by", "taro").code == 0
    assert len(system.records("reference")) == 1


def test_file_with_a_mistake_then_file_key_and_hint_and_no_broker_is_asked(run, nowhere: str, file) -> None:
    says = activate(run, file(text(7, ("minor_age", "minor_aeg")))).says(2)
    assert "mine.toml" in says
    assert "parameters.minor_aeg" in says
    assert "rules.SUBJECT_OBJECTED" in activate(
        run, file(text(7, ("[rules]", '[rules]\nSUBJECT_OBJECTED = "off"')))
    ).says(2)
    assert "nowhere.toml" in activate(run, "nowhere.toml").says(2)
    assert nowhere in activate(run, file(today(7)), "--from", "now").says(3)


def test_day_that_is_over_then_it_is_refused(run, system, file) -> None:
    assert "--from now" in activate(run, file(text(7))).says(2)
    assert "--from now" in activate(run, file(text(7)), "--from", "2026-01-01").says(2)
    assert "--from" in activate(run, file(text(7)), "--from", "yesterday").says(2)
    assert system.records("reference") == []


def test_number_of_another_text_then_it_is_refused(run, system, file) -> None:
    assert "version 3" in activate(run, file(text(2)), "--from", "now").says(2)
    assert activate(run, file(today(7)), "--from", "now").code == 0
    assert "version 8" in activate(run, file(text(7, ("ask_cap = 1", "ask_cap = 2"))), "--from", "now").says(2)
    assert activate(run, "jp-pmark@7", "--from", "now").code == 0, "known by its name from now on"
