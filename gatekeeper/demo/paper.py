"""Pictures of the demo's forms, for the console to show: invented sheets of paper, as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from html import escape

from schemas.events import Notice

_SHEET = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 420 300" font-size="13" fill="#222">
<rect width="420" height="300" fill="#fffdf7" stroke="#999"/>
<text x="210" y="36" font-size="18" text-anchor="middle">{title}</text>
<text x="396" y="62" font-size="11" text-anchor="end">{company}</text>
{lines}</svg>
"""
_FIELDS = ("お名前", "ご住所", "お電話")
_USED_FOR = "ご記入いただいた情報は、次の目的に利用します。"
_LINE = 26
"""Height of a line, in the sheet's own units."""


def drawn(notice: Notice, names: Mapping[str, str]) -> bytes:
    """The sheet: title, company, fields to fill in, and its purposes. `names`: of companies and purposes, by code."""
    lines, y = list[str](), 92
    for field in _FIELDS:
        lines.append(f'<text x="24" y="{y}">{field}</text><path d="M90 {y + 3}H396" stroke="#999"/>')
        y += _LINE
    lines.append(f'<text x="24" y="{y + 8}" font-size="11">{_USED_FOR}</text>')
    for code in notice.purposes:
        y += _LINE
        lines.append(f'<rect x="24" y="{y}" width="12" height="12" fill="none" stroke="#222"/>')
        lines.append(f'<text x="46" y="{y + 11}">{escape(names.get(code, code))}</text>')
    title, company = notice.name or notice.id, names.get(notice.controller_id, notice.controller_id)
    return _SHEET.format(title=escape(title), company=escape(company), lines="\n".join(lines)).encode()


def hashed(picture: bytes) -> str:
    """The hash by which a form names its picture."""
    return sha256(picture).hexdigest()
