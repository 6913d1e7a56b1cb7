"""The page "add a country" does what it says: each step is done in a copy of the code, which then judges sends."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.changed_copy import ChangedCopy

pytestmark = [pytest.mark.long("tests/docs/test_names.py"), pytest.mark.timeout(300)]
PAGE = "docs/how-to/add-a-country.md"
STEP = re.compile(r"(In|New file) (`[^\n]*?)(, replace|, at the end|, after `([^`]*)`)?:\n\n```\w+\n(.*?)```", re.S)
TWICE = ("gatekeeper/policy/strictest.toml", "gatekeeper/policy/strictest-2.toml")


def steps(page: str) -> Iterator[tuple[list[str], str, str | None, str]]:
    """Yields the files of each step, how it changes them, the line after which, and its lines."""
    for kind, files, how, after, lines in STEP.findall(page):
        named = re.findall(r"`([\w/.-]+)`", files)
        again = [*TWICE] if named == ["gatekeeper/policy/xa.toml"] and after else []
        yield named + again, how.split("`")[0].strip(", ") or kind, after or None, lines


@pytest.fixture(scope="module")
def country(house: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code in which each step of the page was done."""
    copy = ChangedCopy(tmp_path_factory.mktemp("country")).folder
    shutil.copy(copy / "gatekeeper/policy/jp-appi.toml", copy / "gatekeeper/policy/xa.toml")
    done = list(steps((house / PAGE).read_text("utf-8")))
    assert len(done) == 9
    for files, how, after, lines in done:
        for name in files:
            path = copy / name
            path.write_text(changed(path.read_text("utf-8") if path.exists() else "", how, after, lines), "utf-8")
    return copy


def changed(content: str, how: str, after: str | None, lines: str) -> str:
    """Returns a file after one step."""
    if how == "replace":
        for line in lines.splitlines():
            key = line.partition(" = ")[0]
            content, count = re.subn(rf"^{key} = .*$", line, content, flags=re.M)
            assert count == 1, line
        return content
    if after is None:
        return f"{content}\n{lines}".lstrip("\n")
    before, found, rest = content.partition(f"{after}\n")
    assert found, after
    indent = re.search(r"[ ]*$", before)[0]  # type: ignore[index]
    return before + found + "".join(f"{indent}{line}\n" for line in lines.splitlines()) + rest


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gatekeeper", *arguments]
    environment = {"PYTHONPATH": str(copy), "GATEKEEPER_LANG": "en", "PATH": ""}
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)


def decided(house: Path, copy: Path, policy: str, country: str, **send: Any) -> dict[str, str]:
    """Returns the clauses of the reasons of the example case, sent to a country under a pack."""
    case = json.loads((house / "docs/examples/case.json").read_text("utf-8"))
    method = send.pop("method", "direct.point_card")
    case["policy"] = policy
    case["send"] |= send
    case["send"]["contact_point"]["country"] = country
    case["facts"][0]["value"]["method"] = method
    (copy / "case.json").write_text(json.dumps(case), "utf-8")
    done = run(copy, "decide", "case.json", "--json")
    assert done.stdout, done.stderr
    return {reason["code"]: reason["clause"] for reason in json.loads(done.stdout)["reasons"]}


def test_page_followed_then_the_pack_passes_the_checks_of_activate(country: Path) -> None:
    done = run(country, "policy", "lint", "gatekeeper/policy/xa.toml", "gatekeeper/policy/strictest.toml")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_sends_to_the_country_then_its_own_reasons_with_its_own_law(house: Path, country: Path) -> None:
    found = decided(house, country, "xa", "XA", method="direct.sweepstake")
    assert found == {
        "XA_LOTTERY_DATA": "Example Mail Act 7",
        "XA_BALANCE_MISSING": "Example Mail Act 9",
    }
    assert decided(house, country, "xa", "XA", li_ref="LI-7") == {}
    assert "POLICY_UNKNOWN" in decided(house, country, "xa", "JP")


def test_sends_at_home_then_nothing_of_the_country(house: Path, country: Path) -> None:
    assert decided(house, country, "jp-pmark", "JP", method="direct.sweepstake") == {}
