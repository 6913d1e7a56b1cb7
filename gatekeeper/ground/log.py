"""Structured logs: one JSON object per line (coloured text on a terminal), with allowed keys only.

Our own loggers and those of Faust, mode and aiokafka use the same formatter. A key that is not in ALLOWED is dropped.
So no name, address or contact value can reach a log by oversight.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

ALLOWED = frozenset(
    {
        "event", "level", "logger", "timestamp", "reason", "error", "frames", "code",
        "topic", "partition", "partitions", "kept", "offset", "position", "first", "next", "generation", "fault",
        "n", "of",
        "clear", "confirm", "review", "block", "codes",
        "producer", "transaction", "command",
        "broker", "port", "worker", "mode", "policy", "people", "seconds", "off_by_ms", "process",
        "lag_records", "lag_seconds", "p50_seconds", "p99_seconds",
        "folder", "bytes", "endpoint", "webhook", "answer", "tries",
    }
)  # fmt: skip
FOREIGN = {
    "faust": "WARNING",
    "mode": "WARNING",
    "aiokafka": "ERROR",
    "kafka": "CRITICAL",
    "asyncio": "WARNING",
    "uvicorn": "WARNING",
}
_QUOTING = (ValueError, TypeError, LookupError, AttributeError, AssertionError)
"""Errors whose text may quote the value in question; network errors do not."""
REPEAT_SECONDS = 10.0
"""A foreign logger's identical message is written at most this often."""


def silence() -> None:
    """Drops all events: a command writes its own messages, on stderr only."""
    structlog.configure(processors=[_drop])
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it tells of missing topics, as does the command itself


def _drop(*_: Any) -> MutableMapping[str, Any]:
    raise structlog.DropEvent


def configure(level: str = "info", *, process: int | None = None) -> None:
    """Sends all logs to stderr; `level` is the threshold of our own events.

    `process`: the number of this process, for each event; None if it is the only one.
    """

    def numbered(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return event if process is None else {"process": process, **event}

    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        numbered,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: Any = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = _Handler(sys.stderr)
    handler.addFilter(_Limit())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove, _allowed, renderer])
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name, threshold in FOREIGN.items():
        logging.getLogger(name).setLevel(threshold)


def _allowed(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: value for key, value in event.items() if key in ALLOWED}


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:
        """Names the logger of a message that cannot be written; Python would print the message with all its values."""
        with contextlib.suppress(OSError, ValueError):  # nobody reads the stream any more: the work goes on
            self.stream.write(f'{{"event":"unloggable","level":"error","logger":"{record.name}"}}\n')


class _Limit(logging.Filter):
    """Lets a foreign message through once in REPEAT_SECONDS, because an absent broker causes hundreds."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(tuple(FOREIGN)):
            return True
        _unquote(record)
        message = (record.name, str(record.msg))
        now = time.monotonic()
        if now - self._last.get(message, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        self._last[message] = now
        return True


def _unquote(record: logging.LogRecord) -> None:
    """Removes from a foreign message all parts that may quote a record: tracebacks, later lines, values."""
    record.exc_info = None
    record.msg = str(record.msg).partition("\n")[0]
    if isinstance(record.args, tuple):
        record.args = tuple(type(arg).__name__ if isinstance(arg, _QUOTING) else arg for arg in record.args)
