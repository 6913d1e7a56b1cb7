"""The documents name all that exists, and all that the documents name exists."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from gatekeeper.cli import VERBS, gatekeeper
from gatekeeper.ground.settings import Settings
from gatekeeper.policy.reasons import CATALOGUE
from schemas.topics import TOPICS

OUTSIDE = {
    *("AUDIT_TRIALS", "HOSTILE_RECORDS", "STALE_LEADER_TRIALS", "JAVA_HOME", "SSL_CERT_FILE"),
    *(
        "CONCURRENT_TRANSACTIONS",
        "MESSAGE_TOO_LARGE",
        "MSG_SIZE_TOO_LARGE",
        "UNKNOWN_SERVER_ERROR",
        "OFFSET_NOT_AVAILABLE",
    ),
    *("XA_LOTTERY_DATA", "XA_BALANCE_MISSING"),
}
"""Names in capitals that are not ours, or not of the product."""
INVENTED = ("gatekeeper/policy/xa.toml", "gatekeeper/deciding/rules/xa.py")
"""Files of the invented country in `docs/how-to/add-a-country.md`, which its test makes."""
FOLDERS = ("schemas", "gatekeeper", "streams", "tests", "docs", "deploy", "scripts", "requirements", "benchmarks")
CONTEXT = click.Context(gatekeeper)
Page = tuple[Path, str]


def code(page: str) -> list[str]:
    """Returns what is set as code: the lines of blocks, and what stands between back-ticks."""
    blocks = re.findall(r"^\s*```\w*\n(.*?)^\s*```", page, re.S | re.M)
    rest = re.sub(r"^\s*```\w*\n.*?^\s*```", "", page, flags=re.S | re.M)
    return [line for block in blocks for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", rest)


def options(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}


def commands() -> list[click.Command]:
    """Returns every command that does something: the verbs, and the sub-commands of groups."""
    found: list[click.Command] = []
    for verb in VERBS:
        command = gatekeeper.get_command(CONTEXT, verb)
        assert command is not None
        subs = command.list_commands(CONTEXT) if isinstance(command, click.Group) else []
        found += [each for sub in subs if (each := command.get_command(CONTEXT, sub))] if subs else [command]
    return found


def wrong_in(words: list[str]) -> str | None:
    """Returns what of `gatekeeper WORDS` does not exist: the verb, its sub-command or an option."""
    command: Any = gatekeeper
    for word in words:
        if isinstance(command, click.Group) and not word.startswith("-"):
            command = command.get_command(CONTEXT, word)
            if command is None:
                return word
        elif word.startswith("--") and word not in options(command):
            return word
    return None


def test_every_command_then_it_is_named(everything: str) -> None:
    wanted = []
    for verb in VERBS:
        command = gatekeeper.get_command(CONTEXT, verb)
        assert command is not None
        subs = command.list_commands(CONTEXT) if isinstance(command, click.Group) else [""]
        wanted += [f"gatekeeper {verb} {sub}".strip() for sub in subs]
    assert [name for name in wanted if name not in everything] == []


def test_every_command_but_worker_then_it_takes_json_as_the_readme_says() -> None:
    worker = gatekeeper.get_command(CONTEXT, "worker")
    assert [each for each in commands() if "--json" not in options(each)] == [worker]


@pytest.mark.parametrize(
    "names",
    [
        [f"`{name}`" for name in TOPICS],
        [f"`{code}`" for code in CATALOGUE],
        [f"`GATEKEEPER_{name.upper()}`" for name in Settings.model_fields],
    ],
    ids=["topics", "reasons", "settings"],
)
def test_every_name_of_ours_then_it_is_in_the_documents(everything: str, names: list[str]) -> None:
    assert names
    assert [name for name in names if name not in everything] == []


def test_every_option_then_it_is_named(everything: str) -> None:
    wanted = {name for each in commands() for name in options(each) if name.startswith("--")}
    named = set(re.findall(r"--[a-z][a-z-]*", everything))
    assert len(wanted) > 50
    assert sorted(wanted - named) == []


def test_commands_in_a_page_then_they_exist(page: Page) -> None:
    wrong = []
    for line in code(page[1]):
        for found in re.finditer(r"(?:^|[\s/])gatekeeper ((?:[a-z]+|--).*)", line):
            call = re.split(r" \||;|#| ·|  ", found[1])[0]
            if bad := wrong_in(shlex.split(call)):
                wrong.append((call, bad))
        for script, arguments in re.findall(r"scripts/(demo|test)((?: --[a-z-]+)*)", line):
            known = options(gatekeeper.get_command(CONTEXT, "demo") or gatekeeper) if script == "demo" else set()
            wrong += [(line, word) for word in arguments.split() if word not in known]
    assert wrong == []


def test_paths_in_a_page_then_they_exist(house: Path, page: Page) -> None:
    path, content = page
    words = [word.lstrip("(").rstrip("(),.:;") for snippet in code(content) for word in snippet.split()]
    ours = re.compile(rf"(?:{'|'.join(FOLDERS)})/\S*|[\w.-]+\.(?:md|py|yml|toml|lock)")
    named = [word.partition("::") for word in words if ours.fullmatch(word) and word not in INVENTED]
    missing = [path + colons + test for path, colons, test in named if not there(house / path, test)]
    links = re.findall(r"\]\(([^)\s]+)\)", content)
    for link in links:
        target, _, anchor = link.partition("#")
        found = path.parent / target if target else path
        if not found.exists() or (anchor and anchor not in anchors(found)):
            missing.append(link)
    assert missing == []


def there(path: Path, test: str) -> bool:
    """Tells whether a file is there; `test`: with a test of this name, unless it is ''."""
    return path.exists() and (
        not test or re.search(rf"^(?:async )?def {test}\(", path.read_text("utf-8"), re.M) is not None
    )


def test_attacks_that_were_tried_then_each_names_its_tests(table: Any) -> None:
    rows = table("SECURITY.md", "attack")
    assert len(rows) > 30
    tried = re.compile(r"tests/[a-z_/]+\.py::test_\w+")
    assert [row for row in rows if not all(map(tried.fullmatch, row[-1].split(", ")))] == []
    assert [row for row in rows if not (row[0] and row[1])] == []


def anchors(path: Path) -> set[str]:
    """Returns the anchors of a page's headings, as they are made from them where pages are shown."""
    headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_programs_run_with_m_then_they_are_found_from_the_repositorys_folder(house: Path, everything: str) -> None:
    named = set(re.findall(r"python -m ((?:benchmarks|tests)\.\w+)", everything))
    named |= {f"benchmarks.{file.stem}" for file in (house / "benchmarks").glob("[a-z]*.py")}
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(
        [sys.executable, "-c", f"import {', '.join(sorted(named))}"],
        cwd=house, env=outside, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr


def test_rooms_and_modules_beside_them_then_the_map_names_each(house: Path) -> None:
    named = set(re.findall(r"\w+", (house / "docs" / "reference" / "map.md").read_text("utf-8")))
    there = {
        path.stem
        for folder in ("gatekeeper", "gatekeeper/audit", "streams", "tests", "benchmarks")
        for path in (house / folder).iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists() or path.name == "texts"
    }
    assert sorted(there - named - {"__init__", "__main__", "conftest"}) == []


def test_names_in_capitals_in_a_page_then_the_code_has_them(page: Page, words: set[str]) -> None:
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", page[1]))
    assert sorted(name for name in named - OUTSIDE if not known(name, words)) == []


def known(name: str, words: set[str]) -> bool:
    setting = name.removeprefix("GATEKEEPER_").lower()
    if name.startswith("GATEKEEPER_") and setting in Settings.model_fields:
        return True
    return name in words


def test_names_in_code_in_a_page_then_the_code_has_them(page: Page, words: set[str]) -> None:
    named = {word for snippet in code(page[1]) for word in re.findall(r"^[a-z]+(?:_[a-z0-9]+)+$", snippet)}
    assert sorted(named - words) == []


def test_sentences_of_the_changes_then_none_stands_twice(house: Path) -> None:
    said = re.split(r"(?<=[.;:]) ", (house / "CHANGELOG.md").read_text("utf-8").replace("\n", " "))
    assert [one for one in set(said) if len(one) > 40 and said.count(one) > 1] == []


def test_pages_then_none_is_an_orphan(house: Path, everything: str) -> None:
    linked = re.findall(r"\]\(([^)\s#]+\.md)", everything)
    names = {Path(link).name for link in linked}
    pages = [path for path in (house / "docs").rglob("*.md") if path.parent.name != "adr"]
    assert [path.name for path in pages if path.name not in names] == []
