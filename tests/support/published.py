"""The published contract in tests: what validates by its files, as a reader of another company would see it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, validators

FILES = Path(__file__).parents[2] / "schemas" / "json"


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    """Reads a pattern as JSON Schema asks: `$` is the end alone. Python's own also takes a line feed before it."""
    ends = re.sub(r"(?<!\\)\$", r"\\Z", pattern)
    yield from _PATTERN(validator, ends, instance, schema)


_PATTERN: Callable[..., Iterator[Any]] = Draft202012Validator.VALIDATORS["pattern"]
Reader = validators.extend(Draft202012Validator, {"pattern": _pattern})


@cache
def document(name: str) -> Any:
    """Returns one of the files, `sends`, `sends.headers` or `asyncapi`. One test holds them to the models."""
    return json.loads((FILES / f"{name}.json").read_bytes())


@cache
def reader(name: str) -> Any:
    """Returns a validator by one of the files, `sends` or `sends.headers`."""
    return Reader(document(name))


def faults(name: str, value: Any) -> list[str]:
    """Returns why a value is refused by a file; empty if it is taken."""
    return [f"{'.'.join(map(str, one.absolute_path))}: {one.validator}" for one in reader(name).iter_errors(value)]


def headers(found: Mapping[str, bytes] | Any) -> dict[str, str]:
    """Returns a record's headers as the files describe them."""
    return {name: value.decode() for name, value in dict(found).items()}
