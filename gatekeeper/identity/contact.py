"""E-mail addresses and telephone numbers: one form for every way to write a mailbox or a line."""

from __future__ import annotations

import re
from unicodedata import normalize

from gatekeeper.identity.letters import settled

_BRACKETED = re.compile(r".*<([^<>]*)>.*", re.DOTALL)
_UNSEEN = re.compile(r"[\s\u00ad\u200b-\u200d\u2060\ufeff]+")
_EXTENSION = re.compile(r"内線|ext|代|[x#;,/]")
_NOT_DIGITS = re.compile(r"[^0-9]+")
_ABROAD = re.compile(r"^(?:00|010)(?=[1-9])")


def normalise_email(text: str) -> str:
    """The mailbox in lower case and full ASCII width, its domain in IDNA; "" for what is no address.

    Dots and plus tags of the local part tell mailboxes apart and stay, also those that RFC 5322 forbids and mobile
    carriers gave out (`a..b@`, `c.@`). Its case does not: no mailbox provider tells people apart by it, and an
    objection must not be missed for a capital letter. Idempotent.
    """
    return settled(_email, text)


def _email(text: str) -> str:
    plain = _UNSEEN.sub("", normalize("NFKC", normalize("NFKC", text).casefold()))
    bracketed = _BRACKETED.fullmatch(plain)
    local, _, domain = (bracketed[1] if bracketed else plain).removeprefix("mailto:").rpartition("@")
    if local.startswith('"') and local.endswith('"'):
        local = local.strip('"')
    domain = domain.replace("。", ".").rstrip(".")
    if not local or not domain:
        return ""
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        pass  # an odd domain is nobody's reason to forget an objection: it stays as written
    return f"{local}@{domain}"


def normalise_phone(text: str) -> str:
    """The number as `+` and digits, Japanese unless it says otherwise; "" for what is no number.

    `03-…`, `+81 3-…`, `+81 (0)3…` and `3…` (a spreadsheet took the 0) are one line. An extension is left out:
    who objects to calls on a line means the line. Idempotent.
    """
    plain = _EXTENSION.split(normalize("NFKC", text).casefold().strip(" \t("), maxsplit=1)[0]
    number = _NOT_DIGITS.sub("", plain)
    digits, found = (number, 1) if plain.startswith("+") else _ABROAD.subn("", number, count=1)
    if (found and digits.startswith("81")) or (len(digits) in (11, 12) and digits.startswith("81")):
        national = digits[2:].removeprefix("0")
    elif found:
        return f"+{digits}" if 7 <= len(digits) <= 15 and not digits.startswith("0") else ""
    else:
        national = digits.removeprefix("0")
    return f"+81{national}" if 9 <= len(national) <= 10 and not national.startswith("0") else ""
