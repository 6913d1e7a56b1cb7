"""Where the data came from that a decision stands on: the list it was bought with, else the form it was given on.

Read from an audit record alone, so that causes can be grouped: one list, or one form, is usually one fix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from schemas.values import ID_PATTERN

Kind = Literal["batch", "notice", "method"]
NONE = "none"
"""No source is known that the decision stands on."""
_FORM = re.compile(rf"(?:batch|notice|method)/{ID_PATTERN.strip('^$')}")


def origin(record: Mapping[str, Any]) -> str:
    """Returns the data source of an audit record: `batch/ID`, `notice/ID`, `method/CODE`, or `none`.

    It is that of the basis; where the decision stands on no source, that of the only one there is.
    """
    sources = (record.get("facts") or {}).get("sources") or ()
    based = [one for one in sources if one.get("source_id") == record.get("basis")]
    found = based[-1:] or (sources if len(sources) == 1 else ())
    for source in found:
        for kind in ("batch", "notice"):
            if id_ := source.get(f"{kind}_id"):
                return f"{kind}/{id_}"
        return f"method/{source.get('method')}"
    return NONE


def is_origin(text: str) -> bool:
    """Returns whether a text has the form of one."""
    return text == NONE or _FORM.fullmatch(text) is not None
