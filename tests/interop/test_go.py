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


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built of the modules that go.sum names."""
    program = tmp_path_factory.mktemp("go") / "verifier"
    subprocess.run(["go", "build", "-mod=readonly", "-o", program, "."], cwd=Path(__file__).parent, check=True)
    return program


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    found = Keys(tmp_path / "keys")
    found.make("log", "gate.example")
    found.make("witness", "gate.example/witness")
    return found


def judged(verifier: Path, folder: Path, keys: Keys) -> tuple[int, str]:
    public = [keys.verifiers(role)[0] for role in ("log", "witness")]
    done = subprocess.run([verifier, folder, *public], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 1_000, 65_537])
def test_a_log_sealed_in_steps_then_go_accepts_its_signatures_and_refuses_a_change(
    verifier: Path, keys: Keys, tmp_path: Path, size: int
) -> None:
    files = AtomicStore(tmp_path / "log")
    log = LogWriter(files, signer=lambda: keys.signer("log"), verifiers=keys.public("log"))
    for number in range(size):
        log.append(b"manifest %d" % number)
        if number % 7_000 == 99:
            log.seal(b"")
    log.seal(b"")
    witness = Witness(
        files, AtomicStore(tmp_path / "seen"), signer=keys.signer("witness"), verifiers=keys.public("log")
    )
    assert witness.look(now=1_750_000_000, first=True)
    (name,) = files.names("witness")
    assert log.cosign(files.read(f"witness/{name}") or b"", keys.public("witness"))
    assert judged(verifier, tmp_path / "log", keys) == (0, f"accepted: {size} leaves, 2 signatures\n")
    if size:
        entries = next(file for file in (tmp_path / "log/tile/entries").rglob("*") if file.is_file())
        entries.write_bytes(entries.read_bytes()[:-1] + b"!")
        code, said = judged(verifier, tmp_path / "log", keys)
        assert code == 1
        assert "refused: leaf" in said
