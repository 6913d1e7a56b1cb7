"""The privacy manager's acts on a controller, a list, a person or a policy, with a preview before each act.

The functions behind the commands write the facts and the act together. Reading all sources takes time, so both the
preview and the writing run in the background.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import uuid4

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from gatekeeper.console import filters, given_reasons, order_form, own_signature
from gatekeeper.console.orders import KINDS, PLANS, PREVIEWS
from gatekeeper.console.pages.acts import field
from gatekeeper.console.session import Denied, Form, Session, may
from gatekeeper.console.signings import SaidBefore
from gatekeeper.console.state import Console, console
from gatekeeper.console.tasks import Task
from gatekeeper.console.typed import Wrong
from gatekeeper.console.view import language, page, told
from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.ground.texts import text
from gatekeeper.ground.words import narrow
from gatekeeper.index import act_log
from gatekeeper.management.policy_change import every
from gatekeeper.staff.act_kinds import ACT_KINDS
from schemas.values import ID_PATTERN
from streams.client.fact_with_act import FactsWithAct
from streams.client.passkey_prompt import PasskeySignatory
from streams.operations import management
from streams.operations.management import Change, Changed

Manager = Annotated[Session, Depends(may(*KINDS))]
router = APIRouter()
NAMED = ("controller", "batch")
"""Kinds of subjects that have a registered name."""
_RUN = re.compile(r"[a-f0-9]{32}")
SHOWN = 20


@router.get("/manage")
def shown(request: Request, session: Manager) -> Response:
    """The registered controllers, lists and policies, recent acts, and the forms that lead to each act."""
    return _overview(request, session)


def _overview(request: Request, session: Session, *, wrong: Wrong | None = None, subject: str = "") -> Response:
    """The page of all acts. `wrong`: what is wrong with one of its forms. `subject`: the text typed there."""
    held, mine = console(request), session.access.controllers("see")
    with held.model.read() as db:
        now = held.registrations.now(db)
        done = act_log.recent(db, most=SHOWN, facts_only=True, access=session.access)
        words = held.words(given_reasons.places(db, [act.act_id for act in done]))
    registered = {"controller": now.of_kind("controller"), "batch": now.of_kind("batch"), "policy": now.activated()}
    holds = now.packs(held.settings.policy).at(held.now()).name
    if mine is not None:
        registered = {
            "controller": [controller for controller in registered["controller"] if controller["id"] in mine],
            "batch": [],
            "policy": [],
        }
    versions = sorted(
        {policy.name for policy in every()} | {f"{record['id']}@{record['version']}" for record in registered["policy"]}
    )
    return page(
        request,
        "manage",
        status=422 if wrong else 200,
        wrong=wrong,
        typed={"subject": subject},
        known=registered,
        alone={what: now.alone(what) for what in NAMED},
        kinds={kind: ACT_KINDS[kind] for kind in KINDS if _for_something(session, kind)},
        acts=[(act, told(act.outcome, act.code, language(request))) for act in done],
        names=now.names(language(request)),
        words=words,
        versions=versions,
        holds=holds,
        waiting=now.waiting if mine is None else [],
    )


@router.get("/manage/{kind}")
def look(request: Request, session: Manager, kind: str, subject: str = "", since: str = "", look: str = "") -> Response:
    """The preview of an act, with the form to confirm it; nothing is written. `look`: id of the preview's task."""
    if kind not in KINDS:
        raise Denied("page.no_such_page", 404)
    typed = narrow(subject)
    if not typed:
        raise Denied("page.manage_nothing", 400)
    ids = _called(request, session, kind, typed)
    subject = ids[0] if len(ids) == 1 else typed
    _demand(session, kind, subject)
    if len(ids) > 1 or (not ids and not _may_exist(KINDS[kind], typed)):
        return _overview(request, session, wrong=_unknown(request, kind, typed, ids), subject=typed)
    if ACT_KINDS[kind].preview and not _RUN.fullmatch(look):
        query = filters.joined((("subject", subject), ("since", since), ("look", uuid4().hex)))
        return RedirectResponse(f"/manage/{kind}?{query}", 303)
    return _form(request, session, kind, subject, look, typed={"since": since})


@router.post("/manage/{kind}")
def do(request: Request, session: Manager, form: Form, kind: str) -> Response:
    """Starts to write an act, or says what is wrong with the form. Sending the same form again writes nothing new."""
    held, lang = console(request), language(request)
    run, subject = field(form, "run"), narrow(field(form, "subject"))
    if kind not in KINDS or not _RUN.fullmatch(run):
        raise Denied("page.request_bad", 400)
    _demand(session, kind, subject)
    values = {name: narrow(field(form, name)) for name in order_form.FIELDS if name != "reason"}
    values["reason"] = field(form, "reason").strip()
    with held.model.read() as db:
        now, answer = held.registrations.now(db), act_log.answered(db, run)
    act = order_form.read(kind, values, now, by=session.user, subject=subject, run=run, lang=lang)
    if isinstance(act, Wrong):
        return _form(request, session, kind, subject, field(form, "look"), typed=values, wrong=act, run=run)
    if not answer.written:
        extra = {**values, "version": subject}
        signatory = held.signatory(session)

        def work(_: Task) -> Any:
            planned = PLANS[kind](held, act, extra)
            if isinstance(planned, Change):
                return management.change(held.settings, planned, signatory)
            return planned if session.needs_key(kind) else planned.write(held.settings, signatory)

        held.tasks.start(run, session.user, "act", work)
    return RedirectResponse(f"/manage/{kind}/{run}", 303)


@router.get("/manage/{kind}/{run}")
def done(request: Request, session: Manager, kind: str, run: str) -> Response:
    """The state of an act: acknowledged by Kafka, then answered by the worker."""
    held = console(request)
    task = held.tasks.get(run) if _RUN.fullmatch(run) else None
    with held.model.read() as db:
        answer = act_log.answered(db, run)
        subject = act_log.subject(db, run)
    if kind not in KINDS or not (task or answer.written):
        raise Denied("page.run_unknown", 404)
    if not (task and task.by == session.user) and not _manages(session, kind, subject or ""):
        raise Denied("page.run_unknown", 404)
    result = task.result if task else None
    if task is not None and isinstance(result, FactsWithAct):
        with held.model.read() as db:
            names = held.registrations.now(db).names(language(request))
        return _asking(held, session, task, result, names)
    pair, rival = result if isinstance(result, Changed) else (result, None)
    waits = (task is not None and not task.over) or (pair is not None and answer.outcome is None)
    return page(
        request,
        "managed",
        status=task.error.http_status if task and isinstance(task.error, GatekeeperError) else 200,
        kind=kind,
        run=run,
        task=task,
        pair=pair,
        rival=rival,
        outcome=answer.outcome,
        says=told(answer.outcome, answer.code, language(request)),
        refresh=1 if waits else None,
    )


def _asking(held: Console, session: Session, task: Task, planned: FactsWithAct, names: Mapping[str, str]) -> Response:
    """Leads to the page that takes the person's own signature of what the task has prepared."""
    act, address = planned.act, f"/manage/{planned.act.kind}/{planned.act.act_id}"
    if task.by != session.user:
        raise Denied("page.run_unknown", 404)

    def signed(signatory: PasskeySignatory) -> str:
        if task.result is planned:
            task.result = planned.write(held.settings, signatory)
        return address

    about = act.recipient_id or (act.subject or "").partition("/")[2]
    records = [orjson.loads(fact.value) for fact in planned.facts if fact.topic == "reference"]
    says = SaidBefore(
        act.kind,
        about,
        names.get(act.subject or "", about),
        fields=[(name, "-", str(value)) for record in records for name, value in record.items()],
        reason=act.reason or "",
        evidence=act.evidence_ref or "",
        command=f"gatekeeper {ACT_KINDS[act.kind].command}",
    )
    return own_signature.ask(held, session, planned.records, says, write=signed, back="/manage")


def _for_something(session: Session, kind: str) -> bool:
    """True when this user may do an act of this kind. Without a controller to limit it, it concerns all of them."""
    if KINDS[kind] != "controller":
        return session.may_everywhere(kind)
    return session.access.controllers(kind) != frozenset()


def _manages(session: Session, kind: str, subject: str) -> bool:
    """True when this user may do this act on that subject, as kind/id."""
    what, _, id_ = subject.partition("/")
    return session.access.covers(kind, id_ if what == "controller" else None)


def _demand(session: Session, kind: str, subject: str) -> None:
    session.demand(kind)
    if not _manages(session, kind, f"{KINDS[kind]}/{subject}"):
        raise Denied("page.may_not_everywhere")


def _called(request: Request, session: Session, kind: str, typed: str) -> list[str]:
    """The ids of the subjects that are called so, among those on which the user may act."""
    held = console(request)
    with held.model.read() as db:
        ids = held.registrations.now(db).called(KINDS[kind], typed)
    return [id_ for id_ in ids if _manages(session, kind, f"{KINDS[kind]}/{id_}")]


def _may_exist(what: str, typed: str) -> bool:
    """Tells whether something of this kind may have this id, although it is not registered.

    A list that only sources name can be frozen, too. The preview looks for it there.
    """
    return what not in NAMED or (what == "batch" and re.fullmatch(ID_PATTERN, typed) is not None)


def _unknown(request: Request, kind: str, typed: str, ids: list[str]) -> Wrong:
    """The fault of a subject that nothing registered is called, or several."""
    lang = language(request)
    what = text(f"page.subject_{KINDS[kind]}", lang)
    key = "page.manage_ambiguous" if ids else "page.manage_unknown"
    return Wrong(text(key, lang, subject=typed, what=what, codes=", ".join(ids)), kind)


def _form(
    request: Request,
    session: Session,
    kind: str,
    subject: str,
    look: str,
    *,
    typed: Mapping[str, str],
    wrong: Wrong | None = None,
    run: str = "",
) -> Response:
    held, row = console(request), ACT_KINDS[kind]
    task = None
    if row.preview and _RUN.fullmatch(look):
        preview = PREVIEWS[row.preview]
        since = typed.get("since", "")
        task = held.tasks.start(
            f"{kind}-{look}-{since}-{subject}",
            session.user,
            "preview",
            lambda task: preview(held, subject, since, task),
        )
        if task.by != session.user:
            raise Denied("page.may_not")
    with held.model.read() as db:
        now = held.registrations.now(db)
    records = now.of_kind(row.about)
    return page(
        request,
        "manage_one",
        status=422 if wrong else 200,
        names=now.names(language(request)),
        kind=kind,
        row=row,
        subject=subject,
        look=look,
        task=task,
        found=next((record for record in records if record["id"] == subject), None),
        run=run or uuid4().hex,
        wrong=wrong,
        typed={name: typed.get(name, "") for name in order_form.FIELDS},
        refresh=1 if task and not task.over else None,
    )
