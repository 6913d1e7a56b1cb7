"""Sentences about settings and errors of the system: they say what is wrong, and nobody's values."""

from __future__ import annotations

import pytest

from gatekeeper.ground import settings
from gatekeeper.ground.errors import UsageError


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
