"""Events that the gate reads: sends, the facts and reference data that decide them, and acts (domain rule 6.1).

There is one file a topic. Every value has `"v": 1`; a `?` of the specification is a field with the default None or ().
"""

from schemas.events.acts import (
    Act,
    CampaignAct,
    ItemAct,
    PairedAct,
    PartitionAct,
    Reemission,
    Release,
    ReviewPlace,
    Seen,
    TopicAct,
)
from schemas.events.asks import Ask
from schemas.events.consents import GIVEN_STATES, NO_STATES, Consent, ConsentState, FeedGap, OnConsents, PersonEvent
from schemas.events.recalls import Recall
from schemas.events.reference import (
    AudiencePhrase,
    Batch,
    Campaign,
    Controller,
    Copy,
    Ground,
    JointUseTerms,
    Notice,
    NoticeItems,
    PolicyVersion,
    Provider,
    Provision,
    Purpose,
    Reference,
    Register,
    ShownPerson,
    Template,
)
from schemas.events.resolutions import NoName, NosResolution, PurposeResolution, Resolution, VersionResolution
from schemas.events.results import Fate, Replaced, Result
from schemas.events.sends import Delivery, Match, Send, SendContactPoint
from schemas.events.sources import Entrustment, Method, ProviderCheck, Source, SourceContactPoint, Succession
from schemas.events.staff import ActSignature, Signature, Staff, StaffKey, StaffRole
from schemas.events.suppressions import Scope, Suppression, SuppressionKind

Fact = Source | Consent | PersonEvent | FeedGap | Suppression

__all__ = [
    "GIVEN_STATES",
    "NO_STATES",
    "Act",
    "ActSignature",
    "Ask",
    "AudiencePhrase",
    "Batch",
    "Campaign",
    "CampaignAct",
    "Consent",
    "ConsentState",
    "Controller",
    "Copy",
    "Delivery",
    "Entrustment",
    "Fact",
    "Fate",
    "FeedGap",
    "Ground",
    "ItemAct",
    "JointUseTerms",
    "Match",
    "Method",
    "NoName",
    "NosResolution",
    "Notice",
    "NoticeItems",
    "OnConsents",
    "PairedAct",
    "PartitionAct",
    "PersonEvent",
    "PolicyVersion",
    "Provider",
    "ProviderCheck",
    "Provision",
    "Purpose",
    "PurposeResolution",
    "Recall",
    "Reemission",
    "Reference",
    "Register",
    "Release",
    "Replaced",
    "Resolution",
    "Result",
    "ReviewPlace",
    "Scope",
    "Seen",
    "Send",
    "SendContactPoint",
    "ShownPerson",
    "Signature",
    "Source",
    "SourceContactPoint",
    "Staff",
    "StaffKey",
    "StaffRole",
    "Succession",
    "Suppression",
    "SuppressionKind",
    "Template",
    "TopicAct",
    "VersionResolution",
]
