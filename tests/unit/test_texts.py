"""Sentences about settings and errors of the system: they say what is wrong, and nobody's values."""

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


def test_given_a_setting_that_is_wrong_then_its_variable_and_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_PARTITIONS", "257")
    with pytest.raises(UsageError, match=r"GATEKEEPER_PARTITIONS.*256 or less"):
        settings.load()
