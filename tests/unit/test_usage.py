"""Calls and settings that are wrong: one sentence in either language, and what was typed as a value is not told."""

from __future__ import annotations

import sys

import pytest

from gatekeeper import cli
from gatekeeper.ground import settings
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import language
from tests.support.canaries import NARUMI, found

NAME = NARUMI["name"]
WRONG = {
    ("tial",): ("tail", "tail"),
    ("tail",): ("TOPIC", "TOPIC"),
    ("audit", "witness", "--interval", NAME): ("--interval", "0.1…60"),
    ("keys", "rotate", "--role", NAME): ("worker", "worker"),
    ("policy",): ("Usage", "Usage"),
}


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_given_a_wrong_call_then_one_sentence_tells_what_and_where_the_help_is(
    words: tuple[str, ...], lang: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATEKEEPER_LANG", lang)
    monkeypatch.setattr(sys, "argv", ["gatekeeper", *words])
    language.cache_clear()
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        language.cache_clear()
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert WRONG[words][lang == "en"] in said.err
    assert not found(said.err.encode())
    if words != ("policy",):
        assert said.err.startswith("error: " if lang == "en" else "エラー")
        assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "meant"), [("GATEKEEPER_BROKR", "GATEKEEPER_BROKER"), ("Gatekeeper_Jars", "GATEKEEPER_JARS")]
)
def test_a_variable_that_no_setting_has_then_the_nearest_known_one_and_the_list(name: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings.demand_known(["PATH", "GATEKEEPER_LANG", "GATEKEEPER_JARS", "gatekeeper_mode", name])
    said = str(caught.value)
    assert name in said
    assert f"did you mean {meant}?" in said or not meant
    assert "docs/reference/settings.md" in said


def test_given_a_setting_that_is_wrong_then_its_variable_and_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_PARTITIONS", "257")
    with pytest.raises(UsageError, match=r"GATEKEEPER_PARTITIONS.*256 or less"):
        settings.load()
