"""The documents name all that exists, and all that the documents name exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click

from gatekeeper.cli import VERBS, gatekeeper

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


def test_programs_run_with_m_then_they_are_there(house: Path, everything: str) -> None:
    named = set(re.findall(r"python -m ((?:benchmarks|tests)\.[\w.]*\w)", everything))
    assert named
    for name in named:
        folder = house / name.replace(".", "/")
        assert folder.with_suffix(".py").exists() or (folder / "__main__.py").exists(), name


def test_pages_then_none_is_an_orphan(house: Path, everything: str) -> None:
    linked = re.findall(r"\]\(([^)\s#]+\.md)", everything)
    names = {Path(link).name for link in linked}
    pages = [path for path in (house / "docs").rglob("*.md") if path.parent.name != "adr"]
    assert [path.name for path in pages if path.name not in names] == []
