"""The scalar types of the contract: ids, codes, tokens and times. Each refuses values of another form."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$"
CODE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._\-]{0,63}$"
_HAN = (
    "\u2e80-\u2e99\u2e9b-\u2ef3\u2f00-\u2fd5\u3005\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufa6d\ufa70-\ufad9\U00016fe2\U00016fe3\U00016ff0\U00016ff1\U00020000-\U0002a6df\U0002a700-\U0002b739"
    "\U0002b740-\U0002b81d\U0002b820-\U0002cea1\U0002ceb0-\U0002ebe0\U0002ebf0-\U0002ee5d\U0002f800-\U0002fa1d"
    "\U00030000-\U0003134a\U00031350-\U000323af"
)
_HIRAGANA = "\u3041-\u3096\u309d-\u309f\U0001b001-\U0001b11f\U0001b132\U0001b150-\U0001b152\U0001f200"
_KATAKANA = (
    "\u30a1-\u30fa\u30fd-\u30ff\u31f0-\u31ff\u32d0-\u32fe\u3300-\u3357\uff66-\uff6f\uff71-\uff9d"
    "\U0001aff0-\U0001aff3\U0001aff5-\U0001affb\U0001affd\U0001affe\U0001b000\U0001b120-\U0001b122\U0001b155"
    "\U0001b164-\U0001b167"
)
"""The scripts by their characters: `\\p{Han}` is read by few programs, and by each in its own version of Unicode."""
_LETTERS = f"A-Za-z0-9{_HAN}{_HIRAGANA}{_KATAKANA}"
AUDIENCE_PATTERN = rf"^[{_LETTERS}][{_LETTERS}ー々・._\-]{{0,63}}$"
PERIOD_PATTERN = r"^P([1-9][0-9]{0,2}D|T[1-9][0-9]{0,2}[HM])$"
TOKEN_PATTERN = r"^t[1-9][0-9]?(k([2-9]|[1-9][0-9]{1,3}))?_[A-Za-z0-9_\-]{43}$"  # noqa: S105 (the shape, no token)
"""A token: `t`, the normaliser's version, `k` and the key's number unless it is 1, and 32 bytes in base64url."""

_PHONE = re.compile(r"(0[0-9]{9,10}|81[0-9]{9,10})")

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters, separators of lines, and marks that turn the direction of writing."""
TIME_LENGTH = 40
"""Characters of a written time, at most."""
_FORMULA = ("=", "+", "-", "@")
"""First characters that make a spreadsheet read a text as a formula."""
_SPACES = r"[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]*"

# The conditions of our validators in the words of JSON Schema, as far as it has them, for the published contract.
_DIALLED_PATTERN = r"^(0([.\-]*[0-9]){9,10}|8[.\-]*1([.\-]*[0-9]){9,10})[.\-]*$"
_FORMULA_PATTERN = rf"^{_SPACES}[=+@]|^{_SPACES[:-1]}+-|^-."
_DAY_PATTERN = r"(19[0-9]{2}|2[01][0-9]{2}|2200)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK_PATTERN = r"T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?"
_ZONE_PATTERN = r"(Z|[+\-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)"


def form(title: str, description: str = "", **more: Any) -> Any:
    """The name of a form of text in the published contract, its description, and further words of JSON Schema."""
    return Field(json_schema_extra={"title": title, **({"description": description} if description else {}), **more})


def given(*names: str) -> dict[str, Any]:
    """The condition of JSON Schema that an object has these fields, and none of them is null."""
    return {"required": [*names], "properties": {name: {"not": {"type": "null"}} for name in names}}


def absent(*names: str) -> dict[str, Any]:
    """The condition of JSON Schema that an object does not have these fields, or they are null."""
    return {"properties": {name: {"type": "null"} for name in names}}


class Model(BaseModel):
    """A value of the contract: strict (no coercion), frozen, and closed to unknown fields.

    Its validator is built at its first use, because a command uses few of the contract's models.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", defer_build=True)


def looks_dialled(value: str) -> bool:
    """True for an id that looks like a telephone number of Japan."""
    return value[0] in "08" and _PHONE.fullmatch(value.replace("-", "").replace(".", "")) is not None


def _surrogate(value: str) -> str:
    if looks_dialled(value):
        raise ValueError("looks like a telephone number; use the CRM's random surrogate id")
    return value


def parse_time(text: str) -> date | datetime:
    """Reads an ISO 8601 date, local time or instant; raises ValueError for anything else.

    A `date` is date-only; a `datetime` without `tzinfo` is in the policy's time zone (domain rule 6.1).
    """
    if len(text) == 10:
        return date.fromisoformat(text)
    if len(text) < 16 or text[10] != "T":
        raise ValueError("is not an ISO 8601 date or time")
    return datetime.fromisoformat(text)


def _time(value: str) -> str:
    _year_in_range(parse_time(value))
    return value


def zoned(value: str) -> str:
    """The time as written. Raises ValueError if it has a clock time without time zone, or lies outside 1900 to 2200."""
    parsed = parse_time(value)
    if isinstance(parsed, datetime) and parsed.tzinfo is None:
        raise PydanticCustomError("no_time_zone", "has no time zone; add an offset such as +09:00")
    _year_in_range(parsed)
    return value


def _year_in_range(parsed: date | datetime) -> None:
    if not 1900 <= parsed.year <= 2200:
        raise ValueError("is outside the years 1900 to 2200")


def _printable(value: str) -> str:
    if UNPRINTABLE.search(value):
        raise PydanticCustomError("text_unprintable", "holds a control character or a mark of writing direction")
    return value


def begins_formula(value: str) -> bool:
    """True for a text that a spreadsheet would take for a formula.

    `-` is none, as people write it for a missing name.
    """
    return value.lstrip().startswith(_FORMULA) and value != "-"


def _no_formula(value: str) -> str:
    if begins_formula(value):
        raise PydanticCustomError("text_unprintable", "begins like a formula of a spreadsheet")
    return value


T = TypeVar("T")
Many = Annotated[tuple[T, ...], Field(strict=False)]
"""A list of JSON. Its model holds a tuple, as a model never changes; nothing else is read less strictly."""
Id = Annotated[
    str,
    StringConstraints(pattern=ID_PATTERN),
    form("id", "1 to 64 letters, digits and `.`, `_`, `:`, `-`; the first is a letter or digit. Opaque."),
]
Surrogate = Annotated[
    str,
    StringConstraints(pattern=ID_PATTERN),
    AfterValidator(_surrogate),
    form("surrogate", "An id that does not look like a telephone number.", **{"not": {"pattern": _DIALLED_PATTERN}}),
]
"""An id, but no telephone number: people write such numbers as ids, and logs would then hold them."""
Authors = Annotated[Many[Id], Field(min_length=1, max_length=2)] | Id
"""The one or two who stand for a statement."""
RecipientId = Surrogate
PointId = Surrogate
Code = Annotated[
    str,
    StringConstraints(pattern=CODE_PATTERN),
    form("code", "1 to 64 letters, digits and `.`, `_`, `-`; the first is a letter or digit."),
]
AudienceWord = Annotated[
    str,
    StringConstraints(pattern=AUDIENCE_PATTERN),
    form("audience word", "A code, which may also have kanji, hiragana and katakana."),
]
"""A code of an audience. It may be Japanese, as marketing people name their selections."""
Token = Annotated[
    str,
    StringConstraints(pattern=TOKEN_PATTERN),
    form("token", "A name, an address or a number, made unreadable with the project's key."),
]
PrintedText = Annotated[
    str,
    StringConstraints(pattern=f"^p{TOKEN_PATTERN[2:]}"),
    form("printed text", "A hash of what was printed, made with the project's key."),
]
PrintedLines = Annotated[Many[PrintedText], Field(max_length=256)]
"""The hashes of lines under all keys."""
Period = Annotated[
    str,
    StringConstraints(pattern=PERIOD_PATTERN),
    form("period", "A number of days, hours or minutes, as ISO 8601 spells it: P1D, PT6H, PT15M."),
]
Line = Annotated[
    str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"), form("line", "A line of text.")
]
Printed = Annotated[
    str,
    StringConstraints(max_length=200),
    AfterValidator(_printable),
    form(
        "printed",
        "A text without control characters and marks of writing direction.",
        **{"not": {"pattern": UNPRINTABLE.pattern}},
    ),
]
"""A text that is printed or dialled: no control character, nothing that turns the direction of writing."""
PrintedLine = Annotated[
    str,
    StringConstraints(max_length=200),
    AfterValidator(_printable),
    AfterValidator(_no_formula),
    form(
        "printed line",
        "A printed text that does not begin like a formula of a spreadsheet.",
        **{"not": {"pattern": f"{UNPRINTABLE.pattern}|{_FORMULA_PATTERN}"}},
    ),
]
"""A name or a line of an address: a spreadsheet does not take it for a formula (domain rule 7.4.19)."""
Time = Annotated[
    str,
    StringConstraints(max_length=TIME_LENGTH),
    AfterValidator(_time),
    form(
        "time",
        "A day, or an ISO 8601 time. Without an offset it is in the policy's time zone.",
        pattern=f"^{_DAY_PATTERN}({_CLOCK_PATTERN}{_ZONE_PATTERN}?)?$",
    ),
]
ZonedTime = Annotated[
    str,
    StringConstraints(max_length=TIME_LENGTH),
    AfterValidator(zoned),
    form(
        "zoned time",
        "A day, or an ISO 8601 time with an offset such as `+09:00`.",
        pattern=f"^{_DAY_PATTERN}({_CLOCK_PATTERN}{_ZONE_PATTERN})?$",
    ),
]
Instant = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"),
    form("instant", "A time in UTC with milliseconds, as `2026-11-24T01:00:00.000Z`."),
]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), form("digest", "A SHA-256 in hex.")]
BirthDate = Annotated[
    str,
    StringConstraints(pattern=r"^[12][0-9]{3}(-[01][0-9](-[0-3][0-9])?)?$"),
    form("birth date", "A year, a month or a day."),
]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=8000)]
Day = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
    AfterValidator(_time),
    form("day", "A day, as `2026-12-20`.", pattern=f"^{_DAY_PATTERN}$"),
]
AnswerCode = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-HJKMNP-TV-Z]{12}$"),
    form("answer code", "The code printed in a letter that asks."),
]
Any_ = Literal["*"]

Channel = Literal["postal", "email", "sms", "phone", "fax", "push", "visit", "social"]
Speaker = Literal["subject", "guardian", "agent", "family", "staff", "import"]
MessageClass = Literal["marketing", "transactional", "safety_legal", "rights_reply", "confirmation"]
Stoppable = Literal["marketing", "confirmation", "transactional"]
"""The classes that a suspension can stop. Mail about safety and rights always goes out (rule 8.3.51)."""
OWED: tuple[MessageClass, ...] = ("safety_legal", "rights_reply")
"""Classes of mail that the sender owes the person: neither missing data nor the person's will withholds it."""

Version = Annotated[int, Field(ge=1, le=1)]
PerMille = Annotated[int, Field(ge=0, le=1000)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Offset = Count
CHANNELS: tuple[str, ...] = get_args(Channel)
Channels = Annotated[Many[Code | Any_], Field(max_length=9)] | Any_
"""The channels of a refusal. A code outside CHANNELS is read as every channel (domain rule 7.1.5)."""
