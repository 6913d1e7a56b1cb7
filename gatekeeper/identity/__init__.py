"""Identity of a send's recipient: normalises, tokenises and compares contact values, so that spellings match.

Names and addresses stay in this room; only tokens, scores and verdicts leave it, and `too_much` for a page.
`tests/unit/identity_cases.yaml` lists equal and different spellings, for people to read and extend.
Every function depends only on its arguments and on tables shipped with the product or with packages.
"""

from gatekeeper.identity.address_segments import accounted, pieces
from gatekeeper.identity.beside import too_much
from gatekeeper.identity.contact import normalise_email, normalise_phone
from gatekeeper.identity.match import NUMBER_MISSING, match, readings
from gatekeeper.identity.name import normalise_name
from gatekeeper.identity.postal import Postal, normalise_postal, postal
from gatekeeper.identity.send_address import Printed, printed
from gatekeeper.identity.stop_events import Stated, given_mark, rejected_stop, stated, stops_of
from gatekeeper.identity.stop_row import UNBOUND, StopRow, Unbound, stop_row
from gatekeeper.identity.token import (
    SURE,
    VERSION,
    Identified,
    Tokens,
    identify,
    key_of,
    normalise,
    open_tokens,
    token,
)

__all__ = [
    "NUMBER_MISSING",
    "SURE",
    "UNBOUND",
    "VERSION",
    "Identified",
    "Postal",
    "Printed",
    "Stated",
    "StopRow",
    "Tokens",
    "Unbound",
    "accounted",
    "given_mark",
    "identify",
    "key_of",
    "match",
    "normalise",
    "normalise_email",
    "normalise_name",
    "normalise_phone",
    "normalise_postal",
    "open_tokens",
    "pieces",
    "postal",
    "printed",
    "readings",
    "rejected_stop",
    "stated",
    "stop_row",
    "stops_of",
    "token",
    "too_much",
]
