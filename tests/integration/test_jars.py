"""Kafka's jars: what is run is what the lock names, and a network is needed once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatekeeper.ground.errors import IntegrityError, UsageError
from streams.kafka import jars

LOCKED = {jar.name: jar for jar in jars.locked()}
CLIENTS = next(name for name in LOCKED if name.startswith("kafka-clients-"))


@pytest.fixture
def cold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    folder = tmp_path / "jars"
    monkeypatch.setenv("GATEKEEPER_JARS", str(folder))
    return folder


@pytest.fixture
def warm(mirror: Any, cold: Path) -> Path:
    """A cache that holds all, of a mirror that was asked nothing yet."""
    jars.fetch()
    mirror.asked.clear()
    return cold


def contents(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_given_a_cold_cache_then_every_jar_is_fetched_once_and_is_the_locked_one(mirror: Any, cold: Path) -> None:
    told: list[tuple[int, int]] = []
    paths = jars.fetch(progress=lambda done, total: told.append((done, total)))
    assert [path.name for path in paths] == list(LOCKED)
    assert all(LOCKED[path.name].accepts(path.read_bytes()) for path in paths)
    assert sorted(mirror.asked) == sorted(LOCKED)
    assert contents(cold) == set(LOCKED)
    size = sum(jar.size for jar in LOCKED.values())
    assert told == sorted(told)
    assert told[-1] == (size, size)


def test_given_a_damaged_jar_then_that_one_is_fetched_again(mirror: Any, warm: Path) -> None:
    damaged = bytearray((warm / CLIENTS).read_bytes())
    damaged[-1] ^= 1
    (warm / CLIENTS).write_bytes(damaged)
    jars.fetch()
    assert mirror.asked == [CLIENTS]
    assert LOCKED[CLIENTS].accepts((warm / CLIENTS).read_bytes())


def test_given_bad_answers_then_it_is_asked_again(mirror: Any, cold: Path) -> None:
    mirror.faults[CLIENTS] = [503, "cut"]
    jars.fetch()
    assert mirror.asked.count(CLIENTS) == 3
    assert LOCKED[CLIENTS].accepts((cold / CLIENTS).read_bytes())


@pytest.mark.parametrize("fault", ["damaged", "longer", "cut"])
def test_given_another_jar_than_the_locked_then_it_is_not_kept(mirror: Any, cold: Path, fault: str) -> None:
    mirror.faults[CLIENTS] = [fault] * jars.ATTEMPTS
    with pytest.raises(IntegrityError) as caught:
        jars.fetch()
    assert CLIENTS in str(caught.value)
    assert CLIENTS not in contents(cold)
    assert all(LOCKED[name].accepts((cold / name).read_bytes()) for name in contents(cold))


@pytest.mark.parametrize("address", ["https://ann:secret@127.0.0.1:9/maven", "gopher://127.0.0.1/secret"])
def test_an_address_that_is_no_mirror_then_the_variable_is_named_and_not_its_value(
    cold: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("MAVEN_MIRROR_URL", address)
    with pytest.raises(UsageError) as caught:
        jars.fetch()
    assert "MAVEN_MIRROR_URL" in str(caught.value)
    assert "secret" not in str(caught.value)
