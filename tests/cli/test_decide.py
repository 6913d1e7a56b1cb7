"""`gatekeeper decide`: a file that is no case is one sentence with file and place, and exit 2."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Outcome, Run
from tests.support import invented
from tests.support.world import key_folder

pytestmark = pytest.mark.main
Decided = Callable[[str | None], Outcome]


def case(**fields: Any) -> dict[str, Any]:
    return {
        "at": "2026-11-24T10:00:00+09:00",
        "policy": "jp-pmark",
        "reference": [value for _, value in invented.REFERENCE],
        "facts": [
            {"topic": topic, "key": "P-1", "value": value} for topic, value in (invented.source(), invented.consent())
        ],
        "send": invented.send(),
        **fields,
    }


@pytest.fixture
def decided(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Decided:
    """Decides the case in a file with this content, or in a file that is not there."""
    monkeypatch.setenv("GATEKEEPER_KEYS", str(key_folder()))

    def decided(content: str | None) -> Outcome:
        file = tmp_path / "case.json"
        if content is not None:
            file.write_text(content, "utf-8")
        return run("decide", str(file))

    return decided


def test_clear_case_decided_then_json_and_exit_0(decided: Decided) -> None:
    done = decided(json.dumps(case()))
    assert (done.code, json.loads(done.out)["verdict"], done.err) == (0, "clear", "")


def test_number_beyond_64_bits_then_withheld_as_by_the_worker_and_the_place_is_told(
    decided: Decided,
) -> None:
    fact = {"topic": "sources", "key": "P-1", "value": {**invented.source()[1], "v": 2**64}}
    for wrong, code, place in (
        (case(send=invented.send(v=-(2**70))), "EVENT_INVALID", "field_invalid at v"),
        (case(facts=[fact]), "FACTS_UNAVAILABLE", "facts.0: field_invalid at v"),
    ):
        done = decided(json.dumps(wrong))
        assert (done.code, done.err) == (1, "")
        (reason,) = json.loads(done.out)["reasons"]
        assert reason["code"] == code
        assert place in str(reason)


def test_release_that_does_not_say_of_how_many_then_it_is_of_this_piece(decided: Decided) -> None:
    known = case(facts=[{"topic": "sources", "key": "P-1", "value": invented.source(may_be_minor=True)[1]}])
    known["facts"].append({"topic": "consents", "key": "P-1", "value": invented.consent()[1]})
    (_, act) = invented.act(reasons=["AGE_UNCERTAIN"])
    for bulk, verdict in (
        ({}, "clear"),
        ({"bulk": 100}, "clear"),
        ({"bulk": 101}, "review"),
        ({"bulk": None}, "review"),
    ):
        value = {**{name: act[name] for name in act if name != "bulk"}, **bulk}
        done = decided(json.dumps({**known, "facts": [*known["facts"], {"topic": "acts", "value": value}]}))
        assert json.loads(done.out)["verdict"] == verdict, bulk


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "case.json"),
        ("{", "not valid JSON"),
        ('{"at": "2026-11-24T10:00:00+09:00", "at": "2026-11-24T10:00:00+09:00"}', "uplicate"),
        (json.dumps(case(at="2026-11-24T10:00:00")), "at in"),
        (json.dumps(case(policy="nowhere")), "jp-pmark"),
        (json.dumps(case(facts=[{"topic": "mail.consent.v1", "value": {}}])), "facts.0.topic"),
    ],
)
def test_bad_case_decided_then_one_sentence_and_exit_2(decided: Decided, content: str | None, said: str) -> None:
    done = decided(content)
    assert done.code == 2
    assert done.out == ""
    assert said in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("fields", "reason", "said"),
    [
        ({"send": {**invented.send(), "mail_date": "2026-12-01T10:00:00"}}, "EVENT_INVALID", "mail_date"),
        ({"facts": [{"topic": "consents", "value": {"v": 1}}]}, "FACTS_UNAVAILABLE", "facts.0"),
        ({"facts": [{"topic": "ledger", "value": {}}]}, "FACTS_UNAVAILABLE", "ledger"),
        ({"clearances": [{}]}, "FACTS_UNAVAILABLE", "clearances.0"),
        ({"unavailable": ["consents"]}, "FACTS_UNAVAILABLE", "consents"),
        ({"reference": []}, "EVENT_INVALID", "C1"),
    ],
)
def test_case_that_cannot_be_judged_decided_then_withheld_and_exit_1(
    decided: Decided, fields: dict[str, Any], reason: str, said: str
) -> None:
    done = decided(json.dumps(case(**fields)))
    assert done.code == 1, done.err
    (told,) = json.loads(done.out)["reasons"]
    assert told["code"] == reason
    assert said in told["en"]


def test_case_without_a_key_decided_then_by_its_token_with_a_note(
    decided: Decided, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEKEEPER_KEYS", str(tmp_path / "keys"))
    for stated, verdict in (("cp-1", "clear"), ("cp-2", "block")):
        done = decided(json.dumps(case(send=invented.send(stated=stated))))
        told = json.loads(done.out)
        assert (told["verdict"], told["notes"]) == (verdict, ["TOKEN_NOT_CHECKED"])
        assert "was not compared" in done.err
