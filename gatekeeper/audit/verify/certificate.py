"""The result of a check as one HTML page to file or hand over, in both languages."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

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
    when = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    parts = "\n".join(_part(report, name, when, lang) for lang in _LANGUAGES)
    return _PAGE.format(lang=_LANGUAGES[0], title=escape(say(_heading(report), _LANGUAGES[0])), parts=parts)


def _heading(report: Report) -> str:
    return "certificate_of_proof" if report.proof else "certificate"


def _part(report: Report, name: str, when: str, lang: str) -> str:
    """The certificate in one language."""
    file, counts = tellable("file", name), f"{report.manifests:,} / {report.records:,}"
    if report.proof:  # of the log it shows one leaf, so nothing here may speak for the others
        about = {"of_proof": file, "of_decision": tellable("did", report.did), "of_counts": counts}
    else:
        first, to = (tellable("at", one) for one in report.period)
        about = {"of_what": file, "of_period": say("of_time", lang, first=first, to=to), "of_counts": counts}
        about["of_root"] = f"{report.leaves:,} / {report.root or '-'}"
    about |= {"of_log": tellable("origin", report.log), "of_when": when, "of_exit": str(report.exit_code)}
    rows = "".join(
        f"<dt>{escape(say(code, lang))}</dt><dd>{escape(said or '-')}</dd>\n" for code, said in about.items()
    )
    found = "".join(f"<li>{escape(cause.text(lang))}</li>\n" for cause in causes_of(report.findings))
    rest = report.found - len(report.findings)
    more = f"<p>{escape(say('more', lang, count=rest))}</p>\n" if rest else ""
    said = "".join(f"<li>{escape(say(code, lang, **values))}</li>\n" for code, values in report.says)
    return f"""<section lang="{lang}">
<h1>{escape(say(_heading(report), lang))}</h1>
<h2 class="{report.verdict}">{escape(report.lines(lang)[0])}</h2>
<dl>
{rows}</dl>
<h3>{escape(say("not_right", lang, causes=found.count("<li>"), count=report.found))}</h3>
<ul>
{found}</ul>
{more}<ul>
{said}</ul>
<p>{escape(say("proof_unsigned" if report.proof else "certificate_unsigned", lang))}</p>
</section>"""
