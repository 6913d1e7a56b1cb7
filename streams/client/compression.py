"""Compression of a record batch: what others packed is inflated within a bound, and our own batches are packed.

Kafka compresses the records of a batch as one, behind a header in plain (KIP-98). docs/adr/0050-volume.md.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import cramjam
from aiokafka.record.util import calc_crc32c

from schemas.topics import Compression
from streams.client.record_batch import CODEC, FRAME, HEAD, BatchHeader, Fault

MAX_INFLATED = 8 * 2**20
"""Bytes of a batch's records, at most. Our topics take 1 MiB a batch, so data that grow eightfold are not ours."""
LEVEL = 1
"""Of both codecs: higher levels take twice the processor time for the last 3 % of the bytes."""

_GZIP, _SNAPPY, _LZ4, _ZSTD = 1, 2, 3, 4
_XERIAL = b"\x82SNAPPY\x00"
COVERED = 21
"""The position in a batch from which its checksum covers the bytes."""
_PACKS: Mapping[Compression, tuple[int, Callable[[bytes], Any]]] = {
    "gzip": (_GZIP, partial(cramjam.gzip.compress, level=LEVEL)),
    "zstd": (_ZSTD, partial(cramjam.zstd.compress, level=LEVEL)),
}


def packed(raw: bytes, compression: Compression) -> bytes:
    """An uncompressed batch with its records compressed; the same batch if that saves nothing."""
    if compression not in _PACKS:
        return raw
    codec, compress = _PACKS[compression]
    records = bytes(compress(raw[HEAD.size :]))
    if len(records) >= len(raw) - HEAD.size:
        return raw
    head = BatchHeader.of(raw)
    head = head._replace(length=HEAD.size - FRAME + len(records), attributes=head.attributes | codec)
    covered = HEAD.pack(*head)[COVERED:] + records
    return HEAD.pack(*head._replace(crc=calc_crc32c(covered)))[:COVERED] + covered


def inflated(raw: bytes) -> bytes:
    """A compressed batch in uncompressed form, with its checksum unchanged.

    Raises Fault: `batch_too_long` if the records take more than MAX_INFLATED, else `batch_unreadable`.
    """
    head = BatchHeader.of(raw)
    codec, payload = head.attributes & CODEC, raw[HEAD.size :]
    try:
        records = _snappy(payload) if codec == _SNAPPY else _framed(codec, payload)
    except Fault:
        raise
    except Exception:  # whatever a codec's library raises on foreign bytes, the reader must go on
        raise Fault("batch_unreadable") from None
    length = HEAD.size - FRAME + len(records)
    return HEAD.pack(*head._replace(length=length, attributes=head.attributes & ~CODEC)) + records


def _framed(codec: int, payload: bytes) -> bytes:
    library = {_GZIP: cramjam.gzip, _LZ4: cramjam.lz4, _ZSTD: cramjam.zstd}[codec]
    for room in (min(16 * len(payload), MAX_INFLATED), MAX_INFLATED):
        into = bytearray(room)
        try:
            return bytes(memoryview(into)[: library.decompress_into(payload, into)])
        except cramjam.DecompressionError as error:
            if "whole buffer" not in str(error):
                raise
    raise Fault("batch_too_long")


def _snappy(payload: bytes) -> bytes:
    """The content of one block (librdkafka), or of blocks behind a header of their own (Java)."""
    blocks = [payload]
    if payload.startswith(_XERIAL):
        blocks, at = [], 16
        while at < len(payload):
            size: int = struct.unpack_from(">i", payload, at)[0]
            if size < 0 or at + 4 + size > len(payload):
                raise Fault("batch_unreadable")
            blocks.append(payload[at + 4 : at + 4 + size])
            at += 4 + size
    if sum(cramjam.snappy.decompress_raw_len(block) for block in blocks) > MAX_INFLATED:
        raise Fault("batch_too_long")
    return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)
