"""Checks the audit records of a partition against the manifests that cover them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from gatekeeper.audit.tlog.canonical_json import MALFORMED, read_canonical
from gatekeeper.audit.tlog.merkle import LEAF_PREFIX, leaf_hash, root_of
from gatekeeper.audit.tlog.ranges import MAX_RECORDS, offsets
from gatekeeper.audit.verify.act_signatures import Signers, of_person
from gatekeeper.audit.verify.findings import MAX_FINDINGS, Report, Trouble
from gatekeeper.audit.verify.input_files import Lines
from gatekeeper.audit.verify.manifest_lines import ManifestLine
from gatekeeper.audit.verify.skips import Skips

MAX_TAKEN = 1 << 28
"""Most bytes of the records of one manifest; a transaction of the worker has 1,000 records of 256 KiB."""
MAX_AHEAD = 1 << 26
"""Most bytes that are read beyond a manifest whose records do not fit, to find where its own begin."""
_Placed = tuple[int, re.Match[bytes] | None, re.Match[bytes] | None]
"""The number of a record in its manifest, with the matches of its decision id and end (None without one)."""
_Span = tuple[bytes, int, int]
"""A run of inflated lines: the bytes that hold them, its start, and its end."""
_DID = re.compile(rb'"did":"([A-Z2-7]{26})"')
_TAIL = re.compile(
    rb'"src":\{(?:"era":[1-9][0-9]{0,8},)?"offset":([0-9]{1,19}),"partition":([0-9]{1,9}),"timestamp":[0-9]+,'
    rb'"topic":"([^"\\]*)"\},"stage":"([a-z]+)",'
)
"""The end of an audit record, from its last `{` on. Keys are sorted, and none after `src` holds an object."""
_REFERENCE = re.compile(rb'"refs":\{(?:"[^"}]*":null,)*+"[^"}]*":"[0-9a-f]{64}"')
"""A record's name for a file in `reference/`. The search is linear in the length of any input."""


class PartitionRecords:
    """Takes each manifest's records in turn, and reports their faults."""

    def __init__(self, lines: Lines, report: Report, skips: Skips, seen: set[bytes], signers: Signers) -> None:
        """`seen`: ids of the decisions at other stages than intake, in any partition."""
        self._lines, self._report, self._skips, self._seen = lines, report, skips, seen
        self._signers = signers

    def names_reference(self) -> bool:
        """Tells, before any record is taken, whether one of the first names a file in `reference/`."""
        return self._lines.more() and _REFERENCE.search(self._lines.data) is not None

    def rest(self) -> bool:
        """True if a byte remains that no manifest covers. Nothing behind the first is read, however much there is."""
        return self._lines.at < len(self._lines.data) or self._lines.more()

    def take(self, manifest: ManifestLine, ahead: Iterable[ManifestLine]) -> None:
        """Takes the records of a manifest, and reports their faults. `ahead`: some manifests after it."""
        count, content = manifest.said["audit"]["n"], manifest.said
        spans, leaves, odd, whole = self._walk(count, content)
        fits = _fits(leaves, content)
        if fits and count and f'"did":"{content["audit"]["from_id"]}"'.encode() not in _first(*spans[0]):
            self._report.add("torn_transaction", manifest.place, count=count, wanted=count)
        if not (fits and whole):
            records, whole = _cut(spans) if fits else self._own(manifest, _cut(spans), ahead), False
            count = len(records)
            odd = [
                (index, _DID.search(record), _TAIL.match(record, max(0, record.rfind(b"{") - 6)))
                for index, record in enumerate(records)
            ]
        self._report.records += count
        self._inputs(manifest, odd, count, whole=whole)

    def left_behind(self, manifest: bytes, place: tuple[int, int]) -> None:
        """Takes the records of a missing manifest if they come next, so that they hide no others.

        `manifest`: as the sealed log holds it. `place`: of the manifest after it.
        """
        try:
            content = read_canonical(manifest)
            count, own = content["audit"]["n"], f'"did":"{content["audit"]["from_id"]}"'.encode()
            if not 0 < count <= MAX_RECORDS or own not in self._lines.peek():
                return
            spans, leaves, _, _ = self._walk(count, content)
        except MALFORMED:
            return
        if _fits(leaves, content):
            self._report.add("stray_record", place, count=count)
        else:
            self._lines.back(_cut(spans))

    def _walk(self, count: int, content: dict[str, Any]) -> tuple[list[_Span], list[bytes], list[_Placed], bool]:
        """Takes `count` records. The result: spans, leaf hashes, odd records, and whether each send has one.

        A regular record costs only its hash and a comparison of `src`, its last object, with the next send. All other
        records are odd, such as an act's or a wrong one.
        """
        topic, coming = (content["in"][0]["topic"], offsets(content["in"][0])) if content["in"] else ("", iter(()))
        era = b'"era":%d,' % content["in"][0]["era"] if content["in"] and "era" in content["in"][0] else b""
        heads = _formatted(b'"src":{%b"offset":%%d,"partition":%d,"timestamp":' % (era, content["partition"]), coming)
        behind = b',"topic":"%s"},"stage":"intake",' % topic.encode()
        none = b"\n"  # no record holds one
        head, lines, begun = next(heads, none), self._lines, LEAF_PREFIX.copy
        spans: list[_Span] = []
        leaves: list[bytes] = []
        odd: list[_Placed] = []
        tail: re.Match[bytes] | None = None
        taken = 0
        while len(leaves) < count:
            data, at = lines.data, lines.at
            find, last, starts, view = data.find, data.rfind, data.startswith, memoryview(data)
            for _ in range(count - len(leaves)):
                if (end := find(b"\n", at)) < 0:
                    break
                leaf = begun()
                leaf.update(view[at:end])
                leaves.append(leaf.digest())
                src = last(b"{", at, end) - 6
                # a time in milliseconds has 13 digits from 2001 to 2286; any other takes the longer way
                time = src + len(head)
                if starts(head, src) and starts(behind, time + 13) and data[time : time + 13].isdigit():
                    head = next(heads, none)
                else:
                    if not (tail and starts(tail[0], src)):  # an act of many pieces has as many records
                        tail = _TAIL.match(data, src, end)
                    odd.append((len(leaves) - 1, _DID.search(data, at, end), tail))
                at = end + 1
            if at > lines.at:
                spans.append((data, lines.at, at))
                taken += at - lines.at
                if taken > MAX_TAKEN:
                    raise Trouble("large", file=lines.name, most=MAX_TAKEN)
            lines.at = at
            if len(leaves) < count and not lines.more():
                break
        return spans, leaves, odd, head is none

    def _own(self, manifest: ManifestLine, taken: list[bytes], ahead: Iterable[ManifestLine]) -> list[bytes]:
        """The records of a manifest if `taken` does not fit it; gives the records after them back.

        They follow some strays, all of them intact, or they end where the records of a manifest ahead begin.
        """
        own, count, begin, end = manifest.said["audit"]["from_id"], manifest.said["audit"]["n"], None, None
        starts = {audit["from_id"]: audit["n"] for audit in (later.said["audit"] for later in ahead) if audit["n"]}
        size = 0
        for index in range(2 * count + sum(starts.values())):
            if index == len(taken):
                if size > MAX_AHEAD or (line := self._lines.line()) is None:
                    break
                taken.append(line)
                size += len(line)
            did = match[1].decode() if (match := _DID.search(taken[index])) else ""
            if did in starts:
                end = index
                break
            if did == own and begin is None:
                begin = index
        if begin and _fits([leaf_hash(record) for record in taken[begin : begin + count]], manifest.said):
            self._report.add("stray_record", manifest.place, count=begin)
            end = begin + count
        else:
            if end is None:  # the records after it are damaged too, or missing
                end = count if starts else len(taken)
            begin = 0
            self._report.add("torn_transaction", manifest.place, count=len(taken[:end]), wanted=count)
        self._lines.back(taken[end:])
        return taken[begin:end]

    def _inputs(self, manifest: ManifestLine, odd: list[_Placed], count: int, *, whole: bool) -> None:
        """Checks that each input of a manifest has exactly one record, and that no other input has one.

        `odd`: the records to look at; all of them unless `whole`, when each send is known to have its own. `count`: the
        actual number of records.
        """
        if whole and not odd and len(manifest.said["in"]) < 2:
            return
        # if inputs outnumber the records, only as many are named as can be reported
        most = count + MAX_FINDINGS
        inputs = ((taken["topic"], at) for taken in manifest.said["in"][:1] for at in islice(offsets(taken), most))
        more = ((taken["topic"], at) for taken in manifest.said["in"][1:] for at in islice(offsets(taken), most))
        sends, others = dict.fromkeys(inputs), dict.fromkeys(islice(more, most))
        left, latest, known = {} if whole else dict(sends), -1, None
        for index, did, tail in odd:
            if did is None or tail is None:
                self._report.add("unreadable_record", manifest.place, record=index)
                continue
            if tail is not known:
                known, offset, partition, topic, stage = tail, int(tail[1]), int(tail[2]), tail[3].decode(), tail[4]
                input_ = topic, offset
            wrong = None
            if partition != manifest.said["partition"]:
                wrong = "foreign_record"
            elif stage != b"intake":
                others.pop(input_, None)
                if self._skips.awaits(topic, offset):
                    self._skips.take(offset, _line_of(tail))
                wrong = "doubled_record" if did[1] in self._seen else None
                self._seen.add(did[1])
                if of_person(stage.decode(), topic):
                    self._signers.take(_line_of(tail), manifest.place)
            elif input_ not in left:
                wrong = "doubled_record" if input_ in sends else "foreign_record"
            else:
                del left[input_]
                wrong = "reordered_record" if offset < latest else None
                latest = offset
            if wrong:
                self._report.add(wrong, manifest.place, topic=topic, input=offset, record=index, of=partition)
        for topic, offset in chain(left, others):
            self._report.add("omitted_record", manifest.place, topic=topic, input=offset)


def _line_of(tail: re.Match[bytes]) -> bytes:
    """The whole record around a match of its end."""
    data = tail.string
    end = data.find(b"\n", tail.end())
    return data[data.rfind(b"\n", 0, tail.start()) + 1 : len(data) if end < 0 else end]


def _fits(leaves: list[bytes], content: dict[str, Any]) -> bool:
    return len(leaves) == content["audit"]["n"] and root_of(leaves).hex() == str(content["root"])


def _first(data: bytes, start: int, end: int) -> bytes:
    return data[start : data.find(b"\n", start, end)]


def _cut(spans: Iterable[_Span]) -> list[bytes]:
    return b"".join(data[start:end] for data, start, end in spans).split(b"\n")[:-1]


def _formatted(form: bytes, numbers: Iterator[int]) -> Iterator[bytes]:
    """Yields the form filled with each number. A thousand are made at once, which takes less time."""
    lines = form + b"\n"
    groups = iter(lambda: tuple(islice(numbers, 1_000)), ())
    return chain.from_iterable((lines * len(few) % few).splitlines() for few in groups)
