"""The origins of the personal data of みどり小売 (Midori Retail, invented), with their shares, periods and consents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from gatekeeper.demo.business import AOBA, CARD, PURPOSE, RETAILER, provider_check
from schemas.events import Entrustment, Method, Succession


@dataclass(frozen=True, slots=True)
class Origin:
    """Origin of personal data: its share of people (`weight`), its period, and the shares of consent.

    `postal` and `email` are per mille of people who agreed to that channel; `minors` per mille who may be minors.
    `agreed` is the controller and purpose of the consent. `method` None means that no source is on file.
    `told`: further fields of the source.
    """

    name: str
    weight: int
    method: Method | None
    since: str
    until: str | None = None
    postal: int = 0
    email: int = 0
    minors: int = 0
    agreed: tuple[str, str] = (RETAILER, PURPOSE)
    told: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


ORIGINS: tuple[Origin, ...] = (
    Origin("card-v1-2012", 40, "direct.point_card", "2012-04-01", "2015-03-31", told={"notice_id": "card-v1-2012"}),
    Origin(
        "card-v1-2015",
        180,
        "direct.point_card",
        "2015-04-01",
        "2018-03-31",
        postal=300,
        told={"notice_id": "card-v1-2015"},
    ),
    Origin("card-v2", 240, "direct.point_card", "2018-04-01", postal=710, told={"notice_id": "card-v2"}),
    Origin("ec", 210, "direct.ec_signup", "2016-06-01", postal=380, email=640, told={"notice_id": "ec-signup"}),
    Origin("delivery", 90, "direct.contract", "2014-01-01", told={"notice_id": "delivery-slip"}),
    # collected by telephone; the purpose was only published, so there was no complete notice
    Origin("support", 40, "direct.support_call", "2019-01-01", told={"purposes_told": (PURPOSE,)}),
    Origin("survey", 40, "direct.store_survey", "2020-01-01", postal=550, minors=120, told={"notice_id": "survey"}),
    Origin(
        "sweepstake",
        30,
        "direct.sweepstake",
        "2023-07-01",
        "2023-08-31",
        postal=900,
        minors=60,
        told={"notice_id": "sweepstake-2023"},
    ),
    # the sender of a gift gave the address; the recipient does not know
    Origin("gift", 40, "indirect.gift_recipient", "2017-06-15", told={"provided_by": "gift-sender"}),
    Origin(
        "joint-use",
        40,
        "indirect.joint_use",
        "2021-01-01",
        postal=600,
        agreed=(CARD, PURPOSE),
        told={"collected_by": CARD, "notice_id": "cardco-2020", "terms_id": "joint-2020", "shared_at": "2024-04-01"},
    ),
    Origin(
        "succession",
        20,
        "indirect.succession",
        "2019-01-01",
        "2023-09-30",
        postal=700,
        agreed=(AOBA, "food.news"),
        told={
            "collected_by": AOBA,
            "notice_id": "aoba-2019",
            "succession": Succession(predecessor=AOBA, closed_at="2023-10-01", old_purposes=("food.news",)),
        },
    ),
    Origin(
        "broker-a",
        9,
        "indirect.purchased_list",
        "2025-03-10",
        "2025-03-10",
        told={
            "provided_by": "broker-a",
            "batch_id": "A-2025-03",
            "check": provider_check("opt_out_filing", filing="F-2025-0311"),
        },
    ),
    Origin(
        "broker-b",
        3,
        "indirect.purchased_list",
        "2025-06-02",
        "2025-06-02",
        told={
            "provided_by": "broker-b",
            "batch_id": "B-2025-06",
            "check": provider_check("opt_out_filing", filing="F-2025-0627", chain=("opt_out_filing",)),
        },
    ),
    Origin(
        "broker-c",
        3,
        "indirect.purchased_list",
        "2025-09-09",
        "2025-09-09",
        told={"provided_by": "broker-c", "batch_id": "C-2025-09"},
    ),
    Origin(
        "partner",
        8,
        "indirect.partner",
        "2024-05-03",
        "2024-05-06",
        postal=500,
        told={
            "provided_by": "harvest-festival",
            "route": "harvest-festival",
            "batch_id": "P-2024-05",
            "check": provider_check("consent"),
            "notice_id": "festival-2024",
        },
    ),
    Origin("directory", 2, "public.directory", "2023-02-01", "2023-02-01", told={"batch_id": "D-2023-02"}),
    Origin("register", 1, "public.register", "2023-03-01", "2023-03-01", told={"batch_id": "D-2023-03"}),
    Origin(
        "entrusted",
        4,
        "indirect.entrusted",
        "2026-04-01",
        told={
            "provided_by": "hoshizora-foods",
            "entrustment": Entrustment(entruster="hoshizora-foods", purposes=("campaign.office",)),
        },
    ),
    # given to a sales person for a business matter; direct mail was never mentioned
    Origin("business-card", 5, "direct.business_card", "2021-04-01"),
    # pages that a member looked at, by a cookie; the form named the purpose
    Origin("observed", 4, "direct.observed", "2022-04-01", told={"notice_id": "ec-signup"}),
    # matched to a member by a data platform (個人関連情報); nobody has asked the person
    Origin(
        "data-platform",
        4,
        "indirect.personal_related",
        "2025-10-01",
        "2025-10-31",
        told={"provided_by": "data-platform", "batch_id": "M-2025-10"},
    ),
    Origin("referral", 4, "indirect.referral", "2022-05-01", told={"provided_by": "friend"}),
    Origin("gazette", 1, "public.gazette", "2023-02-15", "2023-02-15", told={"batch_id": "D-2023-04"}),
    Origin("web", 2, "public.web", "2023-02-20", "2023-02-20", told={"batch_id": "D-2023-05"}),
    # from the old mainframe: a flag "direct mail: yes" without any source
    Origin("legacy", 30, "unknown.legacy", "2011-01-01", "2011-01-01"),
    Origin("nowhere", 10, None, "2011-01-01", "2011-01-01"),
)
