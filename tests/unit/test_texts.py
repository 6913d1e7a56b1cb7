"""Sentences: what is wrong is said in the reader's language, and reasons name what they stand on."""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Callable, Iterator
from gzip import BadGzipFile
from pathlib import Path
from typing import get_args

import pytest

from gatekeeper.cli.decide import _read as read_case
from gatekeeper.ground import settings
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import Language, language, text
from gatekeeper.policy.policy import read
from tests.support.policies import SHIPPED

ENGLISH = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")


@pytest.fixture
def japanese(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GATEKEEPER_LANG", "ja")
    language.cache_clear()
    yield
    language.cache_clear()


def policy(old: bytes, new: bytes) -> Callable[[], object]:
    return lambda: read(SHIPPED.replace(old, new), file="mine.toml")


def case(content: bytes) -> Callable[[], object]:
    return lambda: read_case(content, file="case.json")


@pytest.mark.usefixtures("japanese")
@pytest.mark.parametrize(
    ("wrong", "place", "hint"),
    [
        (policy(b"skew_ms", b"skw_ms"), "parameters.skw_ms", "skew_ms のことですか"),
        (policy(b"[rules]", b'[rules]\nSUBJECT_OBJECTED = "off"'), "rules.SUBJECT_OBJECTED", "止めることはできません"),
        (policy(b"ask_cap = 1", b"ask_cap = 0"), "parameters.ask_cap", "1 以上"),
        (case(b'{"at": "2026-11-24T10:00:00", "send": {}}'), "at", "時差"),
        (case(b"[]"), "case.json", "オブジェクト"),
    ],
)
def test_given_a_value_that_is_wrong_then_place_and_hint_in_japanese(
    wrong: Callable[[], object], place: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        wrong()
    said = str(caught.value)
    assert place in said
    assert hint in said
    assert not ENGLISH.search(said)


@pytest.mark.usefixtures("japanese")
@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [("GATEKEEPER_MODE", "test", "'live' or 'shadow'"), ("GATEKEEPER_PARTITIONS", "257", "256 以下")],
)
def test_given_a_setting_that_is_wrong_then_its_variable_and_hint_in_japanese(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, hint: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        settings.load()
    said = str(caught.value)
    assert name in said
    assert hint in said
    assert "Input should" not in said


@pytest.mark.parametrize(
    ("name", "meant"),
    [("GATEKEEPER_BROKR", "GATEKEEPER_BROKER"), ("Gatekeeper_Jars", "GATEKEEPER_JARS")],
)
def test_a_variable_that_no_setting_has_then_the_nearest_known_one_and_the_list(name: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings.demand_known(["PATH", "GATEKEEPER_LANG", "GATEKEEPER_JARS", "gatekeeper_mode", name])
    said = str(caught.value)
    assert name in said
    assert f"did you mean {meant}?" in said or not meant
    assert "docs/reference/settings.md" in said


@pytest.mark.parametrize("written", ['["x"]', "{"])
def test_given_a_broker_file_that_is_not_ours_then_no_broker_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str
) -> None:
    monkeypatch.setattr(settings, "BROKER_FILE", tmp_path / "broker.json")
    settings.BROKER_FILE.write_text(written)
    with pytest.raises(UsageError) as caught:
        _ = settings.Settings(broker="").bootstrap
    assert caught.value.key == "error.broker_unknown"


@pytest.mark.parametrize(
    ("error", "ja", "en"),
    [
        (
            FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "見本.csv"),
            "見つかりません",
            "No such file or directory",
        ),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "解決できません", "cannot be resolved"),
        (BadGzipFile("見本"), "BadGzipFile", "BadGzipFile"),
    ],
)
def test_given_an_error_of_the_system_then_why_is_said_and_not_of_what(error: OSError, ja: str, en: str) -> None:
    said = {lang: text("error.disk_unread", lang, path="p", detail=error) for lang in get_args(Language)}
    assert ja in said["ja"]
    assert en in said["en"]
    assert "見本" not in "".join(said.values())
