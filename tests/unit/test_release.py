"""When a reviewer's release is refused (domain rule 6.8)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gatekeeper.reasons import Found
from gatekeeper.release import refusal
from schemas.events import Release
from tests import world

PROVEN = {"evidence_ref": "memo-1"}
AGE, CONFLICT, MISSING, PENDING = "AGE_UNCERTAIN", "SOURCE_CONFLICT", "CONSENT_MISSING", "CONFIRMATION_PENDING"


@pytest.mark.parametrize(
    ("found", "release", "refused"),
    [
        ([AGE], {"reasons": [AGE]}, None),
        ([AGE, PENDING], {"reasons": [AGE]}, "hard"),
        ([MISSING], {"reasons": [MISSING], **PROVEN}, "not_releasable"),
        ([AGE, MISSING], {"reasons": [AGE], **PROVEN}, "incomplete"),
        ([AGE], {"reasons": [AGE, CONFLICT], "by": ["hanako", "taro"]}, "surplus"),
        ([AGE, MISSING], {"reasons": [AGE, MISSING]}, "evidence"),
        ([AGE, MISSING], {"reasons": [AGE, MISSING], **PROVEN}, None),
        ([CONFLICT], {"reasons": [CONFLICT], "by": ["hanako", "hanako"]}, "two_persons"),
        ([CONFLICT], {"reasons": [CONFLICT], "by": ["hanako", "taro"]}, None),
    ],
)
def test_release_then_is_refused_for(found: list[str], release: dict[str, Any], refused: str | None) -> None:
    act = Release.model_validate_json(orjson.dumps(world.act(**release)[1]))
    assert refusal(act, [Found(code) for code in found]) == refused
