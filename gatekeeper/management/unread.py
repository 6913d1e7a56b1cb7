"""Words of the contract that no rule reads, though they look as if one did (domain rule 8.3.52).

None of them speaks against a send: such a word is always read.
"""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.deciding.facts import Facts
from schemas.events import Send

UNREAD = ("send.li_ref", "source.relationship", "suppression.register_id", "consents.notice_given")
"""A balancing test, a relationship, the name of a register, a notice given. Packs of other laws will read them."""


def unread(send: Send, facts: Facts | None) -> Iterator[str]:
    """Yields the words of UNREAD that a send and its facts say."""
    if send.li_ref is not None:
        yield "send.li_ref"
    if facts is None:
        return
    if any(source.relationship is not None for source in facts.sources):
        yield "source.relationship"
    if any(hit.stop.register_id is not None for hit in facts.suppressions):
        yield "suppression.register_id"
    if any(event.kind == "notice_given" for event in facts.events):
        yield "consents.notice_given"
