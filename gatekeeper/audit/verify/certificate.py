"""The result of a check as one HTML page to file or hand over, in both languages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any

from gatekeeper.audit.verify.findings import Report, causes_of, tellable
from gatekeeper.audit.verify.sentences import say

_LANGUAGES = ("ja", "en")
_PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1f; line-height: 1.7;
  font-family: "BIZ UDPGothic", system-ui, "Hiragino Sans", "Noto Sans CJK JP", "IPAGothic", sans-serif; }}
h1 {{ font-size: 1.4rem; }}
h2 {{ font-size: 1.15rem; padding: .6rem .9rem; border-left: .5rem solid; background: #f3f5f9; }}
.intact {{ border-color: #1d6b34; }} .changed {{ border-color: #9b1c1c; }} .cannot_tell {{ border-color: #b86a00; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
section + section {{ border-top: 1px solid #c9cad1; margin-top: 2rem; }}
@page {{ size: A4; margin: 18mm; }}
@media print {{ body {{ margin: 0; font-size: 10pt; }} section + section {{ break-before: page; }} }}
</style>
</head>
<body>
<main>
{parts}
</main>
</body>
</html>
"""


def certificate(report: Report, name: str, at: datetime) -> str:
    """The page. `name`: of the folder or file that was checked. `at`: the time of the check."""
    when = _clock(at)
    parts = "\n".join(_part(report, name, when, lang) for lang in _LANGUAGES)
    return _PAGE.format(lang=_LANGUAGES[0], title=escape(say(_heading(report), _LANGUAGES[0])), parts=parts)


def _heading(report: Report) -> str:
    return "certificate_of_proof" if report.proof else "certificate"


def _clock(at: datetime) -> str:
    """An instant on this machine's clock, with its distance from UTC."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S (UTC%z)")


def _local(written: Any) -> Any:
    """A written instant on this machine's clock; anything else stays, in a form that may be shown."""
    shown = tellable("at", written)
    try:
        return _clock(datetime.fromisoformat(shown))
    except (TypeError, ValueError, OverflowError):
        return shown


def _statement(report: Report, code: str, values: Mapping[str, Any], lang: str) -> str:
    """A statement of the report, with its instants on this machine's clock."""
    if code == "only":
        return say("only_period", lang, period=_period(report, lang))
    return say(code, lang, **{name: _local(value) if name == "at" else value for name, value in values.items()})


def _period(report: Report, lang: str) -> str:
    """The period of an export in words."""
    first, to = map(_local, report.period)
    code = "of_time" if first and to else "of_time_from" if first else "of_time_until" if to else "of_time_all"
    return say(code, lang, first=first, to=to)


def _html(sentence: str) -> str:
    """A sentence as HTML; what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(sentence))


def _part(report: Report, name: str, when: str, lang: str) -> str:
    """The certificate in one language."""
    file, counts = tellable("file", name), f"{report.manifests:,} / {report.records:,}"
    if report.proof:  # of the log it shows one leaf, so nothing here may speak for the others
        about = {"of_proof": file, "of_decision": tellable("did", report.did), "of_counts": counts}
    else:
        about = {"of_what": file, "of_period": _period(report, lang), "of_counts": counts}
        about["of_root"] = f"{report.leaves:,} / {report.root or '-'}"
    about |= {"of_log": tellable("origin", report.log), "of_when": when, "of_exit": str(report.exit_code)}
    rows = "".join(
        f"<dt>{escape(say(code, lang))}</dt><dd>{escape(value or '-')}</dd>\n" for code, value in about.items()
    )
    causes = "".join(f"<li>{_html(cause.text(lang))}</li>\n" for cause in causes_of(report.findings))
    rest = report.found - len(report.findings)
    more = f"<p>{escape(say('more', lang, count=rest))}</p>\n" if rest else ""
    count = say("not_right", lang, causes=causes.count("<li>"), count=report.found)
    none = escape(say("none_found", lang))
    wrong = f"<h3>{escape(count)}</h3>\n<ul>\n{causes}</ul>\n{more}" if causes else f"<p>{none}</p>\n"
    statements = "".join(f"<li>{_html(_statement(report, code, values, lang))}</li>\n" for code, values in report.says)
    return f"""<section lang="{lang}">
<h1>{escape(say(_heading(report), lang))}</h1>
<h2 class="{report.verdict}">{escape(report.lines(lang)[0])}</h2>
<dl>
{rows}</dl>
{wrong}<ul>
{statements}</ul>
<p>{escape(say("proof_unsigned" if report.proof else "certificate_unsigned", lang))}</p>
</section>"""
