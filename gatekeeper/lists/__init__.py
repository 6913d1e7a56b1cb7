"""List files: what a person or an old system wrote in rows, read as events of the contract, or set aside with a cause.

Nothing here knows Kafka, a clock or a file's name: bytes come in, events and rejections come out.
Names and addresses of a row stay in this room: an event holds their tokens, a rejection the number of its line.
"""

from gatekeeper.lists import dates
from gatekeeper.lists.columns import ColumnMap
from gatekeeper.lists.events import Event, Outcome, Rejected, Silent, events, json_events
from gatekeeper.lists.mapping import read_map
from gatekeeper.lists.rows import Encoding, Form, survey

__all__ = [
    "ColumnMap",
    "Encoding",
    "Event",
    "Form",
    "Outcome",
    "Rejected",
    "Silent",
    "dates",
    "events",
    "json_events",
    "read_map",
    "survey",
]
