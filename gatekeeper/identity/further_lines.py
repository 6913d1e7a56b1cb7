"""The lines beside name and address for which a source may account: department and title (domain rule 8.3.54).

A line is made of the words of closed lists alone. A company, a host or a post office is free text, in which a person or
another address may hide. So it waits for a reviewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gatekeeper.identity.address_segments import Piece
from gatekeeper.identity.postal import Postal

MOST = 8
"""Such lines of one print, at most; one that has more is not accounted for."""
_LONGEST = 60  # letters of a line
_WORD = (
    "営業|総務|人事|経理|財務|法務|労務|庶務|企画|広報|宣伝|販売|購買|資材|調達|製造|生産|技術|開発|研究|設計|品質|保証"
    "|管理|情報|システム|海外|国際|国内|東日本|西日本|中部|関東|関西|東北|九州|事業|経営|戦略|商品|マーケティング|お客様"
    "|顧客|サービス|サポート|相談|物流|業務|教育|研修|監査|秘書|社長|役員|厚生|福利|工務|土木|建築|施設|設備|環境|安全"
    "|医事|看護|薬剤|事務|学生|文学|法学|経済|理学|工学|医学|薬学|農学|教務|入試|図書|編集|制作|デザイン|推進|支援|統括|本社|本店|web|it|dx|ir|csr"
)
_UNIT = "本部|部|課|係|室|局|科|班|グループ|チーム|担当"
_TITLE = (
    "代表取締役|取締役|代表社員|代表|執行役員|(?:副|前)?(?:社長|会長|理事長)|専務|常務|理事|監査役|顧問|参与|参事"
    "|(?:部|次|課|係|室|所|店|支店|支社|工場|局|院|校|園|学|事務)長|主任|主査|主事|マネージャー|リーダー|ディレクター"
    "|ceo|coo|cfo|cto|教授|准教授|講師|助教|医師|弁護士|税理士|公認会計士|司法書士|行政書士|社会保険労務士"
)
_LINE = re.compile(rf"(?:(?:{_WORD})+(?:{_UNIT})長?付?(?:代理|補佐)?|(?:{_TITLE})(?:代理|補佐|心得|付)?|御中)+")
_BUILDING = re.compile(
    r"(?:ビル|ビルディング|ビルヂング|タワー|会館|プラザ|マンション|ハイツ|センター)(?:[0-9]+(?:階|f))?$"
)
"""The end of a building's name that may stand beside such lines; other names may be those of people."""
_NOT_LETTERS = re.compile(r"[\W_]+")


def further_lines(whole: Postal, pieces: Sequence[Piece]) -> tuple[str, ...]:
    """The lines of further text among the pieces of a print, normalised, with person and address.

    None at all if one of them is not of the closed lists. Nor if a building has another name than a building's.
    `pieces`: the name last. `whole`: person and address of the same print, without that text.
    """
    kinds = {piece.kind for piece in pieces}
    if pieces[-1].kind == "further" or not {"place", "house", "further"} <= kinds:
        return ()
    texts = dict[str, None]()
    for line in _lines(pieces):
        text = _NOT_LETTERS.sub("", line)
        if len(text) > _LONGEST or not _LINE.fullmatch(text):
            return ()
        texts[text] = None
    buildings = (_NOT_LETTERS.sub("", piece.text) for piece in pieces if piece.kind == "building")
    if len(texts) > MOST or not all(_BUILDING.search(name) for name in buildings if name):
        return ()
    return tuple(f"further||{whole}|{text}" for text in texts)


def _lines(pieces: Sequence[Piece]) -> Iterator[str]:
    """Yields the lines of further text that hold anything."""
    for piece in pieces:
        if piece.kind == "further":
            yield from (line for line in piece.text.split("\n") if _NOT_LETTERS.sub("", line))
