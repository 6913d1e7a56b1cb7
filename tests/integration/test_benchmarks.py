"""Every benchmark runs in a small form, so that none breaks unseen. The figures are not looked at.

Those that need Kafka share the session's.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.growth import dimensions
from streams.kafka.broker import Broker

HOUSE = Path(__file__).parents[2] / "benchmarks"
ALONE = {
    "console": ("50",),
    "path": ("--people", "500", "--blocks", "1"),
    "proof": ("--records", "50"),
    "rules": ("30",),
    "store": ("--people", "100"),
    "verify": ("--records", "100"),
}
ON_KAFKA = {
    "commands": ("--sends", "40", "--only", "explain CODE"),
    "growth": ("--only", "clearances", "--sizes", "1"),
    "peers": ("--people", "100", "--rounds", "1", "--rates", "20", "--only", "gate"),
    "starved": ("--people", "40", "--sends", "20", "--share", "0.9"),
}


def main_of(name: str) -> ModuleType:
    """Returns the module of a benchmark that has its `main`."""
    module = import_module(f"benchmarks.{name}")
    return import_module(f"benchmarks.{name}.__main__") if hasattr(module, "__path__") else module


@pytest.mark.parametrize("name", [*ALONE, *ON_KAFKA])
def test_a_benchmark_in_a_small_form_then_it_runs_to_its_end(
    name: str, kafka: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = main_of(name)
    if name in ON_KAFKA:
        monkeypatch.setenv("GATEKEEPER_PREFIX", prefix)
        monkeypatch.setattr(dimensions if name == "growth" else module, "Broker", lambda *_: nullcontext(kafka))
    for one in (module, dimensions) if name == "growth" else ():  # its figures want processes, which cost as much again
        monkeypatch.setattr(one, "ProcessPoolExecutor", ThreadPoolExecutor)
    monkeypatch.setattr(sys, "argv", [module.__name__, *(ALONE | ON_KAFKA)[name]])
    assert not module.main()
    assert capsys.readouterr().out


def test_the_benchmarks_then_each_of_them_is_run() -> None:
    files = [*HOUSE.glob("[a-z]*.py"), *HOUSE.glob("[a-z]*/__main__.py")]
    there = {file.relative_to(HOUSE).parts[0].removesuffix(".py") for file in files if "\ndef main" in file.read_text()}
    assert there == {*ALONE, *ON_KAFKA}
