"""The manifests of a partition as an export holds them, one a line."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gatekeeper.audit.tlog.canonical_json import MALFORMED, is_place, read_canonical, read_json_once, with_keys
from gatekeeper.audit.tlog.ranges import MAX_RECORDS
from gatekeeper.audit.verify.findings import Trouble
from gatekeeper.audit.verify.input_files import Lines

MAX_MANIFEST = 1 << 17
"""Longest line with a manifest, in bytes; a leaf of the log has 65,535 at most."""


@dataclass
class ManifestLine:
    """A parsed line of a file of manifests. `place`: partition and offset. `said`: the manifest itself."""

    place: tuple[int, int]
    index: int | None
    value: bytes
    sig: bytes
    said: dict[str, Any]


def read_manifests(lines: Lines, number: int) -> Iterator[ManifestLine]:
    """Yields a partition's manifests in order; raises Trouble for a line that holds none."""
    file, count = "", 0
    for line in iter(lines.line, None):
        file, count = lines.name, count + 1 if lines.name == file else 1
        try:
            if len(line) > MAX_MANIFEST:
                raise ValueError("too long")
            fields = with_keys(read_json_once(line.decode()), "index", "offset", "sig", "value")
            value, offset, index = fields["value"].encode(), fields["offset"], fields["index"]
            sig, content = base64.b64decode(fields["sig"], validate=True), read_canonical(value)
            if not (
                is_place(offset) and (index is None or is_place(index)) and 0 <= content["audit"]["n"] <= MAX_RECORDS
            ):
                raise ValueError("no such place or number")
            yield ManifestLine((number, offset), index, value, sig, content)
        except MALFORMED:
            raise Trouble("line", file=file, line=count) from None
