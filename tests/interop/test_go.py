"""Go's own transparency-log code accepts the sealed log, and refuses one that was changed. On demand: it needs Go."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gatekeeper.audit.log.witness import Witness
from gatekeeper.audit.log.writer import LogWriter
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.keys import Keys

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="there is no Go here")


def judged(verifier: Path, folder: Path, keys: Keys) -> tuple[int, str]:
    public = [keys.verifiers(role)[0] for role in ("log", "witness")]
    done = subprocess.run([verifier, folder, *public], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_logs_sealed_in_steps_then_go_accepts_their_signatures_and_refuses_a_change(tmp_path: Path) -> None:
    verifier, keys = tmp_path / "verifier", Keys(tmp_path / "keys")
    # one test, so that Go compiles once, of the modules that go.sum names
    subprocess.run(["go", "build", "-mod=readonly", "-o", verifier, "."], cwd=Path(__file__).parent, check=True)
    keys.make("log", "gate.example")
    keys.make("witness", "gate.example/witness")
    for size in (0, 1, 255, 256, 257, 1_000, 65_537):
        folder = tmp_path / str(size)
        files = AtomicStore(folder)
        log = LogWriter(files, signer=lambda: keys.signer("log"), verifiers=keys.public("log"))
        for number in range(size):
            log.append(b"manifest %d" % number)
            if number % 7_000 == 99:
                log.seal(b"")
        log.seal(b"")
        seen = AtomicStore(tmp_path / f"seen-{size}")
        witness = Witness(files, seen, signer=keys.signer("witness"), verifiers=keys.public("log"))
        assert witness.look(now=1_750_000_000, first=True)
        (name,) = files.names("witness")
        assert log.cosign(files.read(f"witness/{name}") or b"", keys.public("witness"))
        assert judged(verifier, folder, keys) == (0, f"accepted: {size} leaves, 2 signatures\n")
        if size:
            entries = next(file for file in (folder / "tile/entries").rglob("*") if file.is_file())
            entries.write_bytes(entries.read_bytes()[:-1] + b"!")
            code, said = judged(verifier, folder, keys)
            assert (code, "refused: leaf" in said) == (1, True)
