"""Who a send is for, said so that spellings of one person meet: normalise, tokenise, compare.

Names and addresses stay in this room: what leaves it is a token, a score or a verdict.
What is alike, and what is not, stands in `tests/unit/identity_cases.yaml`, for a person to read and extend.
Everything here is a function of its arguments and of tables that come with the product or with packages; only
`read_key` opens a file of the operator's.
"""

from gatekeeper.identity.contact import normalise_email, normalise_phone
from gatekeeper.identity.key import read_key
from gatekeeper.identity.match import match, readings
from gatekeeper.identity.name import normalise_name
from gatekeeper.identity.postal import Postal, normalise_postal, postal
from gatekeeper.identity.token import (
    VERSION,
    Identified,
    Printed,
    Tokens,
    identify,
    normalise,
    open_tokens,
    printed,
    token,
)

__all__ = [
    "VERSION",
    "Identified",
    "Postal",
    "Printed",
    "Tokens",
    "identify",
    "match",
    "normalise",
    "normalise_email",
    "normalise_name",
    "normalise_phone",
    "normalise_postal",
    "open_tokens",
    "postal",
    "printed",
    "read_key",
    "readings",
    "token",
]
