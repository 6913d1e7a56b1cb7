"""Believable exports without Kafka: real decisions of invented people, signed manifests, a log sealed and witnessed."""

from __future__ import annotations

import base64
import gzip
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatekeeper.audit.export.bundle import bundle
from gatekeeper.audit.export.export_in_progress import LEVEL
from gatekeeper.audit.log.writer import LogWriter
from gatekeeper.audit.records.pseudonym import Subjects
from gatekeeper.audit.tlog.notes import parse_vkey
from gatekeeper.audit.tlog.signing import cosignature
from gatekeeper.audit.verify.act_signatures import STAFF
from gatekeeper.engine.act import ActRecord
from gatekeeper.engine.acts import handling
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.manifest import Taken, manifest
from gatekeeper.engine.recalls import weighed
from gatekeeper.engine.sends import Judge
from gatekeeper.ground.signing_key import COSIGNATURE, ED25519, SigningKey
from gatekeeper.ground.times import instant
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger.state import LedgerState
from gatekeeper.policy.packs import load, shipped, shipped_text
from schemas.codec import canonical
from schemas.manifests import Skipped
from schemas.record import Record
from tests.support import invented, staff
from tests.support.facts import fact

GROUP = "mail.gatekeeper"
SENDS, ACTS = "mail.sends.v1", "mail.acts.v1"
PACKS = load("jp-pmark")


def signing_key(name: str, *, kind: bytes = ED25519, seed: int = 0) -> SigningKey:
    """Returns the same key for the same name and seed."""
    return SigningKey(name, kind, Ed25519PrivateKey.from_private_bytes(sha256(f"{name}/{seed}".encode()).digest()))


@dataclass(frozen=True)
class Step:
    """One transaction: where its manifest stands, the two values, and the leaf that it is in the sealed log."""

    partition: int
    offset: int
    value: bytes
    sig: bytes
    records: tuple[bytes, ...]
    index: int | None = None


@dataclass
class Trail:
    """The manifests of a system, in the order in which the sealer took them; `write` adds some."""

    partitions: int = 3
    seed: int = 0
    witnessed_at: int = 1_795_483_000
    acting: float = 0.3
    """The share of transactions with a withdrawal, and of those with a hand-off."""
    apart: tuple[int, int] = (1_000, 60_000)
    """Milliseconds between two transactions of a partition: at least the first number, less than the second."""
    judged_as: Callable[[Judged], Judged] | None = None
    """Changes a decision before it is written; None writes it as it is."""
    group: str = GROUP
    """The consumer group of the system whose keys sign."""
    steps: list[Step] = field(default_factory=list)
    worker: SigningKey = field(init=False)
    log: SigningKey = field(init=False)
    witness: SigningKey = field(init=False)

    def __post_init__(self) -> None:
        self.worker = signing_key(f"{self.group}/worker", seed=self.seed)
        self.log = signing_key(self.group, seed=self.seed)
        self.witness = signing_key(f"{self.group}/witness", kind=COSIGNATURE, seed=self.seed)
        self._first: tuple[int, int] | None = None
        self._desks: _Desks | None = None

    def write(self, count: int, size: int = 6) -> Trail:
        """Lets each transaction take about `size` sends, on partitions in any order."""
        if self._first or self._desks:
            self.steps += self._going_on().write(count, size)
        else:
            self._first = count, size
            self.steps += _first_steps(self._kind, (count, size))
        return self

    def resume(self, partition: int, *, skipped: Mapping[str, int], recorded: bool = True, **wrong: Any) -> Trail:
        """Lets a person skip so many offsets of inputs of a refused partition.

        `recorded`: whether the act had its turn already.
        `wrong`: what the act's record says otherwise than the manifest.
        """
        self.steps += self._going_on().resume(partition, skipped, recorded=recorded, wrong=wrong)
        return self

    def set_clock(self, partition: int, at: int) -> None:
        """Lets a partition's next transaction come after this instant, in milliseconds."""
        self._going_on().desks[partition].at = at

    @property
    def _kind(self) -> _Kind:
        return _Kind(self.partitions, self.seed, self.acting, self.apart, self.judged_as, self.group)

    def _going_on(self) -> _Desks:
        """Returns the desks as they are after the steps so far, from which more can come."""
        if self._desks is None:
            self._desks = _Desks(self._kind, self._first)
        return self._desks

    def export(self, folder: Path, *, sealed: int | None = None, witnessed: bool = True, **about: Any) -> Path:
        """Writes the folder of an export; `sealed`: only so many steps are leaves of the log, None = all."""
        for name in ("records", "manifests", "log", "keys", "policies", "reference", "schemas"):
            (folder / name).mkdir(parents=True)
        size = len(self.steps) if sealed is None else sealed
        self.put(folder, [replace(step, index=step.index if (step.index or 0) < size else None) for step in self.steps])
        said = {"v": 1, "made": instant(invented.T), "group": self.group, "partitions": self.partitions}
        (folder / "export.json").write_bytes(canonical({**said, "from": None, "to": None, **about}))
        if size:
            witness = self.witness if witnessed else None
            seal([step.value for step in self.steps[:size]], folder / "log", self.log, witness, at=self.witnessed_at)
        for name, signer in (("worker-1", self.worker), ("log-1", self.log), ("witness-1", self.witness)):
            (folder / "keys" / f"{name}.pub").write_text(f"{signer.verifier}\n", "ascii")
        for policy in (one for versions in shipped().values() for one in versions):
            (folder / "policies" / f"{policy.sha256}.toml").write_text(shipped_text(policy), "utf-8")
        for digest, data in _reference().items():
            (folder / "reference" / f"{digest}.json").write_bytes(data)
        (folder / STAFF).write_bytes(exported_people(self.group))
        for name in ("audit", "manifest"):
            (folder / "schemas" / f"{name}.json").write_bytes(b"{}")
        (folder / "verify.py").write_text(bundle(), "utf-8")
        return folder

    def put(self, folder: Path, steps: Sequence[Step]) -> None:
        """Writes the manifests and records of these steps, in the order given."""
        for partition in range(self.partitions):
            ours = [step for step in steps if step.partition == partition]
            lines(folder / "manifests" / f"{partition}.ndjson.gz", [manifest_line(step) for step in ours])
            lines(folder / "records" / f"{partition}.ndjson.gz", [one for step in ours for one in step.records])


@cache
def _reference() -> dict[str, bytes]:
    """Returns what records of invented sends may name of reference data, by SHA-256."""
    return invented.by_digest(orjson.dumps(value) for _, value in invented.REFERENCE)


@cache
def exported_people(group: str) -> bytes:
    """The people of a system, as an export holds them; they stand from the instant of the first transaction on."""
    ids = (f"F-{number}" for number in count())
    founders = staff.founding(at=instant(invented.T), origin=group, ids=ids)
    return b"".join(canonical(one.plain) + b"\n" for one in staff.person_lines(arrived=invented.T, lines=founders))


def alone(folder: Path, *arguments: str, script: Path) -> subprocess.CompletedProcess[str]:
    """Runs a copy of verify.py with the standard library and `cryptography`, and nothing else of this machine's.

    `folder`: where that little environment is made.
    """
    lib = folder / "lib"
    if not lib.exists():
        lib.mkdir(parents=True)
        for name in ("cryptography", "_cffi_backend"):
            origin = Path(str(find_spec(name).origin))  # type: ignore[union-attr]
            origin = origin.parent if origin.name == "__init__.py" else origin
            (lib / origin.name).symlink_to(origin)
    run = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    command = [sys.executable, "-I", "-S", "-c", run, str(lib), str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={"LANG": "C.UTF-8"})


def manifest_line(step: Step) -> bytes:
    """Returns a step's manifest as an export holds it."""
    sig = base64.b64encode(step.sig).decode()
    return canonical({"index": step.index, "offset": step.offset, "sig": sig, "value": step.value.decode()})


def by_day(folder: Path, random: Random) -> Path:
    """Makes an export of version 1 one of version 2: each of its files is cut somewhere, with as many lines behind."""
    about = orjson.loads((folder / "export.json").read_bytes())
    (folder / "export.json").write_bytes(canonical({**about, "v": 2}))
    days = [f"days/2026-11-{day}" for day in (21, 22, 24)] + ["unfinished"]
    for kind in ("manifests", "records"):
        for number in range(about["partitions"]):
            held = gzip.decompress((folder / kind / f"{number}.ndjson.gz").read_bytes()).splitlines()
            cuts = sorted(random.randrange(len(held) + 1) for _ in days[1:])
            for day, start, end in zip(days, [0, *cuts], [*cuts, len(held)], strict=True):
                (folder / day / str(number)).mkdir(parents=True, exist_ok=True)
                lines(folder / day / str(number) / f"{kind}.ndjson.gz", held[start:end])
        shutil.rmtree(folder / kind)
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Returns the bytes of each file in a folder, by its name there."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def lines(file: Path, values: Sequence[bytes]) -> None:
    """Writes values one a line, compressed."""
    file.write_bytes(gzip.compress(b"".join(value + b"\n" for value in values), LEVEL, mtime=0))


def seal(leaves: Sequence[bytes], folder: Path, log: SigningKey, witness: SigningKey | None, *, at: int) -> None:
    """Writes a log of these leaves with its checkpoint, cosigned at that second if there is a witness."""
    files = _Files()
    sealed = LogWriter(files, signer=lambda: log, verifiers=[parse_vkey(log.verifier)])
    for leaf in leaves:
        sealed.append(leaf)
    text = sealed.seal(b"").note.body
    line = cosignature(text, witness, time=at) if witness else ""
    files.write("checkpoint", files.found["checkpoint"] + line.encode())
    for name, content in files.found.items():
        if not name.startswith("state/"):
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


class _Files:
    """The files of a log in memory."""

    def __init__(self) -> None:
        self.found: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        return self.found.get(name)

    foreign = read

    def names(self, folder: str) -> list[str]:
        return [name.removeprefix(f"{folder}/") for name in self.found if name.startswith(f"{folder}/")]

    def write(self, name: str, content: bytes) -> None:
        self.found[name] = content

    publish = write

    def remove(self, name: str) -> None:
        self.found.pop(name, None)


class _Kind(NamedTuple):
    """The arguments on which the steps of a trail depend."""

    partitions: int
    seed: int
    acting: float
    apart: tuple[int, int]
    judged_as: Callable[[Judged], Judged] | None
    group: str


class _Desks:
    """The partitions of a trail: each call goes on from the one before and returns its steps."""

    def __init__(self, kind: _Kind, first: tuple[int, int] | None) -> None:
        self._worker, self._random = signing_key(f"{kind.group}/worker", seed=kind.seed), Random(kind.seed)
        self._judged_as, self._count, salts = kind.judged_as, 0, count()
        subjects = Subjects(
            {1: invented.KEY}, lambda size: sha256(f"{kind.seed}/{first}/{next(salts)}".encode()).digest()[:size]
        )
        judge = Judge(PACKS, 8, tokens=invented.TOKENS, subjects=subjects, judge_misplaced=True)
        self.desks = [_Desk(number, judge, self._random, kind) for number in range(kind.partitions)]
        self.first = self.write(*first) if first else []

    def write(self, steps: int, size: int) -> list[Step]:
        desks = (self._random.choice(self.desks) for _ in range(steps))
        return [self._put(desk, *desk.transaction(size)) for desk in desks]

    def resume(
        self, partition: int, skipped: Mapping[str, int], *, recorded: bool, wrong: Mapping[str, Any]
    ) -> list[Step]:
        desk = self.desks[partition]
        taken = [Taken(SENDS, desk.next_send, desk.next_send, 0)]
        act, said = desk.skip(**skipped)
        steps = [self._put(desk, taken, [], said)]
        return [*steps, self._put(desk, *desk.resumed({**act, **wrong}))] if recorded else steps

    def _put(
        self, desk: _Desk, taken: Sequence[Taken], judged: Sequence[Judged], skipped: Sequence[Skipped] = ()
    ) -> Step:
        if self._judged_as is not None:
            judged = [self._judged_as(one) for one in judged]
        value = manifest(
            writer="worker-0",
            kid=self._worker.kid,
            partition=desk.number,
            taken=taken,
            judged=judged,
            dead_facts=0,
            as_of={"sources": [7], "reference": [3]},
            prev=desk.prev,
            policy=PACKS.at(desk.at),
            t0=desk.at,
            t1=desk.at + 5,
            skipped=skipped,
        )
        desk.prev = sha256(value).hexdigest()
        records = tuple(one.audit for one in judged)
        step = Step(desk.number, desk.offset, value, self._worker.sign(value), records, index=self._count)
        desk.offset += 2  # a marker ends each transaction
        self._count += 1
        return step


@cache
def _first_steps(kind: _Kind, first: tuple[int, int]) -> tuple[Step, ...]:
    """Returns the steps with which a trail begins: many tests begin with the same."""
    return tuple(_Desks(kind, first).first)


class _Desk:
    """One partition: invented people of every kind, sends to them, a withdrawal, a hand-off."""

    def __init__(self, number: int, judge: Judge, random: Random, kind: _Kind) -> None:
        self.number, self._judge, self._random, self._origin = number, judge, random, kind.group
        self._acting, self._apart = kind.acting, kind.apart
        self.at, self.offset = invented.T, 0
        self.prev: str | None = None
        self._sends, self._acts, self._count = 100 * number, 10, 0
        self.store: FactStore = invented.store()
        staff.stand(self.store.log, at=invented.T, origin=kind.group)
        self.state = LedgerState()

    def transaction(self, size: int) -> tuple[list[Taken], list[Judged]]:
        """Returns what one transaction takes, and what becomes of it."""
        self.at += self._random.randrange(*self._apart)
        judged: list[Judged] = []
        if self._count and self._random.random() < self._acting:
            person = f"P-{self.number}-{self._random.randrange(self._count)}"
            topic, value = invented.suppression(suppression_id=f"X-{self._count}", recipient_id=person)
            assert self.store.apply(fact(topic, 1, self._count, None, orjson.dumps(value))) is None
            for clearance in list(self.state.clearances(self.at, person)):
                if one := weighed(self._now, clearance):
                    self._remember(judged, one)
        start, n = self._sends, self._random.randrange(size // 2, 2 * size)
        gaps = []
        for _ in range(n):
            if self._random.random() < 0.1:
                gaps.append((self._sends, 2))
                self._sends += 2
            self._remember(judged, self._judge.judge(self._send(), self.store, self.at, ledger=self.state))
        taken = [Taken(SENDS, start, self._sends, n, gaps)]
        if self._random.random() < self._acting:
            self._handoff(judged)
            taken.append(Taken(ACTS, self._acts - 1, self._acts, 1))
        return taken, judged

    @property
    def next_send(self) -> int:
        """The next offset of `sends`."""
        return self._sends

    def skip(self, sends: int = 0, acts: int = 0) -> tuple[dict[str, Any], list[Skipped]]:
        """Passes over so many offsets; returns the act that asks for it, and what the manifest says of it."""
        at = {SENDS: self._sends, ACTS: self._acts}
        self._sends, self._acts = self._sends + sends, self._acts + acts
        act = {"v": 1, "kind": "resume_partition", "act_id": f"X-{self._acts}", "by": "taro", "at": instant(self.at)}
        act |= {"subject": f"partition/{self.number}", "reason": "looked", "refused": "error.sends_expired"}
        act |= {"sends": self._sends, "acts": self._acts}
        said = {"act": act["act_id"], "by": "taro", "refused": act["refused"], "offset": self._acts}
        to = {SENDS: self._sends, ACTS: self._acts}
        return act, [
            Skipped.model_validate({"topic": name, "from": start, "to": to[name], **said})
            for name, start in at.items()
            if start != to[name]
        ]

    def resumed(self, act: dict[str, Any]) -> tuple[list[Taken], list[Judged]]:
        """Returns what a transaction takes and judges in which that act has its turn."""
        self.at += 1_000
        judged: list[Judged] = []
        record = Record(ACTS, self.number, self._acts, self.at, None, canonical(act))
        self._handle(judged, record)
        self._acts += 1
        return [Taken(SENDS, self._sends, self._sends, 0), Taken(ACTS, self._acts - 1, self._acts, 1)], judged

    @property
    def _now(self) -> Moment:
        return Moment(self._judge, self.store, self.state, self.at)

    def _remember(self, judged: list[Judged], one: Judged) -> None:
        judged.append(one)
        for entry in one.entries:
            self.state.put(entry)

    def _send(self) -> Record:
        number, kind = self._count, self._random.randrange(6)
        self._count += 1
        person = f"P-{self.number}-{number}"
        facts = [invented.source(source_id=f"S-{number}", recipient_id=person, may_be_minor=kind == 1 or None)]
        if kind > 2:
            facts.append(invented.consent(record_id=f"R-{number}", recipient_id=person))
        for place, (topic, value) in enumerate(facts):
            assert self.store.apply(fact(topic, 0, 10 * number + place, None, orjson.dumps(value))) is None
        value = orjson.dumps(invented.send(event_id=f"E-{number}", recipient_id=person))
        if kind == 2 and number % 2:
            value = b'{"v":1}'
        self._sends += 1
        return Record(SENDS, self.number, self._sends - 1, self.at, None, value)

    def _handoff(self, judged: list[Judged]) -> None:
        act = {"v": 1, "kind": "handoff", "act_id": f"A-{self.number}-{self._acts}", "by": "hanako"}
        value = orjson.dumps({**act, "subject": "campaign/K-1", "at": instant(self.at), "channel": "postal"})
        self._handle(judged, Record(ACTS, self.number, self._acts, self.at, None, value))
        self._acts += 1

    def _handle(self, judged: list[Judged], record: Record) -> None:
        made = staff.signature(record.value, at=staff.instant(record.timestamp), origin=self._origin)
        found = handling(ActRecord.of(replace(record, headers=made)))
        while not found.done:
            for one in found.step(self._now, [], 1_000):
                self._remember(judged, one)
