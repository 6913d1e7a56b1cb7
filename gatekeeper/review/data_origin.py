"""The origin of the data behind a decision: the purchased list, else the form on which the person gave it.

Read from an audit record alone. Grouping by origin helps, because one list or one form usually needs one fix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from schemas.values import ID_PATTERN

OriginKind = Literal["batch", "notice", "method"]
NONE = "none"
"""Origin of a decision without a known source."""
_FORM = re.compile(rf"(?:batch|notice|method)/{ID_PATTERN.strip('^$')}")


def origin(record: Mapping[str, Any]) -> str:
    """The data source of an audit record: `batch/ID`, `notice/ID`, `method/CODE`, or `none`.

    The source is the decision's basis. Without a basis, the person's only source counts.
    """
    if (source := _source(record)) is None:
        return NONE
    for kind in ("batch", "notice"):
        if id_ := source.get(f"{kind}_id"):
            return f"{kind}/{id_}"
    return f"method/{source.get('method')}"


def route(record: Mapping[str, Any]) -> str:
    """The acquisition method of the data of an audit record, or `none`."""
    source = _source(record)
    return NONE if source is None else str(source.get("method"))


def _source(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    sources: Sequence[Mapping[str, Any]] = (record.get("facts") or {}).get("sources") or ()
    based = [source for source in sources if source.get("source_id") == record.get("basis")]
    return based[-1] if based else sources[0] if len(sources) == 1 else None


def is_origin(text: str) -> bool:
    """Tells whether a text has the form of an origin."""
    return text == NONE or _FORM.fullmatch(text) is not None
