"""Sentences: what is wrong is said in the reader's language, and reasons name what they stand on."""

from __future__ import annotations

import errno
import os
import socket
from gzip import BadGzipFile
from typing import get_args

import pytest

from gatekeeper.ground import settings
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import Language, text


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [("GATEKEEPER_MODE", "test", "'live' or 'shadow'"), ("GATEKEEPER_PARTITIONS", "257", "256 or less")],
)
def test_given_a_setting_that_is_wrong_then_its_variable_and_hint(
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
    ("name", "meant"), [("GATEKEEPER_BROKR", "GATEKEEPER_BROKER"), ("Gatekeeper_Jars", "GATEKEEPER_JARS")]
)
def test_a_variable_that_no_setting_has_then_the_nearest_known_one_and_the_list(name: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings.demand_known(["PATH", "GATEKEEPER_LANG", "GATEKEEPER_JARS", "gatekeeper_mode", name])
    said = str(caught.value)
    assert name in said
    assert f"did you mean {meant}?" in said or not meant
    assert "docs/reference/settings.md" in said


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
