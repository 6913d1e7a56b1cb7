"""One flipped bit in a worker's file, at many places: `python -m tests.support.flips --places 2000`.

A bit flips while no process has the file, or below one that has it open. Nobody who said no may then be cleared, and
nobody twice. A start may fail, also by a signal, but not for ever: then the file is set aside, and all is read anew.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Literal

import orjson
from aiokafka import TopicPartition

from gatekeeper.ground.errors import RestartError
from gatekeeper.ledger.head import Head
from gatekeeper.policy.packs import load
from gatekeeper.store.disk_table import SpoiltError
from gatekeeper.store.faults import Faults
from schemas.events import Send
from schemas.record import Record
from streams.client.read_log import ReadLog
from streams.worker.kept_facts import KeptFacts, name_of
from streams.worker.kept_ledger import CopyPosition, KeptLedger, KeptLedgers, Misfit
from streams.worker.ledger import Ledger
from tests.support import invented
from tests.support.clearances import cleared
from tests.support.facts import fact

Store = Literal["facts", "ledger"]
STORES: tuple[Store, ...] = ("facts", "ledger")
NAMES = [f"P-{number:03}" for number in range(30)]
"""All of them have agreed, and got something. Those with an even number have said no since."""
GONE = NAMES[::2]
TP = TopicPartition("mail.consents.v1", 0)
STARTS = 3
"""A damaged file may end so many starts less one; the last one must succeed."""
PAGE, STEP, NEAR = 4096, 16, 60
MEMORY = Path("/dev/shm")
"""A folder in which a commit costs no wait."""
CLEARED = {name: cleared(recipient_id=name, did=f"D-{name}") for name in NAMES}


def flip(store: Store, places: int, seed: int = 1, near: str = "") -> Counter[str]:
    """Flips a bit at so many places of a store's file, one after the other; returns how often each thing came of it.

    `near`: only in the words of NEAR bytes that begin with this, the name of a row.
    Raises AssertionError with the place for a promise that was broken.
    """
    draw, found = Random(f"{store}/{seed}"), Counter[str]()
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None, prefix="flips-") as name:
        home = Path(name, "kept")
        assert _forked(lambda: _write(store, home)) == 0, "the file is written"
        file = next(home.glob("**/data.mdb"))
        whole = file.read_bytes()
        pages = [page for page in range(0, len(whole), PAGE) if any(whole[page : page + PAGE])]
        for _ in range(places):
            page = draw.choice(pages)  # a small table has as many flips as a page of a large one
            used = [place for place in range(page, page + PAGE, STEP) if any(whole[place : place + STEP])]
            place, bit = draw.choice(used) + draw.randrange(STEP), draw.randrange(8)
            if near:
                rows = [place for place in range(len(whole)) if whole.startswith(near.encode(), place)]
                place = draw.choice(rows) + draw.randrange(NEAR)
            running = draw.random() < 0.5
            shutil.rmtree(home)
            file.parent.mkdir(parents=True)
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            file.write_bytes(whole if running else changed)
            what = f"{store}: byte {place}, bit {bit}, {'running' if running else 'stopped'}, seed {seed}"
            found.update(_tried(store, home, (file, place, changed[place]) if running else None, what))
    return found


def _tried(store: Store, home: Path, below: tuple[Path, int, int] | None, what: str) -> list[str]:
    """Starts until a start succeeds; returns what came of each."""
    codes = []
    if below is not None:
        codes.append(_forked(lambda: _read(store, home, below)))
    for _ in range(STARTS):
        codes.append(_forked(lambda: _read(store, home)))
        if codes[-1] in (KEPT, ANEW):
            break
    assert WRONG not in codes, f"{what}: somebody was cleared"
    assert codes[-1] in (KEPT, ANEW), f"{what}: no start succeeds: {codes}"
    return [CODES.get(code) or (f"signal {-code}" if code < 0 else "failed") for code in codes]


KEPT, ANEW, WRONG, NOTICED, FAILED = 10, 11, 12, 13, 14
CODES = {KEPT: "goes on", ANEW: "read anew", NOTICED: "noticed"}


def _forked(work: Callable[[], int]) -> int:
    """The exit code of some work in a process of its own; negative after a signal."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = FAILED
    try:
        signal.alarm(60)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        if not os.environ.get("FLIPS_TELL"):
            os.dup2(silence, 2)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _records() -> list[Record]:
    said = [event for name in NAMES for event in invented.consenting(name)]
    said += [invented.withdrawn(name) for name in GONE[::2]]
    said += [invented.suppression(recipient_id=name, suppression_id=f"X-{name}") for name in GONE[1::2]]
    return [fact(topic, 0, at, None, orjson.dumps(value)) for at, (topic, value) in enumerate(said)]


def _send(name: str) -> Send:
    return Send.model_validate_json(orjson.dumps(invented.send(recipient_id=name)))


def _write(store: Store, home: Path) -> int:
    if store == "facts":
        kept = _facts(home)
        _apply(kept, _records())
        kept.close()
        return 0
    return asyncio.run(_with_ledger(home, lambda copy: _fill(copy, Ledger(copy.tables), NAMES)))


def _read(store: Store, home: Path, below: tuple[Path, int, int] | None = None) -> int:
    """Goes on from a store, or reads all anew, and decides; `below`: file, place and byte that changes meanwhile."""
    if store == "facts":
        return _read_facts(home, below)
    return asyncio.run(_with_ledger(home, lambda copy: _read_ledger(copy, below)))


def _flip(below: tuple[Path, int, int] | None) -> None:
    if below is not None:
        file, place, byte = below
        with file.open("r+b") as raw:
            raw.seek(place)
            raw.write(bytes([byte]))


# -- facts ----------------------------------------------------------------------------------------------


def _facts(home: Path) -> KeptFacts:
    return KeptFacts(home, origin="", identity=b"one", key=bytes(32), faults=Faults())


def _apply(kept: KeptFacts, records: list[Record]) -> None:
    """Applies records with a few commits on the way, as a worker does."""
    log = ReadLog(0, 0)
    for number, record in enumerate(records, 1):
        kept.store.apply(record)
        log.take(record)
        if number % 40 == 0 or number == len(records):
            kept.cut(0, {TP: number}, {TP: log})()


def _read_facts(home: Path, below: tuple[Path, int, int] | None) -> int:
    kept, records = _facts(home), _records()
    known = kept.known().get(name_of(TP))
    anew = known is None
    if anew:
        _apply(kept, records)
    else:
        assert known is not None
        assert known.position == len(records), "a position that was never written"
    for at, (topic, value) in enumerate(invented.REFERENCE):  # every start reads these from their beginning
        kept.store.apply(fact(topic, 0, at, None, orjson.dumps(value)))
    _flip(below)
    pack = load("jp-pmark")
    clear = []
    for name in NAMES if below is None else GONE:
        send = _send(name)
        decision = invented.decide(send, invented.view(kept.store, send), kept.store.reference, pack, invented.T)
        clear += [name] if decision.verdict == "clear" else []
    try:
        kept.demand_newest()  # before anything that was read counts
    except RestartError:
        return NOTICED
    if set(clear) & set(GONE):
        return WRONG
    if below is not None:
        kept.store.apply(records[0])  # once more, for a commit that meets the pages which it changes
        kept.cut(0, {TP: len(records)}, {TP: known or ReadLog(0, 0)})()
    kept.close()
    if below is None and not kept.spoilt and len(clear) < len(NAMES) - len(GONE):
        return FAILED
    return NOTICED if kept.spoilt else ANEW if anew else KEPT


# -- ledger ---------------------------------------------------------------------------------------------


async def _with_ledger(home: Path, work: Callable[[KeptLedger], object]) -> int:
    copy = KeptLedgers(home, identity=b"one", key=bytes(32), keep_ms=1 << 40, faults=Faults()).of_partition(3, {})
    await copy.open()
    found = work(copy)
    code = await found if asyncio.iscoroutine(found) else 0
    await copy.close()
    return int(code)


async def _fill(copy: KeptLedger, kept: Ledger, names: list[str]) -> int:
    """Reads entries from the topic, which become a copy with the first transaction."""
    for name in names:
        kept.state.put(CLEARED[name])
        copy.tables.commit(copy.tables.cut())
    copy.write(copy.tables.cut(), CopyPosition(Head(sends=9, prev="00", at=invented.T), 100, 50))
    assert copy._writing is not None
    await copy._writing
    return 0


async def _read_ledger(copy: KeptLedger, below: tuple[Path, int, int] | None) -> int:
    anew = False
    try:
        copy.demand_copied()
        await copy.demand_whole()
        kept = Ledger(copy.tables)
    except (Misfit, SpoiltError) as why:
        await copy.anew(str(why))
        kept, anew = Ledger(copy.tables), True
        await _fill(copy, kept, NAMES)
    _flip(below)
    twice = [name for name in NAMES if kept.state.about(_send(name), invented.T).clearance is None]
    try:
        copy.demand_sound()
        if below is not None:
            await _fill(copy, kept, NAMES[:1])
    except RestartError:
        return NOTICED
    return WRONG if twice else ANEW if anew else KEPT


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.flips", description=__doc__)
    parser.add_argument("--places", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", choices=STORES, action="append", help="only this one")
    parser.add_argument("--near", default="", help="only at rows of this name")
    given, wrong = parser.parse_args(), 0
    for store in given.store or STORES:
        try:
            print(store, dict(flip(store, given.places, given.seed, given.near)), flush=True)
        except AssertionError as error:
            print(error, flush=True)
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
