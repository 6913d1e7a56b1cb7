"""Records of `confirmations`: the questions of the gate to a person (domain rule 6.1)."""

from __future__ import annotations

from typing import Literal

from schemas.events.sends import Delivery, SendContactPoint
from schemas.values import AnswerCode, Channel, Code, Day, Id, Model, PointId, Prose, RecipientId, Time, Version


class Ask(Model):
    """A question to a person: its source, contact point, template, and the stated route (J.8.7).

    The gate also writes the fields that the print house and the reader of answers need. `request_id`: of the question.
    `recipient_id`: the person. `source_id`: the source that is asked about. `channel`: the way in which it goes out.
    `template_id`: the piece. `stated_route`: the route that it states. `at`: when. `contact_point`,
    `contact_point_id`: to which it goes. `campaign_id`, `controller_id`, `decision_id`: of the withheld send. `kind`:
    always `ask`. `purpose`, `notice_id`: those to which a yes agrees. `answer_by`: the last day to answer, in the
    letter. `answer_code`: in the letter. `text`: printed word for word. `delivery`: that of the withheld send.
    """

    v: Version
    request_id: Id
    recipient_id: RecipientId
    source_id: Id
    channel: Channel
    template_id: Id
    stated_route: Code
    at: Time
    contact_point: SendContactPoint | PointId | None = None
    contact_point_id: PointId | None = None
    campaign_id: Id | None = None
    controller_id: Id | None = None
    decision_id: Id | None = None
    kind: Literal["ask"] | None = None
    purpose: Code | None = None
    notice_id: Id | None = None
    answer_by: Day | None = None
    answer_code: AnswerCode | None = None
    text: Prose | None = None
    delivery: Delivery | None = None
