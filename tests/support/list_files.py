"""Column maps of list files."""

from __future__ import annotations


def list_map(
    *,
    recipient_id: str = "番号",
    name: str = "氏名",
    line: str = "住所",
    postcode: str | None = None,
    acquired_at: str = "入会日",
    collected_by: str = "C1",
) -> str:
    """The map of a list of card members, by the names of its columns. `collected_by`: a company."""
    code = f' postcode = "{postcode}",' if postcode else ""
    return f"""
recipient_id = {{ column = "{recipient_id}" }}
method = "direct.point_card"
collected_by = "{collected_by}"
acquired_at = {{ column = "{acquired_at}" }}
[[contact_points]]
id = "A"
token = {{ channel = "postal", name = "{name}",{code} lines = ["{line}"] }}
"""
