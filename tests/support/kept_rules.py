"""The decisions of each version of the rules, kept for good, as a folder of records and of digests of decisions.

`python -m tests.support.kept_rules --write` writes the folder of a new version, or one more file with the digests of
new golden cases. It changes nothing that is there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from string import Formatter
from typing import Any

import orjson

from gatekeeper.audit.records.releases import RULES
from gatekeeper.deciding.decide import Decision
from gatekeeper.deciding.facts import HeldRelease
from gatekeeper.deciding.release import refusal
from gatekeeper.ground.texts import catalogue
from gatekeeper.policy.packs import load
from gatekeeper.policy.reasons import CATALOGUE, Found
from schemas.codec import canonical
from tests.support import crowd, golden_cases, invented
from tests.support.records import Named, of_every_kind

GOLDEN = Path(__file__).parents[1] / "golden"
DECISIONS, ADDED = "decisions.json", "added-*.json"
"""In the folder of a version: digests of its decisions, and of the golden cases that were added since."""
DIGESTS: dict[str, str] = {
    "rules-3": "527b000e39f3c49dafc352b6c1a46d9f45f8219963319ece969e00d7eff9a2d0",
    "rules-4": "b0245c986721f4984edad5d4317e19d9dbe7fcaa2d19f3f64b99f0353ab71c0c",
    "rules-5": "e6c951a645417c6cb3d8e176da142137f84d68272e90cac7ff36cfce6831fd6e",
    "rules-5/added-001.json": "104352486d9de477232e8381c68636f92da78922fbc4705f5f93e0f1e326daf3",
    "rules-6": "058b41388f422127a2ef6ba0ad8614ccea93f0bf4010633a43db13dba0333600",
    "rules-6/added-001.json": "974977504f79b4ef3c88bd35eb7a32f8242cc845c0622ca6c7ef65585dac60d0",
    "rules-7": "a3712962e4493608c33c7e2f2274f54c56a5d4b394ab8d4cfa6933a6990fe2df",
}
"""SHA-256 over each folder as it was first written, and over each file that was added.

No line changes or goes once the first release with its rules is out.
"""
SEED, PEOPLE, GROUP = 5, 8_000, 1_000
HOW = """\
A rule that changed needs a new number: add it to RELEASES in gatekeeper/audit/records/releases.py, then run
`python -m tests.support.kept_rules --write`. If the release with this number is not out yet, delete its folder and its
line in DIGESTS instead, and write both anew. If no rule changed, put the golden cases, tests/support/invented.py and
tests/support/crowd.py back as they were, and give a changed case a name of its own."""


def folder(rules: int) -> Path:
    """Returns where the records of a version of the rules are kept."""
    return GOLDEN / f"rules-{rules}"


def versions() -> list[int]:
    """Returns the versions that have a folder, oldest first."""
    return sorted(int(path.name.removeprefix("rules-")) for path in GOLDEN.glob("rules-*"))


def digest(path: Path) -> str:
    """Returns the SHA-256 over the names and contents of a folder's files, those that were added left out."""
    contents = {file.name: sha256(file.read_bytes()).hexdigest() for file in path.iterdir() if not file.match(ADDED)}
    return sha256(canonical(contents)).hexdigest()


def digests() -> dict[str, str]:
    """Returns the digests of all that is kept, as DIGESTS has them."""
    folders = {path.name: digest(path) for path in GOLDEN.glob("rules-*")}
    added = {file.relative_to(GOLDEN).as_posix(): file for file in GOLDEN.glob(f"rules-*/{ADDED}")}
    return folders | {name: sha256(file.read_bytes()).hexdigest() for name, file in added.items()}


def locked(rules: int) -> dict[str, str]:
    """Returns the digests of what a version decided, by the names of cases and groups; raises OSError without any."""
    found: dict[str, str] = json.loads((folder(rules) / DECISIONS).read_text("utf-8"))
    for file in sorted(folder(rules).glob(ADDED)):
        found = json.loads(file.read_text("utf-8")) | found
    return found


def fixture(rules: int) -> tuple[list[bytes], Named]:
    """Returns the records that a version of the rules decided, and what they name by hash."""
    lines = (folder(rules) / "reference.ndjson").read_bytes().splitlines()
    found = Named(lines)
    for terms in _former_terms(lines) if rules < 6 else ():
        found.keep(terms)
    texts = [file.read_bytes() for file in folder(rules).glob("*.toml")]
    found.policies = {sha256(text).hexdigest(): text for text in texts}
    return (folder(rules) / "records.ndjson").read_bytes().splitlines(), found


def _former_terms(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yields how records of rules 3 to 5 named the versions of each joint-use terms: version to SHA-256."""
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        value = orjson.loads(line)
        if value["kind"] == "joint_use_terms":
            found.setdefault(value["terms_id"], {})[str(value["version"])] = sha256(line).hexdigest()
    yield from map(canonical, found.values())


def explained() -> dict[str, Any]:
    """Returns how reasons are explained now: the clause of each for post, and what each sentence fills in."""
    sentences = {key.removeprefix("reason."): both for key, both in catalogue().items() if key.startswith("reason.")}
    return {
        "clauses": {code: load("jp-pmark").home[0].cites(code, "postal") for code in CATALOGUE},
        "sentences": {key: sorted(set().union(*map(filled, both.values()))) for key, both in sentences.items()},
    }


def filled(sentence: str) -> set[str]:
    """Returns the names of the values that a sentence fills in."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def lock(people: int = PEOPLE) -> dict[str, str]:
    """Returns a digest of what is decided now of each golden case, and of each group of the first people."""
    decided = crowd.decisions(SEED, people)
    groups = (digest_of(next(decided) for _ in range(GROUP)) for _ in range(people // GROUP))
    people = {f"people {number * GROUP:,} to {(number + 1) * GROUP - 1:,}": one for number, one in enumerate(groups)}
    return {**{name: digest_of([golden_cases.decided(case)]) for name, case in golden_cases.CASES.items()}, **people}


def changed(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Returns what is decided otherwise than it was locked, or no more, by the names of cases and groups."""
    return [name for name, one in before.items() if now.get(name) != one]


def digest_of(decisions: Iterable[Decision]) -> str:
    """Returns a digest of decisions, as far as an audit record holds them, and of which releases each would take."""
    found = sha256()
    for one in decisions:
        reasons = [(reason.code, reason.facts, dict(reason.says)) for reason in one.reasons]
        said = (one.verdict, reasons, one.notes, one.obligations, one.basis, one.policy.name, refusals(one.codes))
        found.update(orjson.dumps(said, option=orjson.OPT_SORT_KEYS) + b"\n")
    return found.hexdigest()[:16]


@cache
def refusals(codes: tuple[str, ...]) -> tuple[str | None, ...]:
    """Returns why releases of a decision with these reasons are refused: of all, one less, and one more."""
    reasons = [Found(code) for code in codes]
    return tuple(
        refusal(_release(named, evidence), reasons)
        for named in (codes, codes[1:], codes[:-1], (*codes, "NOWHERE"))
        for evidence in (None, "memo-1")
    )


def _release(named: tuple[str, ...], evidence: str | None) -> HeldRelease:
    return HeldRelease.model_validate_json(orjson.dumps(invented.act(reasons=named, evidence_ref=evidence)[1]))


def write(now: dict[str, str]) -> Iterator[str]:
    """Writes what is not kept yet of decisions, as `lock` has them; yields what was written, or is in the way."""
    path = folder(RULES)
    if not path.exists():
        _write_folder(path, now)
        yield f"Written: {path}. Add to DIGESTS in {__file__}:\n    {path.name!r}: {digest(path)!r},"
        return
    if not (path / DECISIONS).exists():
        yield f"Nothing is written: {path / DECISIONS} is missing. Restore it; nobody can say any more what it held."
        return
    before = locked(RULES)
    if otherwise := changed(before, now):
        yield f"Nothing is written, as version {RULES} decides otherwise: {', '.join(otherwise)}\n{HOW}"
    elif new := {name: one for name, one in now.items() if name not in before}:
        file = path / ADDED.replace("*", f"{len(list(path.glob(ADDED))) + 1:03}")
        file.write_text(_lines(new), "utf-8")
        name = file.relative_to(GOLDEN).as_posix()
        yield f"Written: {file}. Add to DIGESTS in {__file__}:\n    {name!r}: {digests()[name]!r},"
    else:
        yield f"Nothing to write: all is locked as version {RULES} decides it."


def _lines(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _write_folder(path: Path, now: dict[str, str]) -> None:
    values, found = of_every_kind()
    path.mkdir()
    (path / "records.ndjson").write_bytes(b"".join(value + b"\n" for value in values))
    maps = (b'{"', b"{}")
    used = [value for value in found.references.values() if b'"kind"' in value or not value.startswith(maps)]
    (path / "reference.ndjson").write_bytes(b"".join(value + b"\n" for value in used))
    for policy in {value["sha256"]: value for value in (orjson.loads(value)["policy"] for value in values)}.values():
        (path / f"{policy['id']}-{policy['version']}.toml").write_bytes(found.policies[policy["sha256"]])
    (path / "reasons.json").write_text(_lines(explained()), "utf-8")
    (path / DECISIONS).write_text(_lines(now), "utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    for line in write(lock()):
        print(line)
