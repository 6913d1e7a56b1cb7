"""The lines of some modules that have run: a simulation that leaves the worker's code aside is none.

Only lines inside functions count, for a module's own run at import. It traces with `sys.settrace`, and leaves a
function alone once all its lines have run, so that a simulation is hardly slower.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FrameType
from typing import Any


class Lines:
    """Counts the lines of modules, given by their names, that run within `counted`."""

    def __init__(self, modules: tuple[str, ...]) -> None:
        self.files: dict[str, str] = {}
        for name in modules:
            spec = find_spec(name)
            assert spec is not None
            assert spec.origin is not None
            self.files[spec.origin] = name
        self._lines = {code: lines for file in self.files for code, lines in _functions(file)}
        self._left = {key: set(lines) for key, lines in self._lines.items()}

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Counts what runs meanwhile."""
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(before)

    def share(self, module: str | None = None) -> float:
        """Returns which share of the lines has run, of one module or of all."""
        keys = [key for key in self._lines if module in (None, self.files[key[0]])]
        every, left = (sum(len(lines[key]) for key in keys) for lines in (self._lines, self._left))
        return 1 - left / every if every else 1.0

    def left(self, module: str) -> list[int]:
        """Returns the lines of a module that did not run."""
        return sorted(line for key, lines in self._left.items() if self.files[key[0]] == module for line in lines)

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if code.co_filename not in self.files:
            return None
        left = self._left.get((code.co_filename, code.co_firstlineno, code.co_qualname))
        if not left:
            return None

        def ran(inner: FrameType, what: str, _: Any) -> Any:
            left.discard(inner.f_lineno)
            return ran

        left.discard(frame.f_lineno)
        return ran


def _functions(file: str) -> Iterator[tuple[tuple[str, int, str], set[int]]]:
    """Yields each function of a file with the lines that it has."""
    waiting = [compile(Path(file).read_text("utf-8"), file, "exec")]
    while waiting:
        code = waiting.pop()
        waiting += [one for one in code.co_consts if isinstance(one, CodeType)]
        if code.co_flags & 0x2:  # it has locals of its own: no module, and no class
            lines = {line for _, _, line in code.co_lines() if line and line != code.co_firstlineno}
            yield (file, code.co_firstlineno, code.co_qualname), lines
