"""A rolling restart from the last release, with the libraries of this one. `scripts/rolling` installs those of both."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.kafka.broker import Broker
from tests.support import last_release
from tests.support.rolling import OURS, Release, patch


@pytest.mark.skipif(
    not last_release.of_our_minor(), reason="the last release is not here, or refuses to decide beside us"
)
def test_two_workers_of_the_last_release_replaced_one_after_another_then_both_decide_and_nothing_is_lost_or_doubled(
    kafka: Broker, prefix: str, tmp_path: Path
) -> None:
    source = last_release.unpack(last_release.commit() or "", tmp_path / "source")
    patch(Release("the last release", OURS.call, source), kafka.bootstrap, prefix, tmp_path)
