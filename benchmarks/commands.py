"""Prints the seconds of the commands that people wait for. Each runs in a process of its own, on one real Kafka.

An invented retailer's campaign to everybody is published, judged, sealed and exported. Then each command runs as a
person would run it. Seconds pass on the clock; the processor's are those of the command and of its own processes.
The goals are those for 100,000 sends.

    python -m benchmarks.commands                                  100,000 sends
    python -m benchmarks.commands --sends 1000 --json FILE         small, with the results as JSON
    python -m benchmarks.commands --only check,report --data FILE  some; keeps the invented data for the next run
    python -m benchmarks.commands --against /another/checkout      each also as that checkout has it, on these topics
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import orjson

from benchmarks import console
from benchmarks.path import World as Invented
from benchmarks.peers import measured
from gatekeeper.demo.addresses import KEY
from gatekeeper.keys import ROLES, Keys, key_name
from schemas.topics import FACT_TOPICS
from streams.kafka.broker import Broker
from tests.support.list_files import list_map
from tests.support.world import World, until

HERE = Path(__file__).parents[1]
DEADLINE = 1_800.0
LIST_MAP = list_map(
    recipient_id="id", name="name", line="line", postcode="postcode", acquired_at="date", collected_by="midori-retail"
)


class Command(NamedTuple):
    """A command: its name here, its goal in seconds (None: no goal), and its words."""

    name: str
    goal: float | None
    words: Sequence[str | Path]


CONSOLE = Command("console's first start", None, ["console", "--port", "0", "--json"])
"""A console that reads everything; the commands after it may ask its model."""


class Result(NamedTuple):
    """Seconds on the clock and of the processor, with the exit code."""

    name: str
    goal: float | None
    seconds: float
    processor: float
    code: int


class Office:
    """One world on a broker: its topics, keys and files. `sends`: of the campaign to everybody."""

    def __init__(self, broker: Broker, folder: Path, data: Invented) -> None:
        self.folder, self.sends = folder, data.sends
        keys = Keys(folder / "keys")
        self.world = World(broker.bootstrap, "commands.", keys=str(keys.folder))
        for role in ROLES:
            keys.make(role, key_name(self.world.settings.group, role), secret=KEY if role == "token" else None)
        self.world.found()
        facts: dict[str, list[tuple[str, bytes]]] = {topic: [] for topic in FACT_TOPICS}
        for topic, key, value in data.facts:
            facts[topic].append((key.decode(), value))
        # dicts, which managers sign
        self.world.put("reference", ((key, orjson.loads(value)) for key, value in facts.pop("reference")))
        for topic, records in facts.items():
            self.world.put(topic, records)
        self.file("campaign.jsonl").write_bytes(b"".join(value + b"\n" for _, _, value in data.sends))
        self.file("list.toml").write_text(LIST_MAP)
        with self.file("list.csv").open("w", newline="", encoding="utf-8") as handle:
            rows = csv.writer(handle)
            rows.writerow(("id", "name", "postcode", "line", "date"))
            for _, key, value in data.sends:
                to = orjson.loads(value)["delivery"]
                rows.writerow(
                    (f"{key.decode()}L", to["name"], to.get("postcode", ""), "".join(to["lines"]), "2024-05-01")
                )
        more = {"GATEKEEPER_LOG": str(self.file("log")), "GATEKEEPER_USER": "hanako", "GATEKEEPER_LANG": "en"}
        more |= {"GATEKEEPER_DATA": str(self.file("console"))}
        self._console: subprocess.Popen[bytes] | None = None
        self.environment = os.environ | self.world.environment | more
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)  # people's commands do not compile at every start

    def file(self, name: str) -> Path:
        """A file of this world."""
        return self.folder / name

    def run(self, command: Command, checkout: Path = HERE) -> Result:
        """Runs a command with the code of a checkout, and shows its errors."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        words = [sys.executable, "-m", "gatekeeper", *map(str, command.words)]
        done = subprocess.run(words, cwd=checkout, env=self.environment, capture_output=True, check=False)
        took = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode not in (0, 1):
            print(done.stderr.decode()[-2_000:], file=sys.stderr)
        spent = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
        return Result(command.name, command.goal, took, spent, done.returncode)

    def console(self) -> Result:
        """Starts a console, and waits until it has read everything; it runs until `close`."""
        began = time.perf_counter()
        words = [sys.executable, "-m", "gatekeeper", *CONSOLE.words]
        self._console = subprocess.Popen(words, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._console.stdout
        url = orjson.loads(self._console.stdout.readline())["url"]
        until(lambda: httpx.get(f"{url}healthz").json()["ready"], "a console that has read everything", DEADLINE)
        return Result(CONSOLE.name, None, time.perf_counter() - began, measured.processor(self._console.pid), 0)

    def close(self) -> None:
        """Ends the console."""
        if self._console:
            self._console.terminate()
            self._console.wait()

    def decided(self) -> None:
        """Lets a worker decide all sends."""
        with self.world.process(self.file("worker.log"), http_port="0"):
            until(lambda: self.world.decided() >= len(self.sends), "all decided", DEADLINE)

    def commands(self) -> Iterator[Command]:
        """The commands that only read, when everything is decided, sealed and exported."""
        told = max(self.world.read("cleared"), key=lambda record: (record.offset(), record.partition()))
        headers, send = dict(told.headers()), orjson.loads(told.value())
        item = dict(self.world.read("review")[-1].headers())["gate-decision-id"].decode()
        today = datetime.now(UTC) + timedelta(hours=9)
        days = (f"{today - timedelta(days=1):%Y-%m-%d}", f"{today + timedelta(days=1):%Y-%m-%d}")
        for told_by in ("", " with console"):
            if told_by:
                yield CONSOLE
            yield Command(f"explain CODE{told_by}", 1, ["audit", "explain", headers["gate-inquiry"].decode()])
            yield Command(f"explain SEND{told_by}", 1, ["audit", "explain", send["event_id"]])
            yield Command(f"review list{told_by}", 1, ["review", "list", "--table"])
            yield Command(f"review show{told_by}", 1, ["review", "show", item, "--table"])
            yield Command(f"campaign show{told_by}", 1, ["campaign", "show", send["campaign_id"]])
        yield Command("--version", None, ["--version"])
        yield Command("check", 10, ["check", self.file("campaign.jsonl"), "--json"])
        yield Command("report", 3, ["report", "--from", days[0], "--to", days[1]])
        yield Command("audit verify", None, ["audit", "verify", self.file("export")])
        yield Command("audit replay", None, ["audit", "replay", self.file("export")])
        yield Command("replay --live", None, ["audit", "replay", "--live", "--rate", "0"])

    def published(self) -> Command:
        """Publishes the campaign; nothing is decided yet."""
        return Command("publish", None, ["publish", self.file("campaign.jsonl")])

    def imported(self) -> Command:
        """Imports a list of as many rows."""
        return Command("import", 10, ["import", "sources", self.file("list.csv"), "--map", self.file("list.toml")])

    def handed_off(self) -> Command:
        """Hands the campaign's cleared pieces off, with a worker that judges them again."""
        campaign = orjson.loads(self.sends[0][2])["campaign_id"]
        return Command("handoff", 5, ["handoff", campaign, "--out", self.file("handoff.csv"), "--wait", "600"])


def main(given: Sequence[str] | None = None) -> int:
    """Makes the world, runs the commands, and prints a line for each; 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sends", type=int, default=100_000)
    parser.add_argument("--only", default="", help="names of commands, with commas between them")
    parser.add_argument("--data", type=Path, help="a file that keeps the invented people and sends")
    parser.add_argument("--against", type=Path, help="another checkout, for the commands that only read")
    parser.add_argument("--json", type=Path, help="a file for the results")
    asked = parser.parse_args(given)
    results: list[Result] = []
    with (
        tempfile.TemporaryDirectory(prefix="commands-") as folder,
        Broker(Path(folder) / "kafka") as broker,
        ExitStack() as stack,
    ):
        office = Office(
            broker, Path(folder), Invented.of(asked.sends, asked.data or Path(folder) / "data", date.today())
        )
        stack.callback(office.close)

        def run(command: Command, checkouts: Sequence[Path] = (HERE,)) -> None:
            if asked.only and command.name not in asked.only.split(","):
                return
            for checkout in checkouts if command != CONSOLE else ():
                one = office.run(command, checkout)
                results.append(one if checkout == HERE else one._replace(name=f"{one.name}, other"))
                print(line(results[-1]), flush=True)

        print(f"{'':24} {'goal':>6} {'seconds':>9} {'processor':>9}   exit")
        results.append(office.run(office.published()))
        print(line(results[-1]), flush=True)
        office.decided()
        for words in (("audit", "seal", "--once"), ("audit", "export", "--out", office.file("export"), "--rate", "0")):
            made = office.run(Command(" ".join(words[:2]), None, words))
            results.append(made)
            print(line(made), flush=True)
        checkouts = (HERE, asked.against.resolve()) if asked.against else (HERE,)
        for command in office.commands():
            if command == CONSOLE and (not asked.only or "with console" in asked.only):
                results.append(office.console())
                print(line(results[-1]), flush=True)
            run(command, checkouts)
        with office.world.process(office.file("worker.log"), http_port="0") as worker:
            until(worker.owned, "a worker that owns its partitions")
            run(office.handed_off())
        run(office.imported())
        if not asked.only or "console" in asked.only.split(","):
            withheld = asked.sends // 2
            ms = asyncio.run(console.measured(withheld))["/"]
            results.append(Result(f"console, {withheld:,} items", 0.1, ms / 1e3, ms / 1e3, 0))
            print(line(results[-1]), flush=True)
    if asked.json:
        asked.json.write_bytes(orjson.dumps([one._asdict() for one in results]))
    return int(any(one.code not in (0, 1) for one in results))


def line(one: Result) -> str:
    """A result as a line of the table."""
    goal = "" if one.goal is None else f"{one.goal:g}"
    return f"{one.name:24} {goal:>6} {one.seconds:>9.2f} {one.processor:>9.2f}   {one.code}"


if __name__ == "__main__":
    sys.exit(main())
