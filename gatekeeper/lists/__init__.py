"""List files: rows written by people or old systems become events of the contract, or rejections with a cause.

This room reads bytes and gives events and rejections; it knows neither Kafka nor a clock nor a file's location.
Names and addresses stay in this room: an event holds their tokens, a rejection only the line number.
"""

from gatekeeper.lists import dates
from gatekeeper.lists.columns import ColumnMap
from gatekeeper.lists.events import Event, Outcome, Rejected, SkippedRow, events, json_events
from gatekeeper.lists.mapping import read_map
from gatekeeper.lists.recordings import OF_NOS, Recorded, Recordings
from gatekeeper.lists.rows import Encoding, Form, survey
from gatekeeper.lists.stop_tally import MANY, StopTally

__all__ = [
    "MANY",
    "OF_NOS",
    "ColumnMap",
    "Encoding",
    "Event",
    "Form",
    "Outcome",
    "Recorded",
    "Recordings",
    "Rejected",
    "SkippedRow",
    "StopTally",
    "dates",
    "events",
    "json_events",
    "read_map",
    "survey",
]
