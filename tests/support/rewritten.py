"""Leaves the byte code of all test modules as pytest rewrites it: `python -m tests.support.rewritten`.

Else each process of a run rewrites each module again, which takes longer than to import all of them.
"""

from __future__ import annotations

import os
from pathlib import Path

# private names: pytest has no command for it, and its version is locked
from _pytest.assertion.rewrite import PYC_TAIL, _read_pyc, _rewrite_test, _write_pyc_fp, get_cache_dir

TESTS = Path(__file__).parents[1]


def main() -> None:
    for source in (path for pattern in ("test_*.py", "conftest.py") for path in TESTS.rglob(pattern)):
        kept = get_cache_dir(source) / (source.stem + PYC_TAIL)
        if _read_pyc(source, kept) is not None:
            continue
        source_hash, code = _rewrite_test(source, None)  # type: ignore[arg-type]
        kept.parent.mkdir(exist_ok=True)
        unfinished = kept.with_name(f"{kept.name}.{os.getpid()}")
        with unfinished.open("wb") as file:
            _write_pyc_fp(file, source_hash, code)
        unfinished.replace(kept)


if __name__ == "__main__":
    main()
