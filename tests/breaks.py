"""Proof that the tests notice defects: each break of the product in `breaks.toml` is made, and a test must fail.

`python -m tests.breaks [NAME ...]` tries each break in a copy of the tree, and says which test noticed it first. It
ends with 1 if a break is not noticed, and with 2 for a break that no longer fits the product. docs: `--help`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic

TREE = Path(__file__).parents[1]
BREAKS = Path(__file__).with_suffix(".toml")
PRODUCT = ("schemas/", "gatekeeper/", "streams/")
FIELDS = {"name", "file", "old", "new", "says", "noticed"}
FAST = ("golden", "property", "exports", "unit")
LEVELS = {"fast": FAST, **{name: (name,) for name in (*FAST, "simulation")}}
"""Folders of tests by the name of their level; `fast` is what CI runs first."""
ON_KAFKA = ("integration", "cli", "console", "chaos")
SECONDS, KAFKA_SECONDS, ALL_SECONDS = 120, 300, 1_200
"""Seconds that a run may take: of tests in the process, of tests on Kafka, and of a whole level."""
GOING = 20
"""Seconds that a run may take to end its own children, once it is told to."""
PYTEST = ("-m", "pytest", "-q", "-x", "--tb=no", "-rfE", "-p", "no:cacheprovider")
SIMULATION = "tests.simulation "
"""Beginning of the name of a run of simulated worlds, with its arguments behind it."""
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", re.MULTILINE)
_WORLD = re.compile(r"^(seed \d+: .*)$", re.MULTILINE)


class Unfit(Exception):
    """Raised for a break that does not fit the product as it is."""


@dataclass(frozen=True)
class Break:
    """One defect: in `file` the text `old`, which stands there once, becomes `new`. `says`: what users would suffer.

    `noticed`: test files or ids that notice it, the cheapest first. `tests.simulation ARGUMENTS` is a simulation.
    """

    name: str
    file: str
    old: str
    new: str
    says: str
    noticed: list[str]

    def applied(self, content: str) -> str:
        """The content of the file with this defect; raises Unfit where the text does not stand there once."""
        if not self.file.startswith(PRODUCT):
            raise Unfit(f"{self.name}: {self.file} is not a file of the product")
        if (count := content.count(self.old)) != 1:
            raise Unfit(f"{self.name}: its `old` stands {count} times in {self.file}")
        broken = content.replace(self.old, self.new)
        try:
            compile(broken, self.file, "exec")
        except SyntaxError as error:
            raise Unfit(f"{self.name}: {self.file} would be no Python: {error.msg}") from None
        return broken


@dataclass
class Outcome:
    """The outcome of one break. `by`: the first failing test, None if nobody notices. `tried`: each run's outcome."""

    name: str
    says: str
    by: str | None = None
    seconds: float = 0.0
    tried: dict[str, str] = field(default_factory=dict)


def read() -> list[Break]:
    """Returns all breaks; raises Unfit for one without all fields, or with another one's name."""
    breaks = [_read(table) for table in tomllib.loads(BREAKS.read_text("utf-8"))["break"]]
    names = [one.name for one in breaks]
    if twice := {name for name in names if names.count(name) > 1}:
        raise Unfit(f"two breaks have the name {', '.join(sorted(twice))}")
    return breaks


def _read(table: dict[str, object]) -> Break:
    if table.keys() != FIELDS or not table["noticed"]:
        raise Unfit(f"{table.get('name', table)}: needs exactly {', '.join(sorted(FIELDS))}, and who notices it")
    return Break(**table)  # type: ignore[arg-type]


class Copy:
    """A copy of the tree in a temporary folder, in which one break at a time is made and tests run.

    Programs that a test starts run the copy, too. Compiled files are copied along, as they keep their times.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sound: dict[str, bool] = {}
        listed = subprocess.run(("git", "ls-files", "-z"), cwd=TREE, capture_output=True, text=True, check=True)
        for name in filter(None, listed.stdout.split("\0")):
            if (TREE / name).is_file():  # else it is deleted, and not committed yet
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(TREE / name, folder / name)
        for cache in TREE.glob("[!.]*/**/__pycache__"):
            if (place := folder / cache.relative_to(TREE)).parent.is_dir():
                shutil.copytree(cache, place)
        distributed = folder / "direct_mail_gatekeeper"  # else the script `gatekeeper` runs the tree that is whole
        distributed.mkdir()
        (distributed / "__init__.py").touch()
        for room in (*PRODUCT, "docs/"):
            (distributed / room.rstrip("/")).symlink_to(folder / room)
        compiling = ("compileall", "-q", "schemas", "gatekeeper", "streams")
        for module in (compiling, ("tests.support.rewritten",)):
            subprocess.run((sys.executable, "-m", *module), cwd=folder, env=self._environment(), check=True)

    @contextmanager
    def broken(self, one: Break) -> Iterator[None]:
        """Makes a break, and mends it in the end; raises Unfit where it does not fit."""
        file = self.folder / one.file
        if not file.is_file():
            raise Unfit(f"{one.name}: there is no {one.file}")
        whole, times = file.read_bytes(), file.stat()
        broken = one.applied(whole.decode("utf-8"))
        file.write_text(broken, "utf-8")
        kept = list((file.parent / "__pycache__").glob(f"{file.stem}.*"))
        for compiled in kept:  # its time and size may be those of the broken file
            compiled.rename(compiled.with_name(f"_{compiled.name}"))
        try:
            yield
        finally:
            file.write_bytes(whole)
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
            for compiled in kept:
                compiled.with_name(f"_{compiled.name}").rename(compiled)

    def is_sound(self, test: str) -> bool:
        """True if a test passes where nothing is broken; else its failure says nothing."""
        if test not in self._sound:
            self._sound[test] = self.run((test,), KAFKA_SECONDS)[1] == "passed"
        return self._sound[test]

    def run(self, tests: tuple[str, ...], seconds: float) -> tuple[str | None, str]:
        """Runs tests until one fails. Returns its id, None if none does, and how the run ended in a word or two."""
        if tests[0].startswith(SIMULATION):
            words, failing = ["-m", *tests[0].split(), "--jobs", "1"], _WORLD
        elif all((self.folder / test.partition("::")[0]).exists() for test in tests if test.startswith("tests/")):
            words, failing = [*PYTEST, *tests], _FAILED
        else:
            return None, "gone"
        process = subprocess.Popen(
            (sys.executable, *words),
            cwd=self.folder,
            env=self._environment() | {"PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        said, in_time = _ended(process, seconds)
        failed = failing.search(said)
        if not in_time:
            return None, f"over {seconds:.0f} s"
        if process.returncode == 1 and failed:
            return failed[1], "noticed"
        known = {0: "passed", 4: "gone", 5: "gone"}
        return None, known.get(process.returncode, f"could not run: {said.strip()[-300:]}")

    def _environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(self.folder)}


def _ended(process: subprocess.Popen[str], seconds: float) -> tuple[str, bool]:
    """What a run printed, and whether it ended in time. Nothing that it started goes on after it."""
    try:
        said, _ = process.communicate(timeout=seconds)
        return said, True
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # pytest ends what its fixtures started
        try:
            said, _ = process.communicate(timeout=GOING)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
        return said, False
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def tried(copy: Copy, one: Break, *, level: str | None, each: bool) -> Outcome:
    """Returns who notices a break: the tests that it names, or a whole level. `each`: all that it names are run."""
    found, begun = Outcome(one.name, one.says), monotonic()
    noticing: list[tuple[str, str]] = []
    with copy.broken(one):
        if level is not None:
            tests = (*(f"tests/{name}" for name in LEVELS[level]), "-m", "not long")
            runs = [(level, tests, ALL_SECONDS)]
        else:
            runs = [(test, (test,), KAFKA_SECONDS if _on_kafka(test) else SECONDS) for test in one.noticed]
        for name, tests, seconds in runs:
            by, found.tried[name] = copy.run(tests, seconds)
            noticing += [(name, by)] if by else []
            if noticing and not each:
                break
    for name, by in noticing:
        if copy.is_sound(name if name.startswith(SIMULATION) else by):
            found.by = found.by or by
        else:
            found.tried[name] = "fails without the break, too"
    found.seconds = round(monotonic() - begun, 1)
    return found


def _on_kafka(test: str) -> bool:
    return test.startswith(tuple(f"tests/{folder}/" for folder in ON_KAFKA))


def main() -> int:
    """Tries breaks, and returns 0 if each is noticed, 1 if one is not, 2 if one does not fit."""
    parser = argparse.ArgumentParser(prog="python -m tests.breaks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="breaks to try; all if none is named")
    parser.add_argument("--all", choices=LEVELS, dest="level", help="run all tests of a level, not those it names")
    parser.add_argument("--each", action="store_true", help="run each test that a break names, also after the first")
    parser.add_argument("--fit", action="store_true", help="only look whether each break still fits; run nothing")
    parser.add_argument("--json", action="store_true", dest="as_json", help="print a line of JSON for each break")
    asked = parser.parse_args()
    try:
        breaks = {one.name: one for one in read()}
        if unknown := set(asked.names) - breaks.keys():
            raise Unfit(f"no break has the name {', '.join(sorted(unknown))}")
        for one in breaks.values():
            file = TREE / one.file
            one.applied(file.read_text("utf-8") if file.is_file() else "")
        chosen = [breaks[name] for name in asked.names or breaks]
        if asked.fit:
            print(f"{len(chosen)} breaks fit the product")
            return 0
        with tempfile.TemporaryDirectory(prefix="gatekeeper-breaks-") as folder:
            copy, missed = Copy(Path(folder)), 0
            for one in chosen:
                found = tried(copy, one, level=asked.level, each=asked.each)
                missed += found.by is None
                _tell(found, as_json=asked.as_json, each=asked.each)
        if not asked.as_json:
            print(f"{len(chosen) - missed} of {len(chosen)} breaks are noticed")
        return 1 if missed else 0
    except Unfit as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _tell(found: Outcome, *, as_json: bool, each: bool) -> None:
    if as_json:
        print(json.dumps(asdict(found)), flush=True)
        return
    print(f"{found.name:<34} {found.seconds:6.1f} s  {found.by or 'NOT NOTICED: ' + found.says}", flush=True)
    for test, outcome in found.tried.items() if each or not found.by else ():
        print(f"    {outcome}: {test}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
