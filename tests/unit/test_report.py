"""The period's report: every number of it counted by hand on few records, its proofs on a sealed log, its page."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from gatekeeper.audit.export.export_reader import ExportReader
from gatekeeper.audit.log.sealed import sealed as newest_log
from gatekeeper.audit.records import inquiry
from gatekeeper.audit.verify.proof_check import check_proof
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.times import instant
from gatekeeper.keys import Keys
from gatekeeper.knowledge.store import FactStore
from gatekeeper.report import page
from gatekeeper.report.evidence import ProvingLog
from gatekeeper.report.nos import Nos
from gatekeeper.report.tally import Tally, wrong
from gatekeeper.report.workbook import workbook
from schemas.record import Record
from schemas.topics import DAY_MS
from tests.support import invented, staff, trails
from tests.support.chains import ManifestChain, chains_of, month_tally
from tests.support.desk import YOUNG
from tests.support.facts import fact
from tests.support.office import Office, acted_by
from tests.support.records import Recorded


def told(chains: list[ManifestChain], *, tally: Tally | None = None, made: int = invented.T + DAY_MS) -> dict[str, Any]:
    tally = tally or month_tally()
    for chain in chains:
        for link in chain.links:
            tally.link(link)
    return tally.told(made=made)


def clear_and_blocked() -> Recorded:
    desk = Recorded(invented.source(batch_id="B-1"), invented.consent())
    desk.send()
    desk.learn(invented.suppression())
    desk.send(event_id="E-2", campaign_id="K-2")
    desk.send({"v": 1})
    return desk


def test_acts_then_by_kind_how_they_were_signed_and_who_and_why_others_were_refused() -> None:
    desk = office()
    desk.act("release", **acted_by("kenji", "r-1", evidence_ref="form-1"))
    for number, person in enumerate(("kenji", "yuki")):
        desk.act("note", 0, **acted_by(person, f"n-{number}"))
    desk.word = True
    desk.act("note", 0, **acted_by("hanako", "n-2"))
    desk.by = None
    for number in range(2):
        desk.act("note", 0, **acted_by("hanako", f"n-x{number}"))
    desk.by, desk.word = "taro", False
    desk.act("uphold", 0, **acted_by("kenji", "u-1"))
    found = told(signed_acts(desk))
    none: dict[str, Any] = {"acts": 0, "by": []}
    note, release, uphold = found["acts"]["signed"]
    assert (note["key"], note["passkey"], note["unsigned"]) == ({"acts": 2, "by": ["kenji", "yuki"]}, none, none)
    assert (note["vouched"], note["refused"]["causes"]) == ({"acts": 1, "by": ["hanako"]}, {"unsigned": 2})
    assert release["key"] == {"acts": 1, "by": ["kenji"]}
    assert (uphold["key"], uphold["refused"]["causes"]) == (none, {"unsigned": 1})
    assert (found["acts"]["unproven"], wrong(found)) == (0, False)
    assert {one["id"]: one["acts"] for one in found["acts"]["people"]} == {"hanako": 1, "kenji": 2, "yuki": 1}


def test_a_signature_that_does_not_hold_then_the_report_is_wrong() -> None:
    desk = office()
    desk.act("note", 0, **acted_by("kenji", "n-1"))
    (chain,) = signed_acts(desk)
    (link,) = chain.links
    record = orjson.loads(link.records[-1])
    record["act"]["signed"][0]["by"] = record["act"]["by"] = "hanako"
    forged = ManifestChain()
    forged.add([*link.records[:-1], orjson.dumps(record)])
    found = told([forged])
    assert (found["acts"]["unproven"], wrong(found)) == (1, True)
    assert "The signatures of 1 acts do not hold" in page.body(found, "en")


def office() -> Office:
    """A desk whose people sign, with one withheld send."""
    found = Office(*YOUNG)
    found.send()
    return found


def signed_acts(desk: Office) -> list[ManifestChain]:
    """The chain of everything that this desk judged."""
    chain = ManifestChain()
    chain.add([judged.audit for judged in desk.all])
    return [chain]


def test_manifests_in_order_then_none_breaks_and_what_is_changed_shows() -> None:
    desk = clear_and_blocked()
    chain = ManifestChain()
    chain.add(desk.values[:1])
    chain.add(desk.values[1:])
    right = told([chain])
    assert [(one["manifests"], one["records"], one["breaks"], one["torn"]) for one in right["coverage"]] == [
        (2, 3, 0, 0)
    ]
    assert not wrong({**right, "samples": []})
    chain.add([], prev="0" * 64)
    chain.add([desk.values[0]], root="0" * 64)
    found = told([chain])
    assert (found["coverage"][0]["breaks"], found["coverage"][0]["torn"], wrong(found)) == (1, 1, True)
    lacking = ManifestChain()
    for _ in range(3):
        lacking.add([])
    del lacking.links[1]
    assert told([lacking])["coverage"][0]["breaks"] == 1


def sealed(
    folder: Path, *, witnessed: bool = True, sealed: int | None = None, change: tuple[bytes, bytes] = (b"", b"")
) -> dict[str, Any]:
    """The report of a system's export, with its sealed log; `change`: what of each record was changed into what."""
    trails.Trail(seed=3).write(12).export(folder, witnessed=witnessed, sealed=sealed)
    keys = Keys(folder / "keys")
    witnesses = keys.public("witness")
    log = newest_log(AtomicStore(folder / "log"), keys.public("log"), witnesses)
    known = [*keys.verifiers("worker"), *keys.verifiers("log")]
    tally, trail = month_tally(ProvingLog(log, known, witnesses, invented.T), partitions=3), ExportReader(folder)
    for partition in trail.partitions():
        for link in trail.links(partition):
            tally.link(replace(link, records=tuple(value.replace(*change) for value in link.records)))
    return tally.told(made=1_795_483_060_000)


def test_sealed_log_then_five_decisions_with_proofs_that_the_check_takes(tmp_path: Path) -> None:
    found = sealed(tmp_path / "export")
    assert len(found["samples"]) == 5
    for one in found["samples"]:
        assert (one["state"], one["inquiry"]) == ("witnessed", inquiry.make(one["did"]))
        file = tmp_path / "proof.json"
        file.write_bytes(orjson.dumps(one["proof"]))
        assert check_proof(file).exit_code == 0
    text = orjson.dumps(found).decode()
    assert ("P-0-" in text, "t1_" in text) == (False, False), "nobody's data"
    assert found["seal"]["size"] == sum(one["sealed"] for one in found["coverage"]) == 12
    assert (found["seal"]["witness_age_ms"], found["seal"]["published"]) == (60_000, instant(invented.T))


def test_not_witnessed_or_not_sealed_or_changed_then_the_sample_says_so(tmp_path: Path) -> None:
    assert {one["state"] for one in sealed(tmp_path / "a", witnessed=False)["samples"]} == {"sealed"}
    assert {one["state"] for one in sealed(tmp_path / "b", sealed=0)["samples"]} == {"signed"}
    assert {one["state"] for one in told(chains_of(clear_and_blocked()))["samples"]} == {"unchecked"}
    changed = sealed(tmp_path / "c", change=(b'"campaign":"K-1"', b'"campaign":"K-9"'))
    assert {one["state"] for one in changed["samples"]} == {"wrong"}
    assert sum(one["torn"] for one in changed["coverage"]) == sum(one["manifests"] for one in changed["coverage"])
    assert wrong(changed)


def test_the_workbook_then_it_has_the_tables_of_the_report_and_no_text_is_a_formula(tmp_path: Path) -> None:
    found = sealed(tmp_path / "export")
    found["samples"][0]["campaign"] = "=1+1"
    with zipfile.ZipFile(io.BytesIO(workbook(found, "en"))) as book:
        texts = book.read("xl/sharedStrings.xml").decode()
        sheets = [book.read(name).decode() for name in book.namelist() if name.startswith("xl/worksheets/")]
    assert len(sheets) == 8
    assert all("<f>" not in sheet for sheet in sheets)
    assert all(f"<t>{one}</t>" in texts for one in ("=1+1", *(one["inquiry"] for one in found["samples"])))


def facts_on_file(*stated: tuple[dict[str, Any], str | None]) -> dict[str, Any]:
    """The section `nos` over stops, each with whoever signs it; staff is on record before them."""
    nos = Nos(FactStore(staff.ORIGIN), invented.T, invented.T + DAY_MS)
    at = instant(invented.T)
    for offset, (name, value) in enumerate(staff.founding(at=at)):
        nos.take(fact("reference", 0, offset, name.encode(), value))
    for offset, (said, by) in enumerate(stated):
        value, key = orjson.dumps(said), str(said.get("token") or said["suppression_id"]).encode()
        headers = (staff.correction(value, by, at=at),) if by else ()
        nos.take(Record("suppressions", 0, offset, invented.T, key, value, headers))
    return nos.told()


def test_rejected_rows_then_each_is_listed_until_a_right_one_or_a_managers_evidence() -> None:
    stop = {"v": 1, "kind": "objection", "received_at": instant(invented.T)}
    rejected = {**stop, "row": "rejected", "lacks": "place_unknown"}
    closing = {**rejected, "state": "corrected", "by": "hanako", "evidence_ref": "memo-7"}
    token = invented.token("cp-1")
    found = facts_on_file(
        *(({**rejected, "suppression_id": id_}, None) for id_ in ("X1", "X2", "X3")),
        ({**stop, "suppression_id": "X1", "token": token, "row": "wide", "lacks": "name_short"}, None),
        ({**closing, "suppression_id": "X2"}, "hanako"),
        ({**closing, "suppression_id": "X3"}, None),
    )
    said = {"since": instant(invented.T), "kind": "objection", "lacks": "place_unknown"}
    assert found["duties"] == [{"id": "X3", **said}]
    assert found["rows"] == {"before": 0, "rejected": 1, "wide": 1, "certain": 0}
    assert [(one["by"], one["stops"]) for one in found["corrections"]] == [(None, 1), ("hanako", 1)]
    tally = month_tally().told(made=invented.T + DAY_MS, nos=found)
    assert ("duties", 1) in [(one["code"], one["count"]) for one in tally["summary"]["todo"]]
