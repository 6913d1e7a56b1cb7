"""The last release beside this one, with the libraries of this one. `scripts/rolling` installs those of both."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.kafka.broker import Broker
from tests.support import last_release
from tests.support.rolling import OURS, Release, minor, patch


@pytest.mark.skipif(last_release.commit() is None, reason="the last release is not in the history that is here")
def test_the_last_release_beside_this_one_then_nothing_is_lost_or_doubled(
    kafka: Broker, prefix: str, tmp_path: Path
) -> None:
    source = last_release.unpack(last_release.commit() or "", tmp_path / "source")
    older = Release("the last release", OURS.call, source)
    if last_release.of_our_minor():
        patch(older, kafka.bootstrap, prefix, tmp_path)
    else:
        minor(older, kafka.bootstrap, prefix, tmp_path)
