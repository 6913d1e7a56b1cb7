"""The solutions of the manual's exercises, played in both languages: pages show what they quote, commands run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from gatekeeper.cli import gatekeeper
from gatekeeper.console.manual import DOCS
from tests.console.conftest import Site, cleared, field_of, send_number
from tests.support import staff
from tests.support.world import source_of, until

QUOTED = {"ja": "「([^」]+)」", "en": '"([^"\n]+)"'}
HEADING = {"ja": "解答", "en": "Solution "}
LANGUAGES = pytest.mark.parametrize("lang", ["ja", "en"])


class Play:
    """One solution, played by a user of the console; `seen` is all that pages and commands have shown."""

    def __init__(self, site: Site, lang: str, number: int, user: str = "reviewer") -> None:
        page = (DOCS / "manual" / lang / "exercises.md").read_text("utf-8")
        _, _, rest = page.partition(f"\n## {HEADING[lang]}{number}\n")
        self.solution = rest.partition("\n## ")[0]
        self.site, self.lang, self.seen = site, lang, ""
        self.client = site.client(user)

    def look(self, path: str, **params: str) -> str:
        """Opens a page."""
        return self._show(self.client.get(path, params={**params, "lang": self.lang}, follow_redirects=True))

    def press(self, path: str, status: int = 200, **form: Any) -> str:
        """Sends a form, and follows where it leads."""
        answer = self.client.post(f"{path}?lang={self.lang}", data=form, follow_redirects=True)
        assert answer.status_code == status, answer.text
        return self._show(answer)

    def _show(self, answer: httpx.Response) -> str:
        self.seen += unescape(re.sub(r"<[^>]+>", " ", re.sub(r'value="([^"]*)"', r">\1<", answer.text)))
        return answer.text

    def commands(self) -> list[str]:
        """The lines of the solution's code blocks."""
        blocks = re.findall(r"^ *```sh\n(.*?)^ *```", self.solution, re.S | re.M)
        return [line.strip() for block in blocks for line in block.splitlines()]

    def solved(self) -> None:
        """Fails unless pages and commands showed every text that the solution quotes."""
        text = re.sub(r"^ *```.*?^ *```|`[^`\n]*`", "", self.solution, flags=re.S | re.M)
        seen = re.sub(r"\s+", " ", self.seen).casefold()
        quoted = re.findall(QUOTED[self.lang], text)
        assert len(quoted) > 1
        assert [label for label in quoted if label.casefold() not in seen] == []


@pytest.fixture
def run(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a line of a solution in the site's world: `run(line, old="new")` replaces its example values."""
    monkeypatch.chdir(tmp_path)

    def run(line: str, lang: str, **values: str) -> Result:
        for old, new in values.items():
            line = line.replace(old, new)
        words = shlex.split(line)
        key = next((staff.key_file(one) for one in ("hanako", "taro") if f"/{one}-" in words[0]), None)
        words = words[1:] if key else words
        assert words[0] == "gatekeeper"
        environment = site.world.environment | {"GATEKEEPER_LANG": lang}
        environment |= {"GATEKEEPER_USER_KEY": key} if key else {}
        with ThreadPoolExecutor(1) as aside:  # the loop of a browser runs in this thread, beside which Kafka has none
            return aside.submit(CliRunner().invoke, gatekeeper, words[1:], env=environment).result()

    return run


def bulk(play: Play, kind: str, campaign: str, reason: str) -> str:
    """Does a whole cause of a campaign, as the button of its card does; returns the result's page."""
    preview = play.look("/bulk", kind=kind, campaign=campaign)
    names = ("user", "run", "kind", "filter", "until", "count")
    form = {name: unescape(field_of(preview, name)) for name in names}
    play.press("/bulk", **form, reason=reason)
    address = f"/runs/{form['run']}"
    until(lambda: done(play.client.get(address).text), "the answers")
    return play.look(address)


def done(page: str) -> bool:
    """Tells whether every act of a run has its answer."""
    bar = re.search(r'<progress id="bar" value="(\d+)" max="(\d+)"', page)
    return bar is not None and bar[1] == bar[2]


@LANGUAGES
def test_solution_1_then_sends_against_the_will_of_people_are_closed_at_once(site: Site, lang: str) -> None:
    names = [f"x{send_number()}" for _ in range(3)]
    site.world.people(names)
    stop = {"v": 1, "kind": "objection", "received_at": "2026-01-20T16:05:00+09:00", "expressed_by": "subject"}
    site.world.put("suppressions", [(n, {**stop, "suppression_id": f"o-{n}", "recipient_id": n}) for n in names])
    campaign = site.publish(names)
    play = Play(site, lang, 1)
    play.look("/", campaign=campaign)
    bulk(play, "uphold", campaign, "no mail")
    assert {item["state"] for item in site.items(campaign)} == {"upheld"}
    play.solved()


@LANGUAGES
def test_solution_2_then_people_are_asked_once(site: Site, lang: str) -> None:
    names = [f"x{send_number()}" for _ in range(2)]
    friend = {"method": "indirect.referral", "provided_by": "C1"}
    site.world.put("sources", [(name, source_of(name, **friend)) for name in names])
    campaign = site.publish(names)
    play = Play(site, lang, 2)
    play.look("/", campaign=campaign)
    bulk(play, "ask", campaign, "")
    assert {item["state"] for item in site.items(campaign)} == {"asked"}
    play.look("/", campaign=campaign)
    play.solved()
    assert not re.search(r'name="count"', play.look("/bulk", kind="ask", campaign=campaign)), "asked twice"


@LANGUAGES
def test_solution_3_then_a_release_needs_evidence_and_can_be_taken_back(site: Site, lang: str) -> None:
    campaign = site.withheld(1)
    (item,) = site.items(campaign)
    play = Play(site, lang, 3)
    play.look("/", campaign=campaign)
    play.look(f"/items/{item['id']}")
    act = f"/items/{item['id']}/acts"
    play.press(act, 422, kind="release", run="e1", reason="form seen", evidence="")
    play.press(act, kind="release", run="e1", reason="form seen", evidence="scan-17")
    until(lambda: site.state(item["id"]) == "released", "the release")
    play.look(f"/items/{item['id']}")
    play.press(act, kind="undo", run="e2", reason="wrong form")
    until(lambda: site.state(item["id"]) not in ("released",), "the undoing")
    play.look(f"/items/{item['id']}")
    play.solved()


@LANGUAGES
def test_solution_4_then_the_code_tells_source_and_consent(site: Site, lang: str, run: Callable[..., Result]) -> None:
    _, code = cleared(site)
    play = Play(site, lang, 4)
    play.look("/people")
    play.press("/people", code=code)
    play.solved()
    (line,) = play.commands()
    told = run(line, lang, **{"ABCDE-FGHIJ-2": code})
    assert (told.exit_code, code in told.output) == (0, True), told.output


@LANGUAGES
def test_solution_5_then_a_stop_withholds_what_comes_later(site: Site, lang: str, run: Callable[..., Result]) -> None:
    (name, code), (other, _) = cleared(site), cleared(site)
    play = Play(site, lang, 5)
    play.look(f"/letters/{code}")
    play.press(f"/people/{name}/stop", reason="by telephone")
    (line,) = play.commands()
    told = run(line, lang, R000001=other, demo="hanako")
    assert told.exit_code == 0, told.output
    for stopped in (name, other):
        campaign = site.publish([stopped])
        assert "CONSENT_WITHDRAWN" in play.look("/items", campaign=campaign)
    play.solved()


@LANGUAGES
def test_solution_6_then_a_colleague_counts_once_two_managers_signed(
    site: Site, lang: str, run: Callable[..., Result]
) -> None:
    play, name = Play(site, lang, 6, "manager"), f"yuki{send_number()}"
    add, waiting, before, sign, after = play.commands()
    assert run(add, lang, yuki=name).exit_code == 0
    listed = run(waiting, lang)
    assert (listed.exit_code, name in listed.output) == (1, True), listed.output
    assert name not in run(before, lang).stdout
    until(lambda: name in play.look("/records"), "the record to sign")
    assert run(sign, lang, yuki=name).exit_code == 0
    assert name in run(after, lang).stdout
    label = {"ja": "署名待ち", "en": "To sign"}[lang]
    assert label in play.solution
    assert label in play.seen


def test_the_exercises_then_each_has_a_solution_that_is_played() -> None:
    played = {name.split("_")[2] for name in globals() if name.startswith("test_solution_")}
    for lang, word in (("ja", "問題"), ("en", "Exercise ")):
        page = (DOCS / "manual" / lang / "exercises.md").read_text("utf-8")
        assert {*re.findall(rf"^## {word}(\d+)", page, re.M)} == played
        assert {*re.findall(rf"^## {HEADING[lang]}(\d+)", page, re.M)} == played
