"""Calls that are wrong: one sentence in either language, exit 2, and what was typed as a value is not repeated."""

from __future__ import annotations

import sys

import pytest

from gatekeeper import cli
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
