"""The page of the period's report: whose it is, how it is read beside the pages, and the same as a file and JSON."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from gatekeeper.console.pages.report import FRESH_MS, reported
from gatekeeper.console.tasks import Task, Tasks
from gatekeeper.ground.times import instant
from gatekeeper.report import period
from tests.console.conftest import Site
from tests.support.world import day, until

NOW = 1_795_482_000_000
NOVEMBER = period.read("2020-11-01", "2020-11-30", "Asia/Tokyo")


def query() -> dict[str, str]:
    now = datetime.now(UTC)
    return {"from": (now - timedelta(days=1)).isoformat(), "to": (now + timedelta(minutes=1)).isoformat()}


def made(client: httpx.Client, path: str, wanted: dict[str, str]) -> httpx.Response:
    """Asks until the report is there."""

    def there() -> httpx.Response | None:
        answer = client.get(path, params=wanted)
        return None if answer.status_code == 202 else answer

    found: httpx.Response = until(there, path)
    return found


def test_period_then_page_file_and_json_say_what_the_audit_trail_says(site: Site) -> None:
    site.withheld(3)
    wanted, client = query(), site.client("auditor")
    page = made(client, "/report", wanted)
    assert page.status_code == 200
    report = made(client, "/report.json", wanted).json()
    assert 3 <= report["sends"]["total"] <= len(site.world.read("audit"))
    assert sum(one["records"] for one in report["coverage"]) >= report["sends"]["total"]
    assert all(sample["inquiry"] in page.text for sample in report["samples"])
    assert "<script>" not in page.text
    file = made(client, "/report.html", wanted)
    assert "attachment" in file.headers["content-disposition"]
    assert "<style>" in file.text
    assert report["samples"][0]["did"] in file.text
    chosen = {**wanted, "sample": 2, "seed": "auditor 7"}
    seeded = made(client, "/report.json", chosen).json()
    assert (len(seeded["samples"]), seeded["draw"]) == (2, {"size": 2, "seed": "auditor 7"})
    workbook = made(client, "/report.xlsx", chosen)
    assert workbook.content.startswith(b"PK")
    assert "report-" in workbook.headers["content-disposition"]
    assert client.get("/report", params={**wanted, "sample": 0}).status_code == 422
    assert "本人に連絡又は接触する場合" in client.get("/report", params={**wanted, "lang": "ja"}).text
    assert ".report" in client.get("/report.css").text


def test_a_record_that_no_worker_wrote_then_the_page_says_where_and_counts_the_rest(site: Site) -> None:
    client = site.client("auditor")
    site.withheld(1)
    site.world.put("audit", [("X", site.world.read("audit")[-1].value())], partition=0)
    site.withheld(4)
    offset = [message.offset() for message in site.world.read("audit") if message.key() == b"X"][-1]
    page = made(client, "/report", query())
    assert page.status_code == 200
    assert "of no worker whose key is at hand" in page.text
    assert f"audit/0/{offset}" in page.text
    report = made(client, "/report.json", query()).json()
    foreign = [one for one in report["foreign"] if (one["partition"], one["offset"]) == (0, offset)]
    assert [(one["topic"], one["count"]) for one in foreign] == [("audit", 1)]
    assert report["sends"]["total"] >= 5


def report_of(number: int) -> dict[str, Any]:
    return {"number": number, "made": instant(NOW)}


def asked(tasks: Tasks, make: Callable[[Any], dict[str, Any]], now: int = NOW) -> Task:
    return reported(tasks, NOVEMBER, make, by="auditor", now=now)


def test_asked_twice_then_read_once_and_progress_is_told() -> None:
    tasks, go, made = Tasks(), threading.Event(), []

    def make(passed: Any) -> dict[str, Any]:
        passed(1, 2)
        assert go.wait(30)
        made.append(1)
        return report_of(len(made))

    task = asked(tasks, make)
    until(lambda: task.taken, "progress")
    assert (asked(tasks, make), task.over, task.total) == (task, False, 2)
    go.set()
    until(lambda: task.over, "the report")
    assert asked(tasks, make, NOW + FRESH_MS).result["number"] == 1
    again = asked(tasks, make, NOW + FRESH_MS + 1)
    until(lambda: again.over, "another one")
    assert again.result["number"] == 2


def test_report_in_a_browser_then_it_appears_by_itself_and_axe_finds_nothing_serious(
    signed_in: Callable[..., Page], site: Site
) -> None:
    site.withheld(2)
    page = signed_in("auditor", "en-US")
    page.goto("/report")
    page.locator("#from").fill(day(-1))
    page.locator("#to").fill(day(1))  # in Tokyo it may be tomorrow
    page.locator(".filter button").click()
    expect(page.locator("#samples article").first).to_be_visible(timeout=30_000)
    assert page.locator("#sends rect").first.evaluate("bar => getComputedStyle(bar).fill") != "rgb(0, 0, 0)"
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []
    page.emulate_media(media="print")
    expect(page.locator("form.filter")).to_be_hidden()
    expect(page.locator("#clauses table")).to_be_visible()
