"""The scalar types of the contract: ids, codes, tokens and times. Each refuses values of another form."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$"
CODE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._\-]{0,63}$"
_LETTERS = r"A-Za-z0-9\p{Han}\p{Hiragana}\p{Katakana}"
AUDIENCE_PATTERN = rf"^[{_LETTERS}][{_LETTERS}ー々・._\-]{{0,63}}$"
TOKEN_PATTERN = r"^t[1-9][0-9]?(k([2-9]|[1-9][0-9]{1,3}))?_[A-Za-z0-9_\-]{43}$"  # noqa: S105 (the shape, no token)
"""A token: `t`, the normaliser's version, `k` and the key's number unless it is 1, and 32 bytes in base64url."""

_PHONE = re.compile(r"(0[0-9]{9,10}|81[0-9]{9,10})")

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters, separators of lines, and marks that turn the direction of writing."""
TIME_LENGTH = 40
"""Characters of a written time, at most."""
_FORMULA = ("=", "+", "-", "@")
"""First characters that make a spreadsheet read a text as a formula."""


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
Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Surrogate = Annotated[str, StringConstraints(pattern=ID_PATTERN), AfterValidator(_surrogate)]
"""An id, but no telephone number: people write such numbers as ids, and logs would then hold them."""
RecipientId = Surrogate
PointId = Surrogate
Code = Annotated[str, StringConstraints(pattern=CODE_PATTERN)]
AudienceWord = Annotated[str, StringConstraints(pattern=AUDIENCE_PATTERN)]
"""A code of an audience. It may be Japanese, as marketing people name their selections."""
Token = Annotated[str, StringConstraints(pattern=TOKEN_PATTERN)]
Line = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Printed = Annotated[str, StringConstraints(max_length=200), AfterValidator(_printable)]
"""A text that is printed or dialled: no control character, nothing that turns the direction of writing."""
PrintedLine = Annotated[Printed, AfterValidator(_no_formula)]
"""A name or a line of an address: a spreadsheet does not take it for a formula (domain rule 7.4.19)."""
Time = Annotated[str, StringConstraints(max_length=TIME_LENGTH), AfterValidator(_time)]
ZonedTime = Annotated[str, StringConstraints(max_length=TIME_LENGTH), AfterValidator(zoned)]
Instant = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
BirthDate = Annotated[str, StringConstraints(pattern=r"^[12][0-9]{3}(-[01][0-9](-[0-3][0-9])?)?$")]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=8000)]
Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$"), AfterValidator(_time)]
AnswerCode = Annotated[str, StringConstraints(pattern=r"^[0-9A-HJKMNP-TV-Z]{12}$")]
Any_ = Literal["*"]

Channel = Literal["postal", "email", "sms", "phone", "fax", "push", "visit", "social"]
Speaker = Literal["subject", "guardian", "agent", "family", "staff", "import"]
MessageClass = Literal["marketing", "transactional", "safety_legal", "rights_reply", "confirmation"]
OWED: tuple[MessageClass, ...] = ("safety_legal", "rights_reply")
"""Classes of mail that the sender owes the person: neither missing data nor the person's will withholds it."""

Version = Annotated[int, Field(ge=1, le=1)]
PerMille = Annotated[int, Field(ge=0, le=1000)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Offset = Count
CHANNELS: tuple[str, ...] = get_args(Channel)
Channels = Annotated[Many[Code | Any_], Field(max_length=9)] | Any_
"""The channels of a refusal. A code outside CHANNELS is read as every channel (domain rule 7.1.5)."""
