"""Tables of the documents, compared with what they tell of."""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import click
from click.testing import CliRunner

from gatekeeper.audit.tlog.log_faults import Fault
from gatekeeper.audit.verify.sentences import SAYS
from gatekeeper.cli import gatekeeper
from gatekeeper.cli.decide import command
from gatekeeper.engine.outputs import TRACE
from gatekeeper.ground import errors
from gatekeeper.ground.metrics import METRICS, Process
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.texts import catalogue, text
from gatekeeper.knowledge import copies, token_keys
from gatekeeper.policy.packs import load
from gatekeeper.policy.reasons import CATALOGUE
from gatekeeper.staff import signatures
from schemas.codec import decode
from schemas.topics import DAY_MS, FOREVER, PARTS, TOPICS, Topic
from tests.docs.conftest import PAGES
from tests.support import events_page

Table = Callable[[str, str], list[list[str]]]
RIGHTS = "docs/reference/rights.md"


def kept(topic: Topic) -> str:
    if topic.keep_ms is None:
        return "compacted"
    return "for ever" if topic.keep_ms == FOREVER else f"{topic.keep_ms // DAY_MS:,} days"


def test_topics_then_the_page_is_the_registry(table: Table) -> None:
    partitions = {"n": "N", "any": "any", "one": "1"}
    assert table("docs/reference/topics.md", "topic") == [
        [
            topic.name,
            topic.key,
            ", ".join(topic.writers),
            ", ".join(topic.readers),
            partitions[topic.partitions],
            kept(topic),
            topic.compression,
        ]
        for topic in TOPICS.values()
    ]


def test_commands_then_the_page_on_rights_says_once_which_user_each_needs(table: Table) -> None:
    def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
        if not isinstance(command, click.Group):
            yield " ".join(path)
            return
        context = click.Context(command)
        for name in command.list_commands(context):
            if found := command.get_command(context, name):
                yield from leaves(found, (*path, name))

    told = {part: names.split(", ") if names else [] for part, _, names in table(RIGHTS, "part")}
    assert sorted(itertools.chain(*told.values())) == sorted(leaves(gatekeeper))
    assert [*told] == [*PARTS, "administrator of the cluster", "no user"]


def test_findings_then_the_page_names_each_with_who_finds_it(table: Table) -> None:
    texts, told = catalogue(), []
    for fault in get_args(Fault):
        finders = [("seal", f"finding.{fault}"), ("coverage", f"finding.name_{fault}")]
        verify = [f"verify ({SAYS[fault][0]})"] if fault in SAYS else []
        told.append([fault, ", ".join([*(who for who, key in finders if key in texts), *verify])])
    assert [[fault, who] for fault, _, who in table("docs/reference/findings.md", "finding")] == told
    assert all(who for _, who in told), "nobody finds it"
    of_catalogue = {key.removeprefix("finding.").removeprefix("name_") for key in texts if key.startswith("finding.")}
    assert of_catalogue <= {*get_args(Fault)}


def test_reasons_then_the_page_is_the_catalogue(table: Table) -> None:
    words = {code: [text(f"meaning.{code}", "ja"), text(f"meaning.{code}", "en")] for code in CATALOGUE}
    cites = load("jp-pmark").home[0].cites
    assert [[cell.replace("`", "") for cell in row] for row in table("docs/reference/reasons.md", "code")] == [
        [kind.code, *words[kind.code], kind.verdict, kind.severity, " ".join(kind.remedy), cites(kind.code)]
        for kind in CATALOGUE.values()
    ]


def test_settings_then_the_page_has_each_with_its_default(table: Table) -> None:
    told = {name: default for name, default, _ in table("docs/reference/settings.md", "variable")}
    found = {
        f"GATEKEEPER_{name.upper()}": "" if field.default is None else str(field.default)
        for name, field in Settings.model_fields.items()
    }
    elsewhere = {"GATEKEEPER_LANG", "GATEKEEPER_JARS", "MAVEN_MIRROR_URL"}
    assert {name: default for name, default in told.items() if name not in elsewhere} == found
    assert elsewhere <= told.keys()


def test_exit_codes_then_the_page_has_each(table: Table) -> None:
    told = {int(code) for code, _ in table("docs/reference/exit-codes.md", "code")}
    kinds = [each for each in vars(errors).values() if isinstance(each, type)]
    raised = {kind.exit_code for kind in kinds if issubclass(kind, errors.GatekeeperError)}
    assert told == raised | {0, 1, 130, 141}


def test_headers_then_the_models_of_the_contract_have_each(house: Path) -> None:
    code = "".join(
        (house / path).read_text("utf-8")
        for path in (
            "gatekeeper/engine/asks.py",
            "gatekeeper/engine/outputs.py",
            "gatekeeper/engine/recalls.py",
            "gatekeeper/service/intake.py",
            "streams/worker/batch.py",
            "streams/worker/dead_facts.py",
            "streams/worker/transaction.py",
        )
    )
    elsewhere = {TRACE, signatures.HEADER, copies.HEADER, token_keys.HEADER}
    written = {*re.findall(r'\("((?:gate-|ce_)[a-z0-9-]+)"', code), *elsewhere}
    models = {topic.headers for topic in TOPICS.values() if topic.headers}
    assert {field.alias or name for model in models for name, field in model.model_fields.items()} == written


def test_metrics_then_the_page_has_each_with_its_kind_processes_labels_and_meaning(table: Table) -> None:
    told = [tuple(row) for row in table("docs/reference/metrics.md", "metric")]
    assert told == [
        (one.name, one.kind, ", ".join(one.of), ", ".join(one.labels), one.help.replace("`", "")) for one in METRICS
    ]
    assert [name for name, *_ in table("docs/reference/metrics.md", "of")] == [*get_args(Process)]


def test_dependencies_then_the_page_says_why_for_each(house: Path) -> None:
    project = tomllib.loads((house / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    page = (house / "docs" / "adr" / "0008-dependencies.md").read_text("utf-8")
    names = {re.split(r"[<>=~!\[ ]", line)[0] for line in wanted}
    assert set(re.findall(r"`([a-z0-9-]+)`", "".join(re.findall(r"^\| (.*?) \|", page, re.M)))) == names


def test_example_case_then_it_is_clear(house: Path) -> None:
    done = CliRunner().invoke(command, [str(house / "docs" / "examples" / "case.json"), "--json"])
    assert (done.exit_code, json.loads(done.stdout)["verdict"]) == (0, "clear")


def test_example_sends_then_the_codec_takes_them(house: Path) -> None:
    lines = (house / "docs" / "examples" / "campaign.jsonl").read_bytes().splitlines()
    pages = [page for name, page in PAGES.items() if name != events_page.NAME]
    blocks = [block.encode() for block in re.findall(r"```json\n(.*?)```", "\n".join(pages), re.S)]
    assert lines
    assert blocks
    for value in (*lines, *blocks):
        decode("sends", None, value)
