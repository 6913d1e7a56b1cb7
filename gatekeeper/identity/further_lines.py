"""The lines beside name and address for which a source may account: company, department, host (domain rule 8.3.54).

Such a line is partly free text, and nobody can tell where a name stands in it. So each part of it is looked up as one.
A line that may hold another address waits for a reviewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gatekeeper.identity.address_segments import PREFECTURE, Piece
from gatekeeper.identity.name import person_of
from gatekeeper.identity.postal import Postal

MOST = 8
"""Such lines of one print, at most; one that has more is not accounted for."""
_LONGEST = 60  # letters of all lines and buildings together
_NAME = 16  # letters of a name that is looked up, at most
_LONG = {"株": "株式会社", "有": "有限会社", "合": "合同会社", "医": "医療法人", "学": "学校法人"}
_SHORT = re.compile(rf"\(({'|'.join(_LONG)})\)")
_CARE = re.compile(r"\bc\s*/\s*o(?![a-z])")
_SIGN = (
    "株式会社|有限会社|合同会社|合資会社|合名会社|相互会社|(?:一般|公益)?(?:社団|財団)法人|社会福祉法人|独立行政法人"
    "|(?:医療|学校|宗教|npo|特定非営利活動|弁護士|税理士|監査|国立大学)法人"
)
_LATIN_SIGN = re.compile(r"\b(?:co|corp|corporation|company|inc|llc|ltd|limited)\b")
_NAMED = (
    "商事|商店|商会|工業|工務店|製作所|建設|物産|産業|銀行|信用金庫|信用組合|協同組合|組合|協会|病院|医院|クリニック|大学"
    "|高等学校|中学校|小学校|学校|学園|幼稚園|保育園|事務所|新聞社|出版社|役場|支店|支社|営業所|事業所|出張所|工場|研究所"
    "|郵便局留?め?|局留め?|ビルディング|ビルヂング|ビル|タワー|会館|プラザ|センター|本社|本店"
)
"""Words behind the name of a company, a branch, a post office or a building."""
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
_CLOSED = rf"(?:(?:{_WORD})+(?:{_UNIT})長?付?(?:代理|補佐)?|(?:{_TITLE})(?:代理|補佐|心得|付)?|御中)+"
_FREE = "[ぁ-ゖァ-ヺー一-鿿々a-z]{1,30}"
_KINDS = {
    "o": re.compile("c/o"),
    "l": re.compile("＊"),
    "s": re.compile(_SIGN),
    "c": re.compile(_CLOSED),
    "n": re.compile(rf"(?:{_SIGN}){_FREE}|{_FREE}?(?:{_NAMED}|{_SIGN})(?:{_CLOSED})?"),
    "f": re.compile(_FREE),
}
_LINE = re.compile(r"(?:off?|sf|fs|fl+|[scn])+")
"""The kinds of a line's words: a free one stands beside the sign of a company, or behind c/o.

In Latin letters all free words are one, before the sign.
"""
_NUMERAL = "〇零一二三四五六七八九十百千万壱弐参拾廿卅"
_NEVER = re.compile(
    rf"[0-9]|[{_NUMERAL}][{_NUMERAL}丁番号条線地目階之のノー]|{PREFECTURE.pattern}|[市郡][^\W\d_]{{1,6}}?[区町村]"
    "|[^\\W\\d_]区(?!役所|画)|転送|回送|転居|移転|引越|てんそう|住所|旧[姓氏名]|丁目|番地|私書箱|郵便番号|電話|(?<!お客)様"
    "|方$|殿|さま|サマ|宛|ちょうめ|チョウメ|ばんち|バンチ|chome|forward"
)
"""Words of another address, or of another recipient."""
_NEVER_WRITTEN = re.compile(
    rf"[〒@]|[{_NUMERAL}](?=$|[\W_])|[a-z]-(?:ku|shi|cho|machi|ken|fu|to|gun)(?![a-z])|\btel\b|\bfax\b"
)
_NOT_LETTERS = re.compile(r"[\W_]+")
_BETWEEN_LATIN = re.compile(r"(?<=[a-z]) (?=[a-z])")


def further_lines(whole: Postal, pieces: Sequence[Piece]) -> tuple[str, ...]:
    """The lines of further text among the pieces of a print, normalised, with person and address.

    None at all if one of them may hold another address, or words of no company, department or host.
    `pieces`: the name last. `whole`: person and address of the same print, without that text.
    """
    kinds = {piece.kind for piece in pieces}
    if pieces[-1].kind == "further" or not {"place", "house", "further"} <= kinds:
        return ()
    lines = [_SHORT.sub(lambda match: _LONG[match[1]], line) for line in _lines(pieces)]
    if len(_beside(pieces)) > _LONGEST or not all(map(_is_known, lines)):
        return ()
    texts = dict.fromkeys(_NOT_LETTERS.sub("", line) for line in lines)
    return tuple(f"further||{whole}|{text}" for text in texts) if len(texts) <= MOST else ()


def names_within(pieces: Sequence[Piece]) -> tuple[str, ...]:
    """Each part of the further lines that may be a name, whatever stands around it, with the name's own beginning."""
    text = _beside(pieces)
    whole = text + _NOT_LETTERS.sub("", pieces[-1].text)
    parts = (whole[start : start + n] for start in range(len(text)) for n in range(1, _NAME + 1))
    return tuple(dict.fromkeys(filter(None, map(person_of, parts))))


def _beside(pieces: Sequence[Piece]) -> str:
    """The letters beside name and address, one behind the other."""
    beside = (piece.text for piece in pieces if piece.kind in ("building", "host", "further"))
    return _NOT_LETTERS.sub("", "".join(beside))


def _lines(pieces: Sequence[Piece]) -> Iterator[str]:
    """Yields the lines of further text, each with a c/o before it, which was read as a building's."""
    care = ""
    for piece in pieces:
        if piece.kind == "further":
            yield from (line for line in f"{care}{piece.text}".split("\n") if _NOT_LETTERS.sub("", line))
        care = "c/o" if piece.kind == "building" and piece.text.split()[-1:] == ["c/o"] else ""


def _is_known(line: str) -> bool:
    """True for a line of companies, departments, titles and hosts that holds no address."""
    text = _NOT_LETTERS.sub("", line)
    if _NEVER.search(text) or _NEVER_WRITTEN.search(line):
        return False
    if _KINDS["c"].fullmatch(text):
        return True
    spaced = [" ".join(_NOT_LETTERS.split(part)).strip() for part in _CARE.split(line)]
    words = " c/o ".join(_BETWEEN_LATIN.sub("", _LATIN_SIGN.sub(" ＊ ", part)) for part in spaced).split()
    kinds = [next((kind for kind, form in _KINDS.items() if form.fullmatch(word)), "?") for word in words]
    return _LINE.fullmatch("".join(kinds)) is not None
