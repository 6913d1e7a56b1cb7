"""Normalisation of e-mail addresses and telephone numbers: one form for all spellings."""

from __future__ import annotations

import re

from gatekeeper.identity.characters import nfkc
from gatekeeper.identity.letters import settled

_BRACKETED = re.compile(r".*<([^<>]*)>.*", re.DOTALL)
_UNSEEN = re.compile(r"[\s\u00ad\u200b-\u200d\u2060\ufeff]+")
_EXTENSION = re.compile(r"内線|ext|代|[x#;,/]")
_NOT_DIGITS = re.compile(r"[^0-9]+")
_QUOTED = re.compile(r'"[^"]*"(?=@)')
_NAMED = re.compile(r"[^<>@]*<([^<>]*)>")
_LISTED = re.compile(r"[,;、|<>]|[^\s@]\s+[^\s@]")
_SECOND = re.compile(r"[0-9)]\s*[/・、,~〜]\s*[0-9(+]")
NUMBER, LONGEST = 7, 15
"""Digits that a telephone number has at least, and at most (ITU-T E.164)."""
_ABROAD = re.compile(r"^(?:00|010)(?=[1-9])")


def several_mailboxes(text: str) -> bool:
    """True if a written e-mail address holds more than one mailbox, or anything behind one (domain rule 7.4.19).

    A display name before the brackets, `Hanako <hanako@mail.example>`, is no mailbox.
    """
    plain = _QUOTED.sub("", nfkc(text)).strip().removeprefix("mailto:")
    if bracketed := _NAMED.fullmatch(plain):
        plain = bracketed[1]
    return plain.count("@") > 1 or bool(_LISTED.search(plain))


def several_numbers(text: str) -> bool:
    """True if a written telephone number holds a second number; an extension is none (domain rule 7.4.19)."""
    first, *rest = _EXTENSION.split(nfkc(text).casefold().strip(" \t("), maxsplit=1)
    behind = len(_NOT_DIGITS.sub("", "".join(rest)))
    digits = len(_NOT_DIGITS.sub("", first))
    return bool(_SECOND.search(nfkc(text))) or behind >= NUMBER or digits > LONGEST


def normalise_email(text: str) -> str:
    """The mailbox in lower case and ASCII width, its domain in IDNA; "" for text that is no address.

    Dots and plus tags of the local part stay, because they distinguish mailboxes. Dots count as the carriers assigned
    them, against RFC 5322 (`a..b@`, `c.@`). Case is dropped: no mailbox provider distinguishes people by case, and a
    capital letter must not hide an objection. Idempotent.
    """
    return settled(_email, text)


def _email(text: str) -> str:
    plain = _UNSEEN.sub("", nfkc(nfkc(text).casefold()))
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
        pass  # an odd domain stays as written, so that an objection is not lost
    return f"{local}@{domain}"


def normalise_phone(text: str) -> str:
    """The number as `+` and digits, Japanese without another country code; "" for text that is no number.

    `03-…`, `+81 3-…`, `+81 (0)3…` and `3…` (a spreadsheet dropped the 0) are one line. An extension is left out,
    because an objection to calls applies to the whole line. Idempotent.
    """
    plain = _EXTENSION.split(nfkc(text).casefold().strip(" \t("), maxsplit=1)[0]
    number = _NOT_DIGITS.sub("", plain)
    digits, abroad = (number, 1) if plain.startswith("+") else _ABROAD.subn("", number, count=1)
    if (abroad and digits.startswith("81")) or (len(digits) in (11, 12) and digits.startswith("81")):
        national = digits[2:].removeprefix("0")
    elif abroad:
        return f"+{digits}" if 7 <= len(digits) <= 15 and not digits.startswith("0") else ""
    else:
        national = digits.removeprefix("0")
    return f"+81{national}" if 9 <= len(national) <= 10 and not national.startswith("0") else ""
