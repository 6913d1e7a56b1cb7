"""Where the data came from that a decision stands on: the list it was bought with, else the form it was given on.

Read from an audit record alone, so that causes can be grouped: one list, or one form, is usually one fix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from schemas.values import ID_PATTERN

Kind = Literal["batch", "notice", "method"]
NONE = "none"
"""No source is known that the decision stands on."""
_FORM = re.compile(rf"(?:batch|notice|method)/{ID_PATTERN.strip('^$')}")


def origin(record: Mapping[str, Any]) -> str:
    """The data source of an audit record: `batch/ID`, `notice/ID`, `method/CODE`, or `none`.

    It is that of the basis; where the decision stands on no source, that of the only one there is.
    """
    if (source := _source(record)) is None:
        return NONE
    for kind in ("batch", "notice"):
        if id_ := source.get(f"{kind}_id"):
            return f"{kind}/{id_}"
    return f"method/{source.get('method')}"


def route(record: Mapping[str, Any]) -> str:
    """By which route the data of an audit record came, an acquisition method, or `none`."""
    source = _source(record)
    return NONE if source is None else str(source.get("method"))


def _source(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    sources: Sequence[Mapping[str, Any]] = (record.get("facts") or {}).get("sources") or ()
    based = [one for one in sources if one.get("source_id") == record.get("basis")]
    return based[-1] if based else sources[0] if len(sources) == 1 else None


def is_origin(text: str) -> bool:
    """Whether a text has the form of one."""
    return text == NONE or _FORM.fullmatch(text) is not None
