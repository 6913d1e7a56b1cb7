"""Nobody's name, address, e-mail or phone stays in the console's log or files, whatever is typed or looked at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import orjson

from tests.console.conftest import BROWSER, PASSWORD, Site, send_number
from tests.support import canaries
from tests.support.canaries import NARUMI, PEOPLE
from tests.support.invented import known_by
from tests.support.world import source_of, until

BORN = "2015-06-05"
"""The birthday of everybody here, which withholds their letters as a child's."""
MORE = "転送先 緑山県若葉市囀町1-2-3"
"""Printed beside each address, so that a page quotes it and nothing else does."""
TYPED = (NARUMI["name"], NARUMI["email"], NARUMI["phone"], NARUMI["lines"][0])
ADDRESSES = (
    "/items/{}",
    "/letters/{}",
    "/letters/{}/paper",
    "/letters/{}/proof",
    "/people/{}",
    "/campaigns/{}",
    "/campaigns/{}/counts.json",
    "/manage/{}",
    "/manage/erase/{}",
    "/runs/{}",
    "/{}",
    "/items/{}/audit.json",
    "/static/{}",
    "/?campaign={}",
    "/items?recipient={}",
    "/items?page={}",
    "/items.csv?reason={}",
    "/items.jsonl?origin={}",
    "/bulk?kind={}",
    "/manage/erase?subject={}",
    "/report?from={}&to={}",
    "/overview?span={}",
    "/signin?next=/{}",
    "/people?code={}",
)
FORMS = (
    ("/people", {"recipient": "{}"}),
    ("/people", {"code": "{}"}),
    ("/people/{}/stop", {"reason": "{}", "evidence": "{}"}),
    ("/people/r-canary/stop", {"reason": "{}", "evidence": "{}"}),
    ("/items/ITEM/acts", {"kind": "{}", "run": "{}", "reason": "{}"}),
    ("/items/ITEM/acts", {"kind": "uphold", "run": "c1", "reason": "{}", "evidence": "{}"}),
    ("/items/{}/acts", {"kind": "note", "run": "c2", "reason": "{}"}),
    ("/bulk", {"kind": "note", "run": "c3", "reason": "{}", "filter": "campaign={}", "{}": "{}"}),
    ("/manage/erase", {"subject": "{}", "typed": "{}", "reason": "{}", "run": "{}"}),
)


@contextmanager
def console(site: Site, people: Path, folder: Path) -> Iterator[str]:
    """Yields the address of a console of its own, as it is run: its log goes to a file."""
    settings = {"DATA": str(folder / "data"), "CONSOLE_USERS": str(people), "LOG_LEVEL": "debug"}
    environment = os.environ | site.world.environment | {f"GATEKEEPER_{key}": value for key, value in settings.items()}
    command = [sys.executable, "-m", "gatekeeper", "console", "--port", "0", "--json"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log)
    try:
        assert process.stdout
        url = orjson.loads(process.stdout.readline())["url"].rstrip("/")
        until(lambda: httpx.get(f"{url}/healthz").json()["ready"], "a model")
        yield url
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 130)
    finally:
        process.kill()
        process.wait()


def filled(values: dict[str, str], typed: str) -> dict[str, str]:
    return {key.replace("{}", typed): value.replace("{}", typed) for key, value in values.items()}


def test_canary_people_typed_looked_at_and_searched_for_then_no_log_or_file_has_them(
    site: Site, people: Path, tmp_path: Path
) -> None:
    campaign = f"K-canary-{send_number()}"
    for person in PEOPLE:
        name = f"canary{send_number()}"
        site.world.put(
            "sources", [(name, source_of(name, contact_points=[{"id": "cp", **known_by(person)}], birth_date=BORN))]
        )
        printed = {**person, "lines": [*person["lines"], MORE]}
        point = {"contact_point": {"id": "cp", "country": "JP"}, "delivery": printed}
        site.publish([name], campaign_id=campaign, **point)
    item, other, *_ = (one["id"] for one in site.items(campaign))
    with console(site, people, tmp_path) as url:
        client = httpx.Client(base_url=url, timeout=30, headers=BROWSER)
        for typed in TYPED:
            for user, password in ((typed, PASSWORD), ("reviewer", typed)):
                assert client.post("/signin", data={"user": user, "password": password}).status_code in (401, 429)
        signed_in = client.post("/signin", data={"user": "manager", "password": PASSWORD})
        assert signed_in.status_code == 303, signed_in.text
        answers = []
        for typed in TYPED:
            answers += [client.get(address.replace("{}", quote(typed, safe=""))) for address in ADDRESSES]
            since = {"since": typed}
            with client.stream("GET", "/events", params=since, headers={"last-event-id": quote(typed)}) as live:
                answers.append(live)
            for user in ("manager", typed):
                for path, data in FORMS:
                    place = path.replace("{}", quote(typed, safe="")).replace("ITEM", item)
                    answers.append(client.post(place, data={**filled(data, typed), "user": user}))
            answers.append(client.post("/people", data={"recipient": typed}, headers={"sec-fetch-site": "cross-site"}))
            plain = {"content-type": "text/plain"}
            answers.append(client.post("/people", content=typed.encode("utf-16"), headers=plain))
            answers.append(client.post("/people", data={"recipient": typed * 40_000}))
        assert {answer.status_code for answer in answers} <= {200, 202, 303, 400, 403, 404, 405, 413, 422, 429}

        why = " ".join(TYPED)
        noted = client.post(f"/items/{other}/acts", data={"kind": "note", "run": "n1", "reason": why})
        assert noted.status_code == 303
        stop = client.post("/people/r-canary/stop", data={"reason": why})
        assert stop.status_code == 303, stop.text
        revealed = client.post(f"/items/{other}/acts", data={"kind": "reveal", "run": "v1", "reason": why})
        place, quoted = revealed.headers["location"], f"<q>{MORE}</q>"
        shown = until(lambda: quoted in (page := client.get(place).text) and page, "the text that is too much")
        assert why in shown, "whoever may see it does"
        until(lambda: why in client.get("/overview").text, "what was said, in the overview")
        for page in ("/", "/items", "/overview", "/manage", "/people/r-canary", f"/items/{item}"):
            assert client.get(page).status_code == 200
    for folder in (tmp_path, site.settings.index):
        written = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert any(path.endswith("index.sqlite") for path in written)
        assert {name: canaries.found(data) for name, data in written.items() if canaries.found(data)} == {}
        assert [name for name, data in written.items() if BORN.encode() in data] == []
    assert b"canary" in b"".join(written.values()), "the search finds what is there"
