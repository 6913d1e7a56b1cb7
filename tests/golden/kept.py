"""What each version of the rules decided, kept for good: a folder of records for each, and a lock on the one in force.

`python -m tests.golden.kept --write` writes the folder and the lock of a new version, and locks new golden cases. It
changes nothing that is there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from string import Formatter
from typing import Any

import orjson

from gatekeeper.audit.records.releases import RULES
from gatekeeper.deciding.decide import Decision
from gatekeeper.policy.reasons import CATALOGUE
from gatekeeper.texts import catalogue
from schemas.codec import canonical
from tests.golden import crowd, table
from tests.records import Named, of_every_kind

GOLDEN = Path(__file__).parent
LOCK = GOLDEN / "decisions.json"
DIGESTS: dict[int, str] = {
    3: "527b000e39f3c49dafc352b6c1a46d9f45f8219963319ece969e00d7eff9a2d0",
    4: "b0245c986721f4984edad5d4317e19d9dbe7fcaa2d19f3f64b99f0353ab71c0c",
    5: "e779efcda67a54041dcca903376d800b92bd711dc8207311591ec1a999c688a3",
}
"""SHA-256 over each folder, which never changes again."""
SEED, PEOPLE, GROUP = 5, 20_000, 1_000
HOW = """\
A rule that changed needs a new number: add it to RELEASES in gatekeeper/audit/records/releases.py, then run
`python -m tests.golden.kept --write`. If no rule changed, put the golden cases, tests/world.py and
tests/golden/crowd.py back as they were, and give a changed case a name of its own."""


def folder(rules: int) -> Path:
    """Returns where the records of a version of the rules are kept."""
    return GOLDEN / f"rules-{rules}"


def versions() -> list[int]:
    """Returns the versions that have a folder, oldest first."""
    return sorted(int(path.name.removeprefix("rules-")) for path in GOLDEN.glob("rules-*"))


def digest(path: Path) -> str:
    """Returns the SHA-256 over the names and contents of a folder's files."""
    contents = {file.name: sha256(file.read_bytes()).hexdigest() for file in path.iterdir()}
    return sha256(canonical(contents)).hexdigest()


def fixture(rules: int) -> tuple[list[bytes], Named]:
    """Returns the records that a version of the rules decided, and what they name by hash."""
    found = Named((folder(rules) / "reference.ndjson").read_bytes().splitlines())
    texts = [file.read_bytes() for file in folder(rules).glob("*.toml")]
    found.policies = {sha256(text).hexdigest(): text for text in texts}
    return (folder(rules) / "records.ndjson").read_bytes().splitlines(), found


def explained() -> dict[str, Any]:
    """Returns how reasons are explained now: the clause of each, and what each sentence fills in."""
    sentences = {key.removeprefix("reason."): both for key, both in catalogue().items() if key.startswith("reason.")}
    return {
        "clauses": {code: kind.clause for code, kind in CATALOGUE.items()},
        "sentences": {key: sorted(set().union(*map(filled, both.values()))) for key, both in sentences.items()},
    }


def filled(sentence: str) -> set[str]:
    """Returns the names of the values that a sentence fills in."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def lock() -> dict[str, Any]:
    """Returns a digest of what is decided now of each golden case, and of each group of the people."""
    decided = crowd.decisions(SEED, PEOPLE)
    groups = (digest_of(next(decided) for _ in range(GROUP)) for _ in range(PEOPLE // GROUP))
    people = {f"people {number * GROUP:,} to {(number + 1) * GROUP - 1:,}": one for number, one in enumerate(groups)}
    cases = {name: digest_of([table.decided(case)]) for name, case in table.CASES.items()}
    return {"rules": RULES, "decisions": {**cases, **people}}


def changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Returns what is decided otherwise than it was locked, or no more, by the names of cases and groups."""
    return [name for name, one in before["decisions"].items() if now["decisions"].get(name) != one]


def digest_of(decisions: Iterable[Decision]) -> str:
    """Returns a digest of decisions, as far as an audit record holds them."""
    found = sha256()
    for one in decisions:
        reasons = [(reason.code, reason.facts, dict(reason.says)) for reason in one.reasons]
        said = (one.verdict, reasons, one.notes, one.obligations, one.basis, one.policy.name)
        found.update(orjson.dumps(said, option=orjson.OPT_SORT_KEYS) + b"\n")
    return found.hexdigest()[:16]


def _write() -> Iterator[str]:
    """Yields what was written, or what stands in the way."""
    now, before = lock(), json.loads(LOCK.read_text("utf-8")) if LOCK.exists() else None
    if before and before["rules"] == RULES and (otherwise := changed(before, now)):
        yield f"Nothing is written, as version {RULES} decides otherwise: {', '.join(otherwise)}\n{HOW}"
        return
    if not folder(RULES).exists():
        _write_folder(folder(RULES))
        yield f"Written: {folder(RULES)}. Add to DIGESTS in {__file__}:\n    {RULES}: {digest(folder(RULES))!r},"
    LOCK.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n", "utf-8")
    yield f"Written: {LOCK}, {len(now['decisions'])} digests of version {RULES}."


def _write_folder(path: Path) -> None:
    values, found = of_every_kind()
    path.mkdir()
    (path / "records.ndjson").write_bytes(b"".join(value + b"\n" for value in values))
    maps = (b'{"', b"{}")
    used = [value for value in found.references.values() if b'"kind"' in value or not value.startswith(maps)]
    (path / "reference.ndjson").write_bytes(b"".join(value + b"\n" for value in used))
    for policy in {value["sha256"]: value for value in (orjson.loads(value)["policy"] for value in values)}.values():
        (path / f"{policy['id']}-{policy['version']}.toml").write_bytes(found.policies[policy["sha256"]])
    (path / "reasons.json").write_text(json.dumps(explained(), indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    for line in _write():
        print(line)
