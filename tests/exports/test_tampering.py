"""Exports, changed by hand, in ways that need no luck: none of them verifies."""

from __future__ import annotations

import base64
import gzip
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from gatekeeper.audit.tlog.notes import parse_vkey
from gatekeeper.audit.tlog.signing import checkpoint, cosignature, signed
from gatekeeper.audit.verify.export_check import verify
from schemas.codec import canonical
from tests.support.trails import GROUP, Trail, bytes_of, lines, signing_key

TRAIL = Trail(partitions=2, seed=19).write(8, 3)
STRANGER = signing_key(GROUP, seed=99)
SIZE = len(TRAIL.steps)
Change = Callable[[Path], object]
Trials = Iterator[tuple[str, Change]]
"""The name of each trial, and what it does to an export."""


def manifests(folder: Path, number: int = 0) -> Path:
    return folder / f"manifests/{number}.ndjson.gz"


def records(folder: Path, number: int = 0) -> Path:
    return folder / f"records/{number}.ndjson.gz"


def held(file: Path) -> list[bytes]:
    return gzip.decompress(file.read_bytes()).splitlines()


def edit(file: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    lines(file, change(held(file)))


def said(line: bytes) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(line)
    return found


def field(name: str, value: Any) -> Change:
    """Gives a field of the first manifest's line another value."""
    return lambda folder: edit(manifests(folder), lambda all_: [canonical({**said(all_[0]), name: value}), *all_[1:]])


def replaced(file: str, old: bytes, new: bytes) -> Change:
    def change(folder: Path) -> None:
        content = (folder / file).read_bytes()
        assert old in content
        (folder / file).write_bytes(content.replace(old, new, 1))

    return change


MINE = [step for step in TRAIL.steps if step.partition == 0]
RECORDS = [record for step in MINE for record in step.records]


def signatures() -> Trials:
    """Signatures of a manifest: none, cut, of another manifest, or by a key of another role."""
    step = MINE[0]
    for name, sig in (
        ("none", b""),
        ("cut", step.sig[:-1]),
        ("longer", step.sig + b"\0"),
        ("of another", MINE[-1].sig),
        ("by the log", TRAIL.log.sign(step.value)),
        ("by the witness", TRAIL.witness.sign(step.value)),
        ("by a stranger", STRANGER.sign(step.value)),
    ):
        yield name, field("sig", base64.b64encode(sig).decode())


def places() -> Trials:
    """The place of a manifest: another leaf, none in the middle, an offset that does not grow."""
    assert MINE[0].index is not None
    for index in (MINE[0].index + 1, MINE[0].index + 2, SIZE, -1, None, True):
        yield f"leaf {index}", field("index", index)
    for offset in (-1, 2**53, "0", 1.0):
        yield f"offset {offset}", field("offset", offset)


def same_words() -> Trials:
    """Records that say the same in other bytes."""
    spelled: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
        ("blank", lambda line: line.replace(b'":', b'": ', 1)),
        ("order", lambda line: orjson.dumps(dict(reversed(said(line).items())))),
        ("escape", lambda line: line.replace(b'"did"', b'"d\\u0069d"')),
        ("blank behind", lambda line: line + b" "),
        ("key twice", lambda line: line[:-1] + b',"v":1}'),
        ("float", lambda line: line.replace(b'"v":1}', b'"v":1.0}')),
        ("nothing", lambda line: b""),
        ("null", lambda line: b"null"),
    )
    for name, change in spelled:
        yield name, lambda folder, change=change: edit(records(folder), lambda all_: [change(all_[0]), *all_[1:]])


def order() -> Trials:
    """Whole lines: swapped, repeated, gone, or of the other partition."""
    files = (("manifests", manifests, len(MINE)), ("records", records, len(RECORDS)))
    for name, file, count in files:
        for at in (0, count // 2):
            yield f"{name} repeated {at}", lambda f, file=file, at=at: edit(file(f), lambda x: [*x[: at + 1], *x[at:]])
            yield f"{name} gone {at}", lambda f, file=file, at=at: edit(file(f), lambda x: x[:at] + x[at + 1 :])
        yield f"{name} backwards", lambda f, file=file: edit(file(f), lambda x: x[::-1])
        yield f"{name} none", lambda f, file=file: edit(file(f), lambda x: [])
        yield f"{name} joined", lambda f, file=file: edit(file(f), lambda x: [*x, *held(file(f, 1))])
        yield f"{name} exchanged", lambda f, file=file: exchange(file(f), file(f, 1))
        yield f"{name} blank line", lambda f, file=file: edit(file(f), lambda x: [x[0], b"", *x[1:]])

    def both(folder: Path) -> None:
        exchange(manifests(folder), manifests(folder, 1))
        exchange(records(folder), records(folder, 1))

    yield "manifests and records exchanged", both


def exchange(one: Path, other: Path) -> None:
    aside = one.with_suffix(".aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def containers() -> Trials:
    """The compressed files themselves: plain text, an empty one, garbage behind it, a folder in its place."""
    for name, file in (("manifests", manifests), ("records", records)):
        yield f"{name} plain", lambda f, file=file: file(f).write_bytes(b"\n".join(held(file(f))))
        yield f"{name} empty", lambda f, file=file: file(f).write_bytes(b"")
        yield f"{name} garbage behind", lambda f, file=file: file(f).write_bytes(file(f).read_bytes() + b"garbage")
        yield f"{name} no checksum", lambda f, file=file: file(f).write_bytes(file(f).read_bytes()[:-8])
        yield f"{name} of no use", lambda f, file=file: file(f).write_bytes(b"\x1f\x8b" + bytes(30))
        yield f"{name} gone", lambda f, file=file: file(f).unlink()


def notes() -> Trials:
    """The checkpoint: another size, root, name or form, signed by nobody, or by others than log and witness."""
    note = TRAIL_FILES["log/checkpoint"].decode()
    body, _, signatures_ = note.partition("\n\n")
    name, size, root = body.split("\n")
    by_log, by_witness = signatures_.splitlines(keepends=True)
    bare = checkpoint(GROUP, SIZE, base64.b64decode(root))
    other_root = checkpoint(GROUP, SIZE, bytes(32))
    found = {
        "one leaf less": note.replace(f"\n{size}\n", f"\n{SIZE - 1}\n"),
        "zero before": note.replace(f"\n{size}\n", f"\n0{size}\n"),
        "another name": note.replace(f"{name}\n", "trial.gatekeeper\n", 1),
        "another root": note.replace(root, base64.b64encode(bytes(32)).decode()),
        "a line more": note.replace("\n\n", "\nextension\n\n", 1),
        "no signature": f"{body}\n\n",
        "the log alone": f"{body}\n\n{by_log}",
        "a stranger for the log": signed(bare, STRANGER) + by_witness,
        "a stranger for the witness": f"{body}\n\n{by_log}"
        + cosignature(bare, signing_key(f"{GROUP}/witness", seed=7), time=1),
        "the worker for the log": signed(bare, TRAIL.worker) + by_witness,
        "cosigned with another root": f"{body}\n\n{by_log}" + cosignature(other_root, TRAIL.witness, time=1),
        "another root, log's key": signed(other_root, TRAIL.log) + by_witness,
        "another root, both keys": signed(other_root, TRAIL.log) + cosignature(other_root, TRAIL.witness, time=1),
        "cut": note[: len(note) // 2],
    }
    for trial, text in found.items():
        assert text != note, trial
        yield trial, lambda folder, text=text: (folder / "log/checkpoint").write_bytes(text.encode())


def leaves() -> Trials:
    """The log's tiles: leaves swapped, repeated, shorter, longer, or exchanged for hashes that are none of them."""
    entries, hashes = (
        next(name for name in TRAIL_FILES if name.startswith(f"log/tile/{at}/")) for at in ("entries", "0")
    )
    raw, tile = TRAIL_FILES[entries], TRAIL_FILES[hashes]
    framed = [len(step.value).to_bytes(2, "big") + step.value for step in TRAIL.steps]
    assert b"".join(framed) == raw
    found = {
        "first two swapped": (entries, b"".join([framed[1], framed[0], *framed[2:]])),
        "one repeated": (entries, b"".join([framed[0], *framed[:-1]])),
        "one more": (entries, raw + framed[0]),
        "one less": (entries, b"".join(framed[:-1])),
        "hashes swapped": (hashes, tile[32:64] + tile[:32] + tile[64:]),
        "hash of nothing": (hashes, bytes(32) + tile[32:]),
        "hash more": (hashes, tile + tile[:32]),
    }
    for trial, (file, content) in found.items():
        yield trial, lambda folder, file=file, content=content: (folder / file).write_bytes(content)
    for file in (entries, hashes):
        yield f"{file} gone", lambda folder, file=file: (folder / file).unlink()


def public_keys() -> Trials:
    """The keys that came with the export: gone, exchanged, of others, or no keys."""
    for name in ("worker-1", "log-1"):
        file = f"keys/{name}.pub"
        yield f"{name} gone", lambda folder, file=file: (folder / file).unlink()
        yield f"{name} empty", lambda folder, file=file: (folder / file).write_bytes(b"")
        yield f"{name} stranger", lambda folder, file=file: (folder / file).write_text(f"{STRANGER.verifier}\n")
        yield f"{name} cut", lambda folder, file=file: (folder / file).write_bytes(TRAIL_FILES[file][:-6])
        yield f"{name} name", replaced(file, GROUP.encode(), b"trial.gatekeeper")
    yield "exchanged", lambda folder: exchange(folder / "keys/worker-1.pub", folder / "keys/log-1.pub")


def statements() -> Trials:
    """False statements of export.json: fewer partitions, a shorter time, another system, or nonsense."""
    for name, value in (
        ("partitions", 1), ("partitions", 0), ("partitions", True), ("partitions", 2**31), ("partitions", 3), ("v", 3),
        ("v", True), ("group", "trial.gatekeeper"), ("group", None), ("from", "2027"), ("from", 7),
        ("to", "2020-01-01T00:00:00.000Z"), ("from", "2099-01-01T00:00:00.000Z"), ("to", "2026-11-24T09:00:00Z"),
    ):  # fmt: skip

        def change(folder: Path, name: str = name, value: Any = value) -> None:
            file = folder / "export.json"
            file.write_bytes(canonical({**said(file.read_bytes()), name: value}))

        yield f"{name} {value}", change
    yield "no object", lambda folder: (folder / "export.json").write_bytes(b"[]")
    yield "key twice", replaced("export.json", b"{", b'{"v":1,')


def named_by_hash() -> Trials:
    """Policies and reference data under the name of other bytes."""
    for kind in ("policies", "reference"):
        one, other = [name for name in TRAIL_FILES if name.startswith(f"{kind}/")][:2]
        yield f"{kind} exchanged", lambda f, one=one, other=other: exchange(f / one, f / other)
        yield f"{kind} copied", lambda f, one=one, other=other: shutil.copy(f / one, f / other)
        yield f"{kind} empty", lambda f, one=one: (f / one).write_bytes(b"")
        yield f"{kind} longer", lambda f, one=one: (f / one).write_bytes(TRAIL_FILES[one] + b"\n")


CLASSES = (
    *(signatures, places, same_words, order, containers, notes),
    *(leaves, public_keys, statements, named_by_hash),
)
TRAIL_FILES: dict[str, bytes] = {}


@pytest.fixture(scope="module", autouse=True)
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export that verifies."""
    folder = TRAIL.export(tmp_path_factory.mktemp("whole") / "export")
    TRAIL_FILES.update(bytes_of(folder))
    assert verify(folder, witness=parse_vkey(TRAIL.witness.verifier)).exit_code == 0
    return folder


@pytest.mark.parametrize("trials", CLASSES, ids=lambda trials: trials.__name__)
def test_changed_by_hand_then_it_does_not_verify(whole: Path, tmp_path: Path, trials: Callable[[], Trials]) -> None:
    witness, unseen = parse_vkey(TRAIL.witness.verifier), {}
    for number, (name, change) in enumerate(trials()):
        folder = tmp_path / str(number)
        shutil.copytree(whole, folder)
        change(folder)
        report = verify(folder, witness=witness)
        if report.exit_code not in ({1} if trials is named_by_hash else {1, 4}) or not report.findings:
            unseen[name] = report.exit_code, [one.code for one in report.findings]
        assert not any(code == "witnessed" for code, _ in report.says) or report.exit_code != 1, name
        shutil.rmtree(folder)
    assert unseen == {}
