"""The controllers and policies in the read model: those that count, as a worker folds `reference`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatekeeper.console.reference_view import Registered, Registrations
from gatekeeper.index.model import Model
from gatekeeper.index.referred import PART
from schemas.record import Record
from tests.support import invented, policies, staff
from tests.support.staff import Line

AT = staff.instant(invented.T)
CONTROLLER = {"v": 1, "kind": "controller", "id": "C1", "name": "みどり"}


class Console:
    """A read model of `reference` alone; `written`: the number of records in it."""

    def __init__(self, folder: Path) -> None:
        self.model = Model(folder, (PART,), zone="Asia/Tokyo")
        self.registrations = Registrations(self.model, staff.ORIGIN)
        self.written = 0

    def lines(self, lines: Any) -> None:
        for name, value in lines:
            self.model.take([Record("reference", 0, self.written, invented.T, name.encode(), value, ())])
            self.written += 1

    def now(self) -> Registered:
        with self.model.read() as db:
            return self.registrations.now(db)


@pytest.fixture
def signed(tmp_path: Path) -> Console:
    """A console of a log that has people."""
    console = Console(tmp_path)
    console.lines(staff.founding(at=AT))
    return console


def by(said: dict[str, Any], *people: str) -> list[Line]:
    return staff.signed(said, *people, at=AT)


def test_a_policy_that_nobody_signed_then_it_waits_and_changes_nothing(signed: Console) -> None:
    stricter = policies.policy_record(policies.text(7, ("four_eyes_bulk = 100", "four_eyes_bulk = 10")), by="hanako")
    record, signature = by(stricter, "hanako")
    signed.lines([record])
    assert signed.now().activated() == []
    assert signed.now().packs("jp-pmark").at(invented.T).four_eyes_bulk == 100
    assert [(row.name, row.named) for row in signed.now().waiting] == [("policy/jp-pmark", ("hanako",))]
    signed.lines([signature])
    assert [one["version"] for one in signed.now().activated()] == [7]
    assert signed.now().packs("jp-pmark").at(invented.T).four_eyes_bulk == 10
    assert signed.now().waiting == []


def test_a_suspension_that_nobody_signed_then_the_controller_is_shown_as_it_counts(signed: Console) -> None:
    signed.lines(by(CONTROLLER, "taro"))
    suspended = {**CONTROLLER, "suspended_since": AT}
    signed.lines(by(suspended))
    assert [one["suspended_since"] for one in signed.now().of_kind("controller")] == [None]
    signed.lines(by(suspended, "kenji")[1:])
    assert [one["suspended_since"] for one in signed.now().of_kind("controller")] == [None], "a reviewer signed it"
    signed.lines(by(suspended, "taro")[1:])
    assert [one["suspended_since"] for one in signed.now().of_kind("controller")] == [AT]


def test_a_resolution_then_the_model_does_not_hold_its_reason(signed: Console) -> None:
    named = {"id": "consents-1-2", "topic": "consents", "partition": 1, "offset": 2}
    said = {"v": 1, "kind": "resolution", **named, "by": "hanako", "reason": "secret words", "at": "2026-11-24"}
    signed.lines(by(said, "hanako"))
    assert signed.now().endorsed.log.endorsements.refused == []
    with signed.model.read() as db:
        assert "secret words" not in str([tuple(row) for row in db.execute("SELECT value FROM referred")])
