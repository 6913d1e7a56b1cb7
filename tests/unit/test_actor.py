"""The actor of a command: as given, else the holder of the key, else from the setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekeeper.cli.actor import person
from gatekeeper.cli.withdraw import UNNAMED
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.staff import person_keys


@pytest.fixture
def hanako(tmp_path: Path) -> str:
    """The file of hanako's key."""
    return str(person_keys.make(tmp_path, "hanako", "k1")[1])


def test_given_a_key_and_the_name_of_another_then_it_is_refused(hanako: str) -> None:
    with pytest.raises(UsageError, match="cannot sign for taro"):
        person(Settings(user_key=hanako), "taro", unnamed=UNNAMED)


def test_a_telephone_number_as_a_name_then_the_option_is_named_and_not_the_number(hanako: str) -> None:
    for key in (hanako, ""):
        with pytest.raises(UsageError, match="--by") as told:
            person(Settings(user_key=key), "090-7777-1234")
        assert "7777" not in str(told.value)
