"""Alerts: each asks for what our processes show, and has its page and its cause."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.promql import names_of, unknown
from tests.support.scrapes import PROMETHEUS, demand_promtool
from tests.support.scrapes import RULES as ALERTS

HOUSE = Path(__file__).parents[2]
CAUSES = ("tests/simulation/test_alerts.py", "tests/unit/test_alert_causes.py", "deploy/prometheus/alerts.test.yml")
"""The files that say which alerts fire for which cause."""
TESTS: list[Any] = yaml.safe_load((PROMETHEUS / "alerts.test.yml").read_text("utf-8"))["tests"]
PAGE = (HOUSE / "docs/reference/alerts.md").read_text("utf-8")
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_then_it_asks_for_what_is_there_and_two_languages_say_what_to_do(name: str) -> None:
    rule = ALERTS[name]
    assert names_of(rule["expr"]).metrics
    assert unknown(rule["expr"]) == []
    assert rule["labels"]["severity"] in ("critical", "warning")
    told = rule["annotations"]
    assert told.keys() == {"summary", "summary_ja", "runbook"}
    assert not JAPANESE.search(told["summary"])
    assert JAPANESE.search(told["summary_ja"])
    assert told["runbook"] == f"docs/reference/alerts.md#{name.lower()}"
    assert re.findall(r"\{\{.*?\}\}", told["summary"]) == re.findall(r"\{\{.*?\}\}", told["summary_ja"])


def test_given_the_page_then_it_has_a_section_for_each_alert_and_for_no_other() -> None:
    assert re.findall(r"^## (\w+)$", PAGE, re.M) == [*ALERTS]
    for section in re.split(r"^## ", PAGE, flags=re.M)[1:]:
        assert re.findall(r"^\* \*\*(\w+):\*\*", section, re.M) == ["People", "Look", "Do"], section


def test_the_causes_of_alerts_then_each_alert_fires_for_one_and_health_asks_for_all() -> None:
    health = TESTS[0]
    assert [one["exp_samples"] for one in health["promql_expr_test"]] == [[], []]
    shown = {one["series"].partition("{")[0] for one in health["input_series"]}
    wanted = {name for rule in ALERTS.values() for name in names_of(rule["expr"]).metrics}
    assert {name for name in wanted - shown if name.startswith("gatekeeper")} - IN_TROUBLE == set()
    told = "".join((HOUSE / file).read_text("utf-8") for file in CAUSES)
    assert [name for name in ALERTS if not re.search(rf"""["']{name}["'{{]""", told)] == []


IN_TROUBLE = {"gatekeeper_partition_refused", "gatekeeper_sealing_held"}
"""Metrics that have no sample while all is well."""


def test_prometheus_s_own_tool_then_it_takes_all_rules_and_they_are_silent_in_health() -> None:
    demand_promtool()
    checks = (["check", "rules", "alerts.yml"], ["check", "config", "prometheus.yml"])
    for call in (*checks, ["test", "rules", "alerts.test.yml"]):
        done = subprocess.run(["promtool", *call], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
