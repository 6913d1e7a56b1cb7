"""`gatekeeper policy activate`: puts a version of a policy in force, for all workers from their next chunk on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from time import time

import click

from gatekeeper.cli.actor import act_options, confirmed, person, yes_option
from gatekeeper.cli.actor import named as named_id
from gatekeeper.cli.answer import Question, wait_options
from gatekeeper.cli.output import json_option, note, reading, show_json, show_table
from gatekeeper.cli.staff import told_waiting, waiting_row
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import load
from gatekeeper.ground.texts import text
from gatekeeper.ground.times import instant
from gatekeeper.management.policy_change import KnownPolicies, named, propose
from gatekeeper.policy.comparison import Difference
from gatekeeper.policy.policy import Policy, read
from streams.client import fact_with_act
from streams.operations import management


@click.command("activate", help=text("cli.policy_activate"))
@click.argument("policy")
@act_options("activate")
@click.option("--from", "since", help=text("cli.policy_from"))
@click.option("--and-by", help=text("cli.policy_and_by"))
@yes_option
@wait_options
@json_option
@click.pass_context
def command(
    context: click.Context,
    policy: str,
    reason: str,
    evidence: str | None,
    by: str | None,
    since: str | None,
    and_by: str | None,
    yes: bool,
    wait: float,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Writes the version to `reference`; exit 1 if it lets more through and one manager alone stands for it.

    Exit 1 also if the version waits for another signature, or if the worker refuses the act. Exit 3 if it has not
    answered in time.
    """
    from_file = policy.endswith(".toml")
    given = file_policy(policy) if from_file else None  # refused before any broker is asked
    settings = load()
    who = person(settings, by)
    both = (who, named_id(and_by, "--and-by")) if and_by else who
    with reading() as taken:
        policies = management.policies(settings, taken)
    new = given or named(policy, policies, at=int(time() * 1000))
    content = Path(policy).read_bytes().decode() if from_file else policies.text(new)
    change = propose(policies, new, content, by=both, since=since, now=int(time() * 1000), home=settings.policy)
    old, begins = change.old.name if change.old else None, instant(change.begins)
    differences = [difference._asdict() for difference in change.differences]
    if not as_json:
        show_differences(change.differences)
        note("cli.policy_change", new=new.name, old=old or "-", since=begins)
    if not change.binds:
        if as_json:
            show_json({**new.ref, "activated": False, "over": old, "differences": differences})
        note("cli.policy_widening_refused", new=new.name, lines=", ".join(change.widening))
        context.exit(1)
    confirmed(text("cli.policy_sure", new=new.name, since=begins), 1, yes=yes)
    act = fact_with_act.act("activate", by=who, subject=f"policy/{new.id}", reason=reason, evidence_ref=evidence)
    question = Question(settings, wait=wait, no_wait=no_wait)
    pair = management.activate(settings, change, act=act)
    (place,), answer = pair.facts, question.answer(pair)
    row = waiting_row(settings, f"policy/{new.id}", place.offset)
    if as_json:
        result = {
            **new.ref,
            "activated": row is None and not answer.refused,
            "effective_from": change.record.effective_from,
            "by": both,
        }
        where = {"topic": settings.topic(place.topic), "partition": place.partition, "offset": place.offset}
        show_json({**result, "over": old, "differences": differences, **where, **answer.plain()})
    elif row:
        told_waiting(row._replace(fault=None) if answer.refused else row)  # the refusal says the same
    elif not answer.refused:
        where_ = f"{place.topic}/{place.partition}/{place.offset}"
        click.echo(text("cli.policy_activated", new=new.name, since=begins, place=where_))
    for bar in change.after.barring(change.begins):
        note("cli.policy_still_barred", policy=bar.id, what=bar.what)
    for later in change.later:
        note("cli.policy_follows", later=later.name, since=instant(later.since // 1000))
    answer.conclude()
    if row:
        context.exit(1)


def version(name: str, known: KnownPolicies | None = None) -> Policy:
    """The policy version that a file, `id@version` or an id names; an id names the version in force now."""
    return file_policy(name) if name.endswith(".toml") else named(name, known, at=int(time() * 1000))


def file_policy(file: str) -> Policy:
    """Reads a policy file as the worker would; raises UsageError (2) with file, key path and hint."""
    try:
        return read(Path(file).read_bytes(), file=file)
    except OSError as error:
        raise UsageError("error.file_unreadable", file=file, detail=error) from None


def show_differences(differences: Iterable[Difference]) -> None:
    """Prints the differences as a table."""
    widens = text("cli.policy_widens")
    rows = [
        (difference.key, difference.old, difference.new, widens if difference.widens else "")
        for difference in differences
    ]
    show_table([f"cli.column_{name}" for name in ("key", "old", "new", "effect")], rows)
