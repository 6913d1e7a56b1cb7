"""Coordinators of a new cluster: the same patience for every question about groups."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kafka.errors import CoordinatorLoadInProgressError, NotCoordinatorError

from streams.backup.group_positions import patiently
from streams.client import cluster


def asked(*answers: object) -> Callable[[], object]:
    """A question with these answers, one after the other; a class of errors is raised."""
    left = iter(answers)

    def ask() -> object:
        answer = next(left)
        if isinstance(answer, type):
            raise answer
        return answer

    return ask


def test_coordinators_that_begin_then_their_first_answer_counts() -> None:
    assert patiently(asked(CoordinatorLoadInProgressError, NotCoordinatorError, ["g"], ["later"])) == ["g"]


def test_coordinators_that_never_come_then_the_last_error_is_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster, "SPREAD_SECONDS", -1.0)
    with pytest.raises(NotCoordinatorError):
        patiently(asked(NotCoordinatorError, ["g"]))
    assert patiently(asked("soon", "set"), lambda answer: answer == "soon") == "soon"
