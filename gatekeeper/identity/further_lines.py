"""The lines beside name and address for which a source may account: company, department, title (domain rule 8.3.54).

A line is one of a closed list. Only the name of a company, branch, building, post office or host in it is free text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gatekeeper.identity.address_segments import PREFECTURE, Piece
from gatekeeper.identity.name import person_of
from gatekeeper.identity.postal import Postal

MOST = 8
"""Such lines of one print, at most; one that has more is not accounted for."""
_LONGEST, _LONGEST_NAME = 60, 20  # letters of a line, and of the free text in it
_LETTERS = range(2, 7)  # letters of a person's name at the beginning or end of such free text
_LONG = {"株": "株式会社", "有": "有限会社", "合": "合同会社", "医": "医療法人", "学": "学校法人"}
_SHORT = re.compile(rf"\(({'|'.join(_LONG)})\)")
_CARE = re.compile(r"\s*c\s*/\s*o(?![a-z/])[:.\s]*")
_SIGN = (
    "株式会社|有限会社|合同会社|合資会社|合名会社|相互会社|(?:一般|公益)?(?:社団|財団)法人|社会福祉法人|独立行政法人"
    "|(?:医療|学校|宗教|npo|特定非営利活動|弁護士|税理士|監査|国立大学)法人|co(?:rp|ltd)|inc|llc|ltd"
)
_NAMED = (
    "商事|商店|商会|工業|工務店|製作所|建設|物産|産業|銀行|信用金庫|信用組合|協同組合|組合|協会|病院|医院|クリニック|大学"
    "|高等学校|中学校|小学校|学校|学園|幼稚園|保育園|事務所|新聞社|出版社|役場|支店|支社|営業所|事業所|出張所|工場|研究所"
    "|郵便局留め?|郵便局|局留め?|ビルディング|ビルヂング|ビル|タワー|会館|プラザ|マンション|ハイツ|センター"
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
_NUMBER = rf"第?(?:[0-9]{{1,2}}|[一二三四五六七八九十]{{1,2}})(?=(?:{_WORD}|部|課|係|班|グループ|チーム))"
_TOKEN = re.compile(
    rf"(?P<department>(?:(?:{_WORD}|{_NUMBER})+(?:{_UNIT})長?付?)(?:代理|補佐)?)"
    rf"|(?P<title>(?:{_TITLE})(?:代理|補佐|心得|付)?|御中)|(?P<sign>{_SIGN})|(?P<named>{_NAMED})|(?P<word>{_WORD})"
)
_NUMERAL = "〇零一二三四五六七八九十百千万壱弐参拾廿卅"
_NO_NAME = re.compile(
    rf"[^\W\d_][市区郡]|[{_NUMERAL}](?:$|[{_NUMERAL}丁番号条線地目之のノー])"  # an address without digits
    r"|ちょうめ|チョウメ|ばんち|バンチ"
)
_NEVER = re.compile(
    rf"{PREFECTURE.pattern}|転送|回送|転居|移転|引越|てんそう|住所|旧[姓氏]|丁目|番地|私書箱|郵便番号|電話|(?<!お客)様|方$"
)
_NEVER_WRITTEN = re.compile(
    rf"[〒@]|[0-9{_NUMERAL}][\W_]+[0-9{_NUMERAL}]|[a-z]-(?:ku|shi|cho|chome|machi|ken|fu|to|gun)(?![a-z])"
)
_NOT_LETTERS = re.compile(r"[\W_]+")


class FurtherLines(NamedTuple):
    """Lines of further text. Nothing if one of them never counts.

    `values`: each normalised, with person and address. `names`: what may be a person's name in their free text.
    """

    values: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def further_lines(whole: Postal, pieces: Sequence[Piece]) -> FurtherLines:
    """The lines of further text among the pieces of a print, if each is of the closed list.

    `pieces`: the name last. `whole`: person and address of the same print, without that text.
    """
    kinds = {piece.kind for piece in pieces}
    if pieces[-1].kind == "further" or not {"place", "house", "further"} <= kinds:
        return FurtherLines()
    texts, names = dict[str, None](), dict[str, None]()
    for line in _lines(pieces):
        text = _text(line)
        free = _free(line, text)
        if free is None:
            return FurtherLines()
        texts[text] = None
        names.update(dict.fromkeys(name for part in free for name in _names(part)))
        names.update(dict.fromkeys(_names("".join(free))))
    if len(texts) > MOST:
        return FurtherLines()
    return FurtherLines(tuple(f"further||{whole}|{text}" for text in texts), tuple(names))


def _lines(pieces: Sequence[Piece]) -> Iterator[str]:
    """Yields the lines, each with the beginning of its first word where that was read as a building's."""
    before = ""
    for piece in pieces:
        if piece.kind == "further":
            *_, word = before.split(" ")
            glued = word if word == "c/o" or not piece.text[:1].isspace() else ""
            for line in f"{glued}{piece.text}".split("\n"):
                if _NOT_LETTERS.sub("", line):
                    yield _SHORT.sub(lambda match: _LONG[match[1]], line)
        before = piece.text.replace("\n", " ") if piece.kind == "building" else ""


def _text(line: str) -> str:
    """A line without white space and marks."""
    care = _CARE.match(line)
    return ("c/o" if care else "") + _NOT_LETTERS.sub("", line[care.end() :] if care else line)


def _free(line: str, text: str) -> tuple[str, ...] | None:
    """The free text in a line; None if the line is not of the list. `text`: the line as of `_text`."""
    if len(text) > _LONGEST or _NEVER.search(text) or _NEVER_WRITTEN.search(line):
        return None
    tokens = [*_tokens(text.removeprefix("c/o"))]
    takes, last = text.startswith("c/o"), ""  # whether a name may stand behind what was read, and its kind
    free: list[str] = []
    for at, (kind, part) in enumerate(tokens):
        if kind == "word":
            continue
        if kind == "free":
            following = next((other for other, _ in tokens[at + 1 :] if other != "word"), "")
            if not (takes or following in ("named", "sign")) or not _is_name(part):
                return None
            free.append(part)
        takes, last = kind == "sign" and last != "free", kind
    return tuple(free)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yields the words of the list in a text, each with its kind, and the free text between them."""
    at = 0
    for match in _TOKEN.finditer(text):
        if match.start() > at:
            yield "free", text[at : match.start()]
        yield str(match.lastgroup), match[0]
        at = match.end()
    if at < len(text):
        yield "free", text[at:]


def _is_name(text: str) -> bool:
    """True for letters that may be a name, and hold no address."""
    return len(text) <= _LONGEST_NAME and text.isalpha() and not _NO_NAME.search(text)


def _names(text: str) -> Iterator[str]:
    """Yields the names that free text may be, begin with, or end in."""
    for part in (text, *(text[:n] for n in _LETTERS), *(text[-n:] for n in _LETTERS)):
        if len(name := person_of(part)) > 1:
            yield name
