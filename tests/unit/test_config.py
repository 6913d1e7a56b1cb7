"""The settings in force, shown: each with its origin, what differs is marked, and no secret is among them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gatekeeper.cli import gatekeeper
from gatekeeper.ground import settings
from gatekeeper.ground.settings import MASK, SECRETS, Settings, given, masked, variable


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without settings, in a folder without a broker."""
    for name in (*map(variable, Settings.model_fields), *settings.APART):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def shown(**environment: str) -> dict[str, dict[str, object]]:
    done = CliRunner().invoke(gatekeeper, ["config", "--json"], env=environment)
    assert done.exit_code == 0, done
    return {row["name"]: row for row in map(json.loads, done.output.splitlines())}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_in_place_of_its_file_then_it_is_not_shown(name: str, tmp_path: Path) -> None:
    assert shown(**{variable(name): "swordfish"})[variable(name)]["value"] == MASK
    file = tmp_path / "secret"
    file.write_text("swordfish")
    assert shown(**{variable(name): str(file)})[variable(name)]["value"] == str(file)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("https://hanako:swordfish@mirror.example/maven", f"https://{MASK}/maven"),
        ("/home/hanako@mail.example/keys", f"/home/{MASK}/keys"),
        ("090-1234-5678", MASK),
        ("kafka-1:9092,kafka-2:9092", "kafka-1:9092,kafka-2:9092"),
        ("/srv/2026-11-28", "/srv/2026-11-28"),
    ],
)
def test_a_value_then_no_part_of_it_is_a_contact_value_or_a_password(value: str, told: str) -> None:
    assert masked(value) == told


def test_every_setting_then_its_value_is_masked() -> None:
    free = [name for name, field in Settings.model_fields.items() if field.annotation is str and not field.metadata]
    assert len(free) > 15
    every = Settings.model_construct(_fields_set=set(free), **dict.fromkeys(free, "hanako@mail.example"))
    assert {one.value for one in given(every, {}) if one.name in map(variable, free)} == {MASK}
