"""The lines beside name and address (domain rule 8.3.54).

A source may account for a department or a title, as these are words of closed lists. A company, a host or a post office
is free text, in which a person may hide. So one of the staff must have looked at it. Another address never counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gatekeeper.identity.address_segments import PREFECTURE, Piece
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
_NUMERAL = "[〇零一二三四五六七八九十百千万壱弐参肆伍陸漆捌玖拾廿卅]"
_OFFICE = "銀行|信用|大学|高校|学院|立|庁|府警|県警|道警|警察|新聞|放送|電力|ガス|交響|本社|支社|支店|営業|事業"
_KANA = "けん|ケン|ふ|フ|と|ト|どう|ドウ"
_ELSEWHERE = re.compile(
    rf"^\s*(?:番|丁|条|号|の)|[0-9]{{3}}|[0-9]\s*(?:[-~/ー・](?!f)|番|丁|条|線|地割|の|号(?![室館棟車]))"
    rf"|(?:[西東南北甲乙丙丁イロハ]|字|町)\s*[0-9]"
    rf"|{_NUMERAL}(?:[\W_]|[ーのノ番丁条線])+{_NUMERAL}|{_NUMERAL}{{3}}(?!銀行)|{_NUMERAL}\s*(?:番|丁|条|線|号(?![室館棟車]))"
    rf"|(?:{PREFECTURE.pattern}|hokkaido)(?!{_OFFICE})"
    rf"|(?:[あ-んア-ン]{{2,5}}(?:{_KANA}))(?:\s|$)|[a-z]+[ -](?:pref|ken|fu|to)\b"
    r"|[市郡][^\W\d_]{1,6}?[区町村]|[^\W\d_]区(?!役所|画|民)|京都市(?!役所)|大字|[〒@]|[上下]る|[東西]入"
    r"|転送|てんそう|テンソウ|回送|転居|移転先|引っ?越|転[出勤]先|(?:届け?|送付)先|住所|住居|じゅうしょ|ジュウショ|[旧新]居|旧宅|アドレス"
    r"|私書[箱函]|p\W*o\W*box|郵便番号|電話番号|番地|ちょうめ|チョウメ|ばんち|バンチ|chome|forward|-(?:ku|shi|cho|machi|gun)(?![a-z])"
)
"""Words of another address. The number before 番 may have been read as a building's."""
_NOT_LETTERS = re.compile(r"[\W_]+")


def further_lines(whole: Postal, pieces: Sequence[Piece]) -> tuple[str, ...]:
    """All text beside name and address, then each line of it if all are of closed lists; normalised, with both.

    None at all if it may hold another address. No lines if a building has another name than a building's.
    `pieces`: the name last. `whole`: person and address of the same print, without that text.
    """
    if pieces[-1].kind == "further" or not {"place", "house", "further"} <= {piece.kind for piece in pieces}:
        return ()
    lines = [*_lines(pieces)]
    texts = [*dict.fromkeys(_NOT_LETTERS.sub("", line) for line in lines)]
    if not lines or len(texts) > MOST or any(map(_ELSEWHERE.search, (*lines, *texts))):
        return ()
    buildings = (_NOT_LETTERS.sub("", piece.text) for piece in pieces if piece.kind == "building")
    closed = all(len(text) <= _LONGEST and _LINE.fullmatch(text) for text in texts)
    closed = closed and all(_BUILDING.search(name) for name in buildings if name)
    beside = (" ".join(piece.text.split()) for piece in pieces if piece.kind not in ("postcode", "place", "house"))
    return tuple(f"further||{whole}|{text}" for text in (f"|{'|'.join(beside)}", *(texts if closed else ())))


def _lines(pieces: Sequence[Piece]) -> Iterator[str]:
    """Yields the lines of further text that hold anything."""
    for piece in pieces:
        if piece.kind == "further":
            yield from (line for line in piece.text.split("\n") if _NOT_LETTERS.sub("", line))
