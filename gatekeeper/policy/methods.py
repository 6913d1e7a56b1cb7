"""The table of acquisition methods: how each is judged, checked and confirmed (domain §3.3, rule 6.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args

from gatekeeper.ground.texts import Language, catalogue, text
from gatekeeper.policy.reasons import CATALOGUE
from schemas.events import Method

Lane = Literal["own", "shared", "other", "unknown"]
"""The classes of sources: from the person, shared between companies, from others, of unknown origin."""
Condition = Literal["notice", "joint_use", "succession", "entrustment", "confirmation", "origin"]
"""The condition of a source: its notice, the terms of its kind of sharing, a confirmation, or a known origin."""
Party = Literal["sender", "collector", "predecessor"]

RANKS: Mapping[Lane, int] = MappingProxyType({lane: rank for rank, lane in enumerate(get_args(Lane))})
"""The lanes in the order in which a basis is chosen."""


class AcquisitionMethod(NamedTuple):
    """One row: how a source of this method is judged.

    `yes_to`: the parties of which one must have the person's consent. `provider_checked`: the provider needs a check
    (APPI 30). `unconfirmed`: the reason without a confirmation, None for methods that need none. `by_law`: no policy
    switches that reason off. `dpv`: the broader term of the Data Privacy Vocabulary.
    """

    code: Method
    lane: Lane
    condition: Condition
    dpv: str
    yes_to: tuple[Party, ...] = ("sender",)
    provider_checked: bool = False
    unconfirmed: str | None = None
    by_law: bool = False

    def name(self, language: Language) -> str:
        """The name of the method in Japanese or English."""
        return text(f"word.method.{self.code}", language)


def _own(code: Method) -> AcquisitionMethod:
    return AcquisitionMethod(code, "own", "notice", "dpv:DataSubjectDataSource")


def _other(
    code: Method, dpv: str, unconfirmed: str, *, provider_checked: bool = False, by_law: bool = False
) -> AcquisitionMethod:
    return AcquisitionMethod(
        code, "other", "confirmation", dpv, provider_checked=provider_checked, unconfirmed=unconfirmed, by_law=by_law
    )


def complete(rows: Iterable[AcquisitionMethod]) -> Mapping[str, AcquisitionMethod]:
    """The rows by code; raises LookupError unless each method of the contract has one row and both names."""
    table: dict[str, AcquisitionMethod] = {}
    for row in rows:
        names = catalogue().get(f"word.method.{row.code}", {})
        if row.code in table or not all(names.get(language) for language in get_args(Language)):
            raise LookupError(f"method {row.code}: needs one row here, and its names in texts/word.toml")
        if (row.condition == "confirmation") != (row.unconfirmed in CATALOGUE):
            raise LookupError(f"method {row.code}: `unconfirmed` is a reason where a confirmation is needed")
        table[row.code] = row
    if differing := table.keys() ^ set(get_args(Method)):
        raise LookupError(f"methods {', '.join(sorted(differing))}: schemas.events.Method and this table differ")
    return MappingProxyType(table)


METHODS: Mapping[str, AcquisitionMethod] = complete(
    (
        _own("direct.point_card"),
        _own("direct.ec_signup"),
        _own("direct.contract"),
        _own("direct.support_call"),
        _own("direct.store_survey"),
        _own("direct.sweepstake"),
        _own("direct.business_card"),
        _own("direct.observed"),
        _other("indirect.purchased_list", "dpv:NonPublicDataSource", "THIRD_PARTY_UNCONFIRMED", provider_checked=True),
        _other("indirect.partner", "dpv:ThirdPartyDataSource", "THIRD_PARTY_UNCONFIRMED", provider_checked=True),
        # 個人関連情報, which becomes personal only by matching: the person must have agreed to that (APPI 31; J.8.8.4)
        _other(
            "indirect.personal_related",
            "dpv:ThirdPartyDataSource",
            "THIRD_PARTY_UNCONFIRMED",
            provider_checked=True,
            by_law=True,
        ),
        AcquisitionMethod(
            "indirect.joint_use", "shared", "joint_use", "dpv:DataControllerDataSource", ("sender", "collector")
        ),
        AcquisitionMethod(
            "indirect.succession", "shared", "succession", "dpv:ThirdPartyDataSource", ("sender", "predecessor")
        ),
        AcquisitionMethod("indirect.entrusted", "shared", "entrustment", "dpv:ThirdPartyDataSource"),
        _other("indirect.referral", "dpv:ThirdPartyDataSource", "REFERRAL_UNCONFIRMED"),
        _other("indirect.gift_recipient", "dpv:ThirdPartyDataSource", "REFERRAL_UNCONFIRMED"),
        _other("public.directory", "dpv:PublicDataSource", "PUBLIC_SOURCE_UNCONFIRMED"),
        _other("public.gazette", "dpv:PublicDataSource", "PUBLIC_SOURCE_UNCONFIRMED"),
        _other("public.register", "dpv:PublicDataSource", "PUBLIC_SOURCE_UNCONFIRMED"),
        _other("public.web", "dpv:PublicDataSource", "PUBLIC_SOURCE_UNCONFIRMED"),
        AcquisitionMethod("unknown.legacy", "unknown", "origin", "dpv:DataSource"),
    )
)
"""Each acquisition method of the contract. A method without its row, or without its names, fails at import time."""
