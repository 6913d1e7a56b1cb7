"""The lines beside name and address for which a source may account: company, department, title (domain rule 8.3.54)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gatekeeper.identity.address_segments import PREFECTURE, Piece
from gatekeeper.identity.postal import Postal

MOST = 8
"""Such lines of one print, at most; one that has more is not accounted for."""
_UNIT = "部|課|係|室|階|-f|f|号館|棟|組|班|グループ|チーム|番窓口|回生|年"
_NEVER = re.compile(
    rf"〒|{PREFECTURE.pattern}|転送|回送|転居|移転|[旧前新元]住所|私書箱|丁目|番地|(?<![0-9第])[0-9]+(?![0-9]|{_UNIT})"
)
_NOT_LETTERS = re.compile(r"[\W_]+")


def further_lines(whole: Postal, pieces: Sequence[Piece]) -> tuple[str, ...]:
    """The normalised lines of further text, each with person and address; () without any, or if one never counts.

    A second postcode, prefecture or house number, and a forwarding note, are never accounted for. `pieces`: those of
    the same print, the name last. `whole`: its person and address without that text.
    """
    kinds = {piece.kind for piece in pieces}
    if pieces[-1].kind == "further" or not {"place", "house"} <= kinds:
        return ()
    lines = [line for piece in pieces if piece.kind == "further" for line in piece.text.split("\n")]
    if any(map(_NEVER.search, lines)):
        return ()
    texts = [*dict.fromkeys(text for line in lines if (text := _NOT_LETTERS.sub("", line)))]
    return tuple(f"further||{whole}|{text}" for text in texts) if len(texts) <= MOST else ()
