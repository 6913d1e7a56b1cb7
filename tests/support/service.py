"""`gatekeeper serve` beside a test, what a program asks it, and a race of withdrawals.

`python -m tests.support.service --people 10000` is that race, and a kill amid posts; `scripts/race` prepares for it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import ssl
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from gatekeeper.service.openapi import document, paths
from streams.kafka.broker import Broker
from tests.support import canaries
from tests.support.forked import Command
from tests.support.world import World, consent_of, send_to, until

CONTRACT: dict[str, Any] = document(paths("0"))
NDJSON = {"content-type": "application/x-ndjson"}
A_POST = 20
"""Sends in one post of `killed_amid_posts`."""
WITHDRAWN = {"state": "Withdrawn", "channels": "*"}


def as_the_contract_says(answer: httpx.Response) -> None:
    """Asserts that an answer has the form that the OpenAPI document gives it."""
    path = answer.request.url.path
    if path not in CONTRACT["paths"]:
        return
    answer.read()
    (operation,) = CONTRACT["paths"][path].values()
    status = str(answer.status_code)
    form = operation["responses"][status if status in operation["responses"] else "default"]["content"]
    schema = form[answer.headers["content-type"]]["schema"]
    Draft202012Validator({"components": CONTRACT["components"], **schema}).validate(answer.json())


@contextmanager
def service(
    world: World, folder: Path, *, ends: int = 0, verify: ssl.SSLContext | bool = True, **settings: str
) -> Iterator[tuple[Command, httpx.Client]]:
    """Runs `gatekeeper serve` and a client, from when it is ready; it ends with the code `ends`, unless it is killed.

    `verify`: whom the client trusts. `settings`: further ones of the environment.
    """
    more = {"GATEKEEPER_LANG": "en", "GATEKEEPER_DATA": str(folder), "GATEKEEPER_LOG_LEVEL": "debug"}
    ours = os.environ | world.environment | more | settings
    with Command("serve", "--port", "0", "--json", env=ours) as process:
        said = json.loads(process.line())
        with httpx.Client(
            base_url=said["url"],
            timeout=120,
            verify=verify,
            limits=httpx.Limits(max_connections=64),
            event_hooks={"response": [as_the_contract_says]},
        ) as client:
            until(lambda: client.get("/readyz").status_code == 200, "the service is ready")
            yield process, client
        if process.poll() is None:
            process.terminate()
        said = "".join(process.communicate())
        assert process.returncode in (ends, -signal.SIGKILL), said
        assert not canaries.found(said.encode()), said


def question(person: str, **more: Any) -> dict[str, Any]:
    """An AuthZEN question about a piece to a person; `more`: properties of the action."""
    send = send_to(person)
    action = {name: send[name] for name in ("purpose", "channel", "message_class", "template_id")}
    return {
        "subject": {"type": "controller", "id": send["controller_id"]},
        "action": {"name": "send", "properties": {**action, **more}},
        "resource": {
            "type": "recipient",
            "id": person,
            "properties": {"contact_point": send["contact_point"], "delivery": send["delivery"]},
        },
    }


def withdrawal(person: str) -> dict[str, Any]:
    return consent_of(person, **WITHDRAWN, record_id=f"no-{person}")


def raced(client: httpx.Client, people: Sequence[str]) -> Iterator[str]:
    """Withdraws each person's consent, then asks and sends; yields what is clear after the acknowledgement.

    `people`: everybody can be mailed before.
    """

    def wrong(name: str) -> list[str]:
        place = client.post("/v1/facts/consents", json=withdrawal(name)).json()["place"]
        asked = client.post("/access/v1/evaluation", json={**question(name), "context": {"at_least": [place]}}).json()
        sent = client.post("/v1/sends", json=send_to(name, name), params={"wait": 60, "not_before": place}).json()
        assert "decision" in sent, sent
        found = (("question", asked["decision"]), ("send", sent["decision"]["verdict"] == "clear"))
        return [f"{what} {name}" for what, clear in found if clear]

    for part in range(0, len(people), 500):
        questions = {"evaluations": [question(name) for name in people[part : part + 500]]}
        before = client.post("/access/v1/evaluations", json=questions).json()
        assert all(one["decision"] for one in before["evaluations"]), "else a withdrawal changes nothing"
    with ThreadPoolExecutor(16) as at_once:
        for found in at_once.map(wrong, people):
            yield from found


def ndjson(values: Sequence[Any]) -> bytes:
    return b"\n".join(json.dumps(value).encode() for value in values)


def killed_amid_posts(world: World, folder: Path, names: Sequence[str]) -> tuple[set[str], set[str]]:
    """Posts a send to each of these people, and kills the service when a tenth is acknowledged.

    Waits until each acknowledged send is decided. Returns their event ids, and those of them not decided once.
    """
    acknowledged = list[str]()

    def posted(client: httpx.Client, first: int) -> None:
        part = [send_to(name, f"killed-{first + n}") for n, name in enumerate(names[first : first + A_POST])]
        try:
            answer = client.post("/v1/sends", content=ndjson(part), headers=NDJSON)
        except httpx.TransportError:
            return
        acknowledged.extend(one["event_id"] for one in answer.json()["sends"] if "place" in one)

    with service(world, folder) as (process, client), ThreadPoolExecutor(8) as at_once:
        posts = [at_once.submit(posted, client, first) for first in range(0, len(names), A_POST)]
        until(lambda: len(acknowledged) >= len(names) // 10, "some are acknowledged")
        process.send_signal(signal.SIGKILL)
        for post in posts:
            post.result()
    assert len(acknowledged) < len(names), "it was not killed in the middle"
    wanted = set(acknowledged)
    until(lambda: wanted <= world.verdicts().keys(), "each acknowledged send is decided")
    decided = Counter(one.send["event_id"] for one in world.audits() if one.send and one.stage == "intake")
    return wanted, {one for one in wanted if decided[one] != 1}


def main() -> int:
    """Prints what was wrong in a race, and after a kill amid as many posts; 1 if anything was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10_000)
    people = [f"race-{number}" for number in range(parser.parse_args().people)]
    with tempfile.TemporaryDirectory(prefix="race-") as kept, Broker(Path(kept, "kafka")) as broker:
        world = World(broker.bootstrap, f"t{uuid.uuid4().hex}.", partitions=2, data=f"{kept}/data").create()
        world.people(people)
        with world.process(Path(kept, "log")), service(world, Path(kept, "service")) as (_, client):
            found = list(raced(client, people))
            withdrawn = sum(json.loads(one.value())["state"] == "Withdrawn" for one in world.read("consents"))
            decided = sum(one.stage == "intake" for one in world.audits())
            print(*found, sep="\n", end="\n" if found else "")
            print(f"{withdrawn:,} withdrawals, {decided:,} sends decided, {len(found):,} answers wrong", flush=True)
            acknowledged, twice = killed_amid_posts(world, Path(kept, "killed"), people)
            print(f"killed: {len(acknowledged):,} sends acknowledged, {len(twice):,} of them not decided once")
    return int(bool(found or twice) or not withdrawn == decided == len(people))


if __name__ == "__main__":
    sys.exit(main())
