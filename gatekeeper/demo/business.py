"""The business of みどり小売 (Midori Retail, invented): its companies, purposes, forms, lists and templates."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from schemas.events import (
    Batch,
    Controller,
    Ground,
    JointUseTerms,
    Notice,
    NoticeItems,
    ProviderCheck,
    Purpose,
    Reference,
    Template,
)
from schemas.values import Channel, MessageClass

RETAILER, CARD, AOBA, GROUP = "C1", "C2", "AOBA", "G1"
PURPOSE, BELOW = "mkt.dm.own", "service.points"
DATA_PLATFORM = "ほしぞらデータ株式会社"


def provider_check(
    basis: str, *, name: str = "さくら名簿センター株式会社", filing: str | None = None, chain: tuple[str, ...] = ()
) -> ProviderCheck:
    """The check of a provider of lists on this basis."""
    return ProviderCheck.model_validate(
        {
            "checked_at": "2025-03-03",
            "name": name,
            "address": "緑山県若葉市青葉町9-9-9",
            "representative": "代表取締役 見本太郎",
            "how_obtained": "通販の購入者名簿",
            "basis": basis,
            "filing_no": filing,
            "chain": chain,
        },
        strict=False,
    )


MANAGERS = ("hanako", "taro")
_SERVICE_TEMPLATES: tuple[tuple[str, str, dict[MessageClass, tuple[Channel, ...]]], ...] = (
    ("order-notice", "ご注文のお知らせ", {"transactional": ("postal",)}),
    ("recall-notice", "製品回収のお知らせ", {"safety_legal": ("postal",)}),
    ("rights-reply", "開示等のご請求への回答", {"rights_reply": ("postal",)}),
)
REFERENCE: tuple[Reference, ...] = (
    *(
        Purpose(
            v=1, kind="purpose", id=id_, name_ja=ja, name_en=en, marketing=marketing, by=None if marketing else MANAGERS
        )
        for id_, ja, en, marketing in (
            (PURPOSE, "当社の商品と催事のご案内", "News of our goods and events", True),
            ("mkt.dm.finance", "みどりカードのご案内", "News of the Midori card", True),
            ("food.news", "食品のご案内", "News of food", True),
            (BELOW, "ポイントのご案内", "Points", False),
            ("service.orders", "ご注文のお知らせ", "Orders", False),
            ("service.delivery", "配送と保証のお知らせ", "Delivery and warranty", False),
            ("service.survey", "アンケート", "Surveys", False),
            ("service.card", "カードのお取り扱い", "The card's service", False),
        )
    ),
    Controller(
        v=1,
        kind="controller",
        id=RETAILER,
        name="みどり小売株式会社",
        group=GROUP,
        notice_items=NoticeItems(
            manager="見本 花子",
            department="お客様情報管理室",
            contact="電話 0120-000-000（平日9時から17時）",
            purposes={PURPOSE: "みどりマート・みどり屋オンラインの商品と催事のご案内"},
            provision="none",
            outsourcing=True,
            window="お客様相談室 privacy@midori.example",
            reply={"postal": "同封のはがきにご記入のうえ、切手を貼らずにご返送ください"},
        ),
    ),
    Controller(v=1, kind="controller", id=CARD, name="みどりカード株式会社", group=GROUP),
    Controller(v=1, kind="controller", id=AOBA, name="旧あおば商店"),
    *(
        Notice(v=1, kind="notice", id=id_, controller_id=controller, name=name, purposes=purposes, complete=complete)
        for id_, controller, name, purposes, complete in (
            ("card-v1-2012", RETAILER, "ポイントカード申込書 2012", ("service.points",), False),
            ("card-v1-2015", RETAILER, "ポイントカード申込書 2015", ("service.points", PURPOSE), False),
            ("card-v2", RETAILER, "ポイントカード申込書 2018", ("service.points", PURPOSE), True),
            ("ec-signup", RETAILER, "みどり屋オンライン 会員登録", ("service.orders", PURPOSE), True),
            ("delivery-slip", RETAILER, "配送伝票・保証登録", ("service.delivery",), True),
            ("survey", RETAILER, "店頭アンケート", ("service.survey", PURPOSE), True),
            ("may-we-write-2026", RETAILER, "ご案内についてのお伺い 2026", (PURPOSE,), True),
            ("cardco-2020", CARD, "みどりカード入会申込書", ("service.card", PURPOSE), True),
            ("aoba-2019", AOBA, "あおば商店 会員申込書", ("food.news",), True),
        )
    ),
    Notice(
        v=1,
        kind="notice",
        id="sweepstake-2023",
        controller_id=RETAILER,
        name="夏の懸賞応募はがき",
        purposes=("service.survey", PURPOSE),
        complete=True,
        invalidated_at="2024-02-01",  # the form's box for direct mail was ticked in advance
    ),
    Notice(
        v=1,
        kind="notice",
        id="festival-2024",
        controller_id=RETAILER,
        name="収穫祭 来場者アンケート",
        purposes=(PURPOSE,),
        complete=True,
        states_route="harvest-festival",  # half of the guests ticked a box that names us and the festival
    ),
    *(
        JointUseTerms(
            v=1,
            kind="joint_use_terms",
            terms_id="joint-2020",
            version=version,
            published_at=day,
            parties=(RETAILER, CARD, "C3", "C4"),
            purposes=purposes,
            complete=True,
            name="みどりグループ共同利用",
        )
        for version, day, purposes in (
            (1, "2020-04-01", ("service.card", PURPOSE)),
            (2, "2025-04-01", ("service.card", PURPOSE, "mkt.dm.finance")),
        )
    ),
    *(
        Batch(v=1, kind="batch", id=id_, name=name, check=check)
        for id_, name, check in (
            ("A-2025-03", "通販購入者名簿", provider_check("opt_out_filing", filing="F-2025-0311")),
            ("B-2025-06", None, None),
            ("C-2025-09", None, None),
            ("P-2024-05", "収穫祭 来場者アンケート", provider_check("consent", name="わかば収穫祭実行委員会")),
            ("D-2023-02", "若葉市商工名鑑", None),
            ("D-2023-03", "法人登記簿", None),
            ("D-2023-04", "令和5年2月15日付", None),
            ("D-2023-05", "若葉市商店街のホームページ", None),
            ("M-2025-10", f"{DATA_PLATFORM}の閲覧データ", provider_check("consent", name=DATA_PLATFORM)),
        )
    ),
    Template(
        v=1,
        kind="template",
        id="winter-catalogue",
        name="冬のカタログ",
        display_ok={"marketing": ("postal",)},
        ask_complete=False,
    ),
    Template(
        v=1,
        kind="template",
        id="may-we-write",
        name="ご案内についてのお伺い",
        display_ok={"confirmation": ("postal",)},
        ask_complete=True,
        notice_id="may-we-write-2026",
    ),
    Ground(v=1, kind="ground", id="recall", by=MANAGERS[0], evidence_ref="minutes-12", at="2026-11-20T10:00:00+09:00"),
    *(
        Template(v=1, kind="template", id=id_, name=name, display_ok=display_ok, ask_complete=False)
        for id_, name, display_ok in _SERVICE_TEMPLATES
    ),
)
REPLY = "rights-replies"
"""The campaign of replies to people who asked for a right."""
OTHER_MAIL: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "order-notices": {"message_class": "transactional", "purpose": "service.orders", "template_id": "order-notice"},
        "kettle-recall": {
            "message_class": "safety_legal",
            "purpose": "service.orders",
            "template_id": "recall-notice",
            "ground": "recall",
        },
        REPLY: {
            "message_class": "rights_reply",
            "purpose": "service.orders",
            "template_id": "rights-reply",
        },
        "questions": {"message_class": "confirmation", "template_id": "may-we-write"},
    }
)
"""The mail beside advertisements, by campaign: what differs in a send."""
CAMPAIGN_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "winter-catalogue": "冬のカタログ",
        "year-end-sale": "歳末セール",
        "new-year-card": "年賀状",
        "order-notices": "ご注文のお知らせ",
        "kettle-recall": "電気ケトル回収のお知らせ",
        "rights-replies": "開示等のご請求への回答",
        "questions": "ご案内についてのお伺い",
        "postcard": "季節のはがき",
    }
)
"""The names of campaigns, without year and number."""
