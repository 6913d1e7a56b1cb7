"""The review queue as a view of its topics: what waits for an answer, what cannot be read, what a claim says."""

from __future__ import annotations

from gatekeeper.review.queue import Queue
from tests.support.desk import YOUNG, Desk


def test_records_that_hold_no_item_then_they_are_counted_and_the_rest_is_read() -> None:
    desk, queue = Desk(*YOUNG), Queue()
    desk.send()
    queue.review(3, 0, desk.review[0].value, desk.review[0].headers)
    queue.review(0, 0, b"{", ())
    queue.review(0, 1, None, (("gate-decision", b"{}"),))
    queue.review(0, 2, desk.review[0].value, (("gate-decision", b"[]"),))
    for bad in (None, b"", b'"act":{', b'{"act":{"act_id":"x"},"did":1}'):
        queue.audit(0, 3, bad)
        queue.act(None, bad)
    assert queue.unread == 3
    assert len(list(queue.items())) == 1
