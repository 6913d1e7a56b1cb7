"""Pages as Prometheus asks for them each minute, and the alerts that our rules raise from these."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

PROMETHEUS = Path(__file__).parents[2] / "deploy/prometheus"
RULES: Mapping[str, Any] = {
    rule["alert"]: rule
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
}
"""The alerts by name."""
ABSENT = "_"


def demand_promtool() -> None:
    """Skips the test where Prometheus's own tool is not there."""
    if not shutil.which("promtool"):
        pytest.skip("promtool is not here (Debian: apt install prometheus)")


class Scrapes:
    """The samples of each minute by series, as Prometheus takes them from the pages of its targets."""

    def __init__(self, began: float) -> None:
        """`began`: the instant of the first minute, in seconds since the epoch. The series of promtool begin at 0."""
        self.minutes = 0
        self._began = began
        self._series = dict[str, list[str]]()

    def take(self, pages: Mapping[str, bytes | None]) -> None:
        """Takes the page of each process (`worker`, `seal` and so on) for the next minute, None without an answer."""
        shown = dict(one for process, page in pages.items() for one in self._samples(process, page))
        for name in {**shown, **self._series}:
            values = self._series.setdefault(name, [ABSENT] * self.minutes)
            known = bool(values) and values[-1] not in (ABSENT, "stale")
            values.append(shown.get(name, "stale" if known else ABSENT))
        self.minutes += 1

    def _samples(self, process: str, page: bytes | None) -> Iterator[tuple[str, str]]:
        target = {"job": f"gatekeeper-{process}", "instance": process}
        yield _series("up", target), "0" if page is None else "1"
        for family in text_string_to_metric_families((page or b"").decode()):
            for name, labels, value, *_ in family.samples:
                since = self._began if name.endswith("_timestamp_seconds") else 0.0
                yield _series(name, labels | target), f"{value - since:+f}".replace("inf", "Inf").removeprefix("+")

    def wrong(self, firing: Mapping[int, Sequence[str]]) -> str:
        """The complaint of promtool, "" if exactly these alerts fire in these minutes.

        `firing`: alerts by minute, each as `ClockOff{instance="worker"}`.
        """
        asked = [
            {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{minute}m", "exp_samples": [*map(_alert, alerts)]}
            for minute, alerts in firing.items()
        ]
        series = [{"series": name, "values": " ".join(values)} for name, values in self._series.items()]
        test = {"interval": "1m", "input_series": series, "promql_expr_test": asked}
        rules = {"rule_files": [str(PROMETHEUS / "alerts.yml")], "evaluation_interval": "1m", "tests": [test]}
        with TemporaryDirectory() as folder:
            file = Path(folder, "alerts.test.yml")
            file.write_text(yaml.safe_dump(rules))
            done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else done.stdout + done.stderr


def _series(name: str, labels: Mapping[str, str]) -> str:
    return f"{name}{{{_told(labels)}}}"


def _told(labels: Mapping[str, str]) -> str:
    return ",".join(f'{key}="{value}"' for key, value in labels.items())


def _alert(said: str) -> dict[str, Any]:
    name, _, labels = said.removesuffix("}").partition("{")
    own = {"alertname": name, "alertstate": "firing", **RULES[name]["labels"]}
    return {"labels": f"ALERTS{{{','.join(filter(None, (_told(own), labels)))}}}", "value": 1}
