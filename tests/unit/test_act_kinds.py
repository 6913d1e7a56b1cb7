"""One table of acts: each row has one handler, its texts, its preview and its command, and nothing else has one."""

from __future__ import annotations

from typing import get_args

import click
import pytest

from gatekeeper.cli import gatekeeper
from gatekeeper.console.orders import KINDS, PLANS, PREVIEWS
from gatekeeper.engine.acts import HANDLERS
from gatekeeper.ground.texts import catalogue
from gatekeeper.staff.act_kinds import ACT_KINDS, WHY, Field, Preview

PAGED = ("item", "person", "controller", "batch", "policy")
"""Subjects about which pages have acts."""
OPTIONS: dict[Field, str] = {
    "reason": "--reason",
    "evidence": "--evidence",
    "since": "--from",
    "suspends": "--class",
    "until": "--until",
    "and_by": "--and-by",
}


def command(words: str) -> click.Command:
    """Returns a command by its words."""
    found: click.Command | None = gatekeeper
    for word in words.split():
        assert isinstance(found, click.Group), words
        found = found.get_command(click.Context(found), word)
    assert found, words
    return found


def test_every_row_then_it_has_one_handler() -> None:
    assert {*ACT_KINDS, None} == HANDLERS.keys()


def test_every_row_then_it_has_its_texts_and_there_are_no_others() -> None:
    wanted = {f"act_kind.name_{kind}" for kind in ACT_KINDS}
    wanted |= {f"act_kind.do_{kind}" for kind, row in ACT_KINDS.items() if row.about in PAGED}
    wanted |= {f"act_kind.form_{kind}" for kind in PLANS}
    assert {key for key in catalogue() if key.startswith("act_kind.")} == wanted


def test_every_preview_then_a_row_has_it_and_the_page_shows_it() -> None:
    assert {row.preview for row in ACT_KINDS.values()} == {None, *get_args(Preview)}
    assert {ACT_KINDS[kind].preview for kind in KINDS} == {None, *PREVIEWS}
    assert {row.about for row in ACT_KINDS.values() if row.preview == "items"} == {"item"}


def test_an_act_that_a_person_may_have_to_sign_then_a_command_signs_it() -> None:
    own = {kind for kind, row in ACT_KINDS.items() if row.signers > 1 or not row.vouched}
    assert own == {"release", "approve", "readmit", "activate", "resume_partition"}
    assert all(ACT_KINDS[kind].command for kind in own)


@pytest.mark.parametrize("kind", [kind for kind, row in ACT_KINDS.items() if row.command])
def test_a_row_with_a_command_then_it_takes_the_fields_and_has_the_preview(kind: str) -> None:
    row, options = ACT_KINDS[kind], {one.opts[0]: one for one in command(ACT_KINDS[kind].command).params}
    assert {"--by", *(OPTIONS[field] for field in row.fields)} <= options.keys()
    assert {"--reason", "--evidence"} & options.keys() == {OPTIONS[field] for field in row.fields if field in WHY}
    assert bool({"--yes", "--dry-run"} & options.keys()) == (row.preview is not None)
    if "reason" in row.fields and "--dry-run" not in options:
        assert options["--reason"].required == row.needs_reason


def test_keys_of_acts_then_each_is_one_letter_of_its_own() -> None:
    keys = [row.key for row in ACT_KINDS.values() if row.key]
    assert len({*keys, *"jkx"}) == len(keys) + 3
    assert all(len(key) == 1 and key.islower() for key in keys)
