"""The check of a whole export: its folder, its log, and each partition's manifests and records."""

from __future__ import annotations

from pathlib import Path

from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.audit.tlog.ranges import MAX_PARTITIONS
from gatekeeper.audit.verify.act_signatures import STAFF, Signers
from gatekeeper.audit.verify.export_folder import ExportFolder, Progress, of_partition, top_of
from gatekeeper.audit.verify.exported_log import MOMENT, ExportedLog
from gatekeeper.audit.verify.findings import MAX_FINDINGS, Report, Trouble
from gatekeeper.audit.verify.input_files import read_object
from gatekeeper.audit.verify.partition_manifests import PartitionManifests
from gatekeeper.audit.verify.partition_records import PartitionRecords
from gatekeeper.audit.verify.skips import Skips
from gatekeeper.audit.verify.trust import Demands

POOL_BYTES = 1 << 24
"""Memory allocated and freed once at the start, untouched. From then on the C library keeps freed memory."""
_SCHEMAS = ("schemas/audit.json", "schemas/manifest.json")


def verify(
    folder: Path,
    *,
    witness: Vkey | None = None,
    min_size: int | None = None,
    log: str | None = None,
    require_witness: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Checks an export. The report holds all findings, and the manipulations that were and were not excluded.

    `witness`: the key of a witness that you trust, not taken from this folder. `min_size`: the least number of leaves
    that the log must have. `log`: the log's name. `require_witness`: no witness is a finding.
    `progress` is called with the bytes read so far and the bytes in all.
    """
    bytes(POOL_BYTES)
    report, demands = Report(), Demands(witness, min_size, log, require_witness)
    try:
        if not folder.is_dir():
            raise Trouble("no_folder", file=str(folder))
        _check(ExportFolder(folder, progress or (lambda done, total: None)), report, demands)
    except Trouble as trouble:
        report.give_up(trouble)
    except (MemoryError, RecursionError) as error:
        report.give_up(Trouble("too_much", detail=type(error).__name__))
    return report


def _check(files: ExportFolder, report: Report, demands: Demands) -> None:
    """Adds all findings to the report; raises Trouble if the check cannot go on."""
    about = read_object(files.read("export.json"), "export.json")
    version, partitions, first, to = (about.get(name, "") for name in ("v", "partitions", "from", "to"))
    known = type(version) is type(partitions) is int and version in (1, 2) and 0 < partitions <= MAX_PARTITIONS
    if not known or not all(moment is None or MOMENT.fullmatch(str(moment)) for moment in (first, to)):
        raise Trouble("about")
    report.period = first, to
    files.scan(by_day=version == 2)
    for name in files.misnamed():
        report.add("content", file=name)
    workers, needed, seen = files.keys("worker"), set(_SCHEMAS), set[bytes]()
    log = ExportedLog(files, report, first=first, to=to)
    excluded = log.check(about.get("group"), demands)
    signers = Signers(report, str(about.get("group")))
    if STAFF in files.names:
        signers.learn(read_object(line, STAFF) for line in files.read(STAFF).splitlines())
    for number in range(partitions):
        with files.lines("records", number) as lines, files.lines("manifests", number) as manifests:
            skips = Skips(number, report)
            records = PartitionRecords(lines, report, skips, seen, signers)
            PartitionManifests(
                number, records, skips, report, log=log, workers=workers, needed=needed, whole=first is None
            ).check(manifests)
    for number, sealed in sorted(log.sealed.items()):
        for leaf in sealed.values():
            report.add("missing_manifest", (number, 0), leaf=leaf)
    for name in files.lacking(needed):
        report.add("lacking", file=name)
    strangers = files.strangers()
    for name in filter(of_partition, strangers):
        report.add("outside", file=name)
    _say(report, log, first, to)
    log.branches.say(signers)
    signers.say()
    report.exclude(excluded)
    report.say("elsewhere")
    report.say("not_looked_at")
    if strangers:
        report.say("strangers", count=len(strangers), file=", ".join(sorted(set(map(top_of, strangers)))))


def _say(report: Report, log: ExportedLog, first: str | None, to: str | None) -> None:
    """Adds to the report: the counts, the skips, the period, and the reports of coverage."""
    report.say("counted", manifests=report.manifests, records=report.records, leaves=report.leaves)
    for skip in report.skips[:MAX_FINDINGS]:
        report.say("skipped_by" if skip["first"] < skip["to"] else "gone_back_by", **skip)
    if first or to:
        report.say("only", first=first, to=to)
    for code, (count, values) in log.coverage.items():
        report.say(code, count=count, **values)
