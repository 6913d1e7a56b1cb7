"""Prints the time of the console's pages over a full queue, without Kafka. The goal for the group page is 100 ms.

Run: python -m benchmarks.console [items]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import httpx
import orjson

from gatekeeper.console.app import create_app
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.times import instant
from gatekeeper.policy.reasons import CATALOGUE
from schemas.record import Record
from tests.support import invented

ROUNDS = 20
PATHS = ("/", "/items", "/items?primary=AGE_UNCERTAIN&campaign=K-3", "/overview?span=quarter", "/campaigns", "/reasons")
CODES = [code for code, kind in CATALOGUE.items() if kind.severity == "SOFT"][:10]


def records(count: int, now: int) -> list[Record]:
    """Records of `review`, `audit` and `sends` for withheld sends: ten reasons, ten lists, twenty campaigns."""
    found = []
    for n in range(count):
        code, at, did = CODES[n % 10], now - n * 60_000, f"{n:026}".translate(str.maketrans("0123456789", "ABCDEFGHIJ"))
        campaign = f"K-{n % 20}"
        send = invented.send(recipient_id=f"R{n:06}", event_id=f"E{n}", campaign_id=campaign, mail_date="2099-12-10")
        reason = {"code": code, "clause": "-", "facts": [], "says": {}}
        decision = {"v": 2, "verdict": "review", "primary": code, "reasons": [reason], "notes": [], "obligations": [],
                    "basis": "S-1", "policy": None, "at": instant(at), "id": did}  # fmt: skip
        value = orjson.dumps(send)
        headers = (("gate-decision", orjson.dumps(decision)),)
        source = {"source_id": "S-1", "batch_id": f"B-{n // 20 % 10}"}
        audit = {"did": did, "at": instant(at), "verdict": "review", "reasons": [{"code": code}], "mode": "live",
                 "stage": "intake", "act": None, "campaign": campaign, "basis": "S-1",
                 "facts": {"sources": [source]}}  # fmt: skip
        key = send["recipient_id"].encode()
        found.append(Record("review", 0, n, at, key, value, headers))
        found.append(Record("audit", 0, n, at, did.encode(), orjson.dumps(audit), ()))
        found.append(Record("sends", 0, n, at, key, value, ()))
    return found


async def measured(count: int) -> dict[str, float]:
    """Fills a model, requests each page, prints the times, and returns the medians in milliseconds by path."""
    medians = {}
    with tempfile.TemporaryDirectory() as folder:
        # the feed is not started: the pages show the records put in here
        settings = Settings(data=folder, broker="127.0.0.1:1", log=str(Path(folder) / "log"))
        app = create_app(settings)
        held = app.state.console
        made = records(count, held.now())
        began = time.perf_counter()
        for start in range(0, len(made), 3_000):
            held.model.take(made[start : start + 3_000])
        took = time.perf_counter() - began
        print(f"{count:,} items taken in, {took:.1f} s ({3 * count / took:,.0f} records a second)")
        held.feed.progress = replace(held.feed.progress, ready=True, trouble=None)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            for path in PATHS:
                times = []
                for _ in range(ROUNDS):
                    asked = time.perf_counter()
                    answer = await client.get(path)
                    times.append((time.perf_counter() - asked) * 1e3)
                    assert answer.status_code == 200, answer.text
                medians[path] = median(times)
                print(f"{path:48} {min(times):7.1f} ms at best, {medians[path]:7.1f} ms in the middle")
    return medians


def main() -> None:
    """Measures a queue of as many items as the call says."""
    asyncio.run(measured(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))


if __name__ == "__main__":
    main()
