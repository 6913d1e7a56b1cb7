"""An export as others read it: the folder that `gatekeeper audit export` wrote, checked by `gatekeeper audit verify`.

`export.json`, `records/P.ndjson.gz`, `manifests/P.ndjson.gz`, `log/`, `keys/`, `policies/SHA256.toml`,
`reference/SHA256.json`, `schemas/` and `verify.py`.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import Any

import orjson

from gatekeeper.audit.checks.trail import Link, link
from gatekeeper.audit.tlog.canonical_json import is_place
from gatekeeper.audit.tlog.ranges import MAX_PARTITIONS
from gatekeeper.errors import IntegrityError


class Folder:
    """Reads an export; it believes what stands there, so verify first.

    Raises IntegrityError (4) where a file is missing or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._reading(path / "export.json") as file:
            self.about: dict[str, Any] = orjson.loads(file.read_bytes())
            self._partitions = self.about["partitions"]
            if type(self._partitions) is not int or not 0 < self._partitions <= MAX_PARTITIONS:
                raise ValueError("a number of partitions")

    def partitions(self) -> list[int]:
        """Returns the numbers of all partitions."""
        return list(range(self._partitions))

    def links(self, partition: int) -> Iterator[Link]:
        """Yields a partition's links in order, each with its records; raises as `checks.trail.link` does.

        Raises IntegrityError (4) at the end where records are left that no manifest covers.
        """
        records, offset = self._lines("records", partition), 0
        for line in self._lines("manifests", partition):
            with self._reading(self._file("manifests", partition)):
                said = orjson.loads(line)
                value, signature = said["value"].encode(), base64.b64decode(said["sig"] or "")
                if not is_place(offset := said["offset"]):
                    raise ValueError("a place is a number")
                yield link(partition, offset, value, signature, records, index=said["index"])
        if next(records, None) is not None:
            raise IntegrityError("error.trail_order", partition=partition, offset=offset)

    def policy(self, sha256: str) -> bytes | None:
        """Returns the bytes of a policy version by their SHA-256 in hex, None where they were not exported."""
        return self._stored(self.path / "policies" / f"{sha256}.toml")

    def reference(self, sha256: str) -> bytes | None:
        """Returns the bytes of a record of `reference` by their SHA-256 in hex, None where they were not exported."""
        return self._stored(self.path / "reference" / f"{sha256}.json")

    def _stored(self, file: Path) -> bytes | None:
        try:
            file.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            pass  # reading it says why
        with self._reading(file):
            return file.read_bytes()

    def _lines(self, kind: str, partition: int) -> Iterator[bytes]:
        path = self._file(kind, partition)
        with self._reading(path), gzip.open(path, "rb") as lines:
            for line in lines:
                yield line.rstrip(b"\n")

    def _file(self, kind: str, partition: int) -> Path:
        return self.path / kind / f"{partition}.ndjson.gz"

    @contextmanager
    def _reading(self, file: Path) -> Iterator[Path]:
        try:
            if not S_ISREG(file.stat().st_mode):
                raise IntegrityError("error.export_file", file=file, detail="no regular file")
            yield file
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
            detail = error if isinstance(error, OSError) else type(error).__name__
            raise IntegrityError("error.export_file", file=file, detail=detail) from None
