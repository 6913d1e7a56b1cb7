"""Policies are read exactly or refused with file, key path and hint."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files

import pytest

from gatekeeper.errors import UsageError
from gatekeeper.policy import load, read

SHIPPED = files("gatekeeper").joinpath("policies", "jp-pmark.toml").read_bytes()


def test_shipped_policy_loaded_then_named_by_its_bytes() -> None:
    policy = load("jp-pmark")
    assert policy.ref == {"id": "jp-pmark", "version": 1, "sha256": sha256(SHIPPED).hexdigest()}
    assert "mkt.dm.own" in policy.purposes
    assert policy.name == "jp-pmark@1"
    assert (policy.skew_ms, policy.max_lag_ms, policy.match_floor) == (300_000, 300_000, 900)


@pytest.mark.parametrize(
    ("old", "new", "place", "hint"),
    [
        (b"skew_ms = 300_000", b"skw_ms = 300_000", "parameters.", "skew_ms"),
        (b"version = 1", b"version = 0", "version", "greater"),
        (b"version = 1", b'version = "1"', "version", "integer"),
        (b'timezone = "Asia/Tokyo"', b'timezone = "Asia/Edo"', "timezone", "Asia/Tokyo"),
        (b'timezone = "Asia/Tokyo"', b'timezone = "../../etc/passwd"', "timezone", "Asia/Tokyo"),
        (b'"2024-10-01T00:00:00+09:00"', b'"2024-10-01T00:00:00"', "effective_from", "time zone"),
        (b"match_floor = 900", b"match_floor = 1001", "parameters.match_floor", "1000"),
        (b"match_floor = 900", b"match_floor = 0.9", "parameters.match_floor", "integer"),
        (b'jurisdictions = ["JP"]', b"jurisdictions = []", "jurisdictions", "at least 1"),
        (b"version = 1", b"version = 1\nswitch_off = true", "switch_off", "unknown key"),
        (b"version = 1", b"version = ", "TOML", "line"),
    ],
)
def test_policy_with_a_mistake_read_then_refused_with_place_and_hint(
    old: bytes, new: bytes, place: str, hint: str
) -> None:
    assert old in SHIPPED
    with pytest.raises(UsageError) as caught:
        read(SHIPPED.replace(old, new), file="mine.toml")
    said = str(caught.value)
    assert "mine.toml" in said
    assert place in said
    assert hint in said


def test_unknown_policy_loaded_then_refused_naming_the_known() -> None:
    with pytest.raises(UsageError, match="jp-pmark"):
        load("jp-nothing")
