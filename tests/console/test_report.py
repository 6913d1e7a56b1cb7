"""The page of the period's report: whose it is, how it is read beside the pages, and the same as a file and JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx

from tests.console.conftest import Site
from tests.support.world import until


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
