"""The lock sees every rule: golden cases and people together run each line that decides."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from inspect import CO_NEWLOCALS
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import gatekeeper.deciding
from tests.support import crowd, kept_rules
from tests.support.golden_cases import CASES, decided

DECIDING = Path(gatekeeper.deciding.__file__).parent
PEOPLE = 2_000
"""Of those that are locked; all of them take long with a tracer."""
UNRUN: Mapping[str, str] = {
    "answer.py:answer": "words for the answer of a command, not the decision",
    "answer.py:sentence": "words",
    "answer.py:_sentence": "words",
    "answer.py:coded": "the decision in codes for `review`, not the decision",
    "answer.py:_fields": "of coded",
    "answer.py:_told": "of coded",
    "answer.py:rendered": "words",
    "case.py:Known.facts": "a protocol",
    "case.py:Known.reference": "a protocol",
    "case.py:Known.span": "a protocol",
    "decide.py:Decision.primary": "names the first reason, which is locked",
    "snapshot.py:read_snapshot": "reads back an audit record; tests/exports/test_replay.py compares the decision",
    "snapshot.py:_lines": "of read_snapshot",
    "stops.py:Stops._stood": "nothing in a file has an arrival: tests/unit/test_arrival.py",
    "redacted.py:_bare": "runs at import",
    "redacted.py:_kind": "runs at import",
}
"""Functions that neither needs to run, each with the reason."""


def functions(code: CodeType) -> Iterator[CodeType]:
    """Yields the functions of a module or class, without what stands inside of a function."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if not inner.co_flags & CO_NEWLOCALS:  # a class
                yield from functions(inner)
            elif not inner.co_name.startswith("<"):  # a comprehension runs at import
                yield inner


def lines(code: CodeType) -> set[int]:
    """Returns the lines of a function, with those of functions inside of it."""
    inside = (inner for inner in code.co_consts if isinstance(inner, CodeType))
    return {line for _, _, line in code.co_lines() if line is not None}.union(*map(lines, inside))


def forget() -> None:
    """Empties the caches of what decides, and of all that calls it: a cached line does not run."""
    cases = tuple(f"tests.support.{name}" for name in ("crowd", "golden_cases", "invented", "kept_rules"))
    for name, module in [*sys.modules.items()]:
        if name.startswith(("gatekeeper.deciding", "gatekeeper.knowledge", *cases)):
            for clear in (getattr(one, "cache_clear", None) for one in [*vars(module).values()]):
                if clear is not None:
                    clear()


@pytest.mark.long("nothing: it looks for what no golden case runs")
def test_golden_cases_and_people_then_no_line_that_decides_is_left_out() -> None:
    ran: dict[str, set[int]] = {str(path): set() for path in DECIDING.rglob("*.py")}
    left_of: dict[CodeType, set[int]] = {}

    def line(frame: FrameType, _: str, __: Any) -> Any:
        ran[frame.f_code.co_filename].add(frame.f_lineno)
        left_of[frame.f_code].discard(frame.f_lineno)
        return line

    def call(frame: FrameType, _: str, __: Any) -> Any:
        code = frame.f_code
        if code.co_filename not in ran:
            return None
        if code not in left_of:
            left_of[code] = {at for _, _, at in code.co_lines() if at is not None}
        return line(frame, _, __) if left_of[code] else None  # what ran whole runs without a tracer from then on

    forget()
    before = sys.gettrace()
    sys.settrace(call)
    try:
        kept_rules.digest_of(map(decided, CASES.values()))
        kept_rules.digest_of(crowd.decisions(kept_rules.SEED, PEOPLE))
    finally:
        sys.settrace(before)

    left: dict[str, list[int]] = {}
    for path, seen in ran.items():
        file = Path(path).relative_to(DECIDING)
        for function in functions(compile(Path(path).read_text("utf-8"), path, "exec")):
            if missing := lines(function) - seen:
                left[f"{file}:{function.co_qualname}"] = sorted(missing)
    assert left.keys() == UNRUN.keys(), (
        f"{ {name: at for name, at in left.items() if name not in UNRUN} } are run by no golden case and nobody of "
        "tests/support/crowd.py, so that a change there goes unseen: add a case. "
        f"{sorted(UNRUN.keys() - left.keys())} are run: take them out of UNRUN."
    )
