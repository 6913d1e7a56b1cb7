"""Acts for which the console's word is not enough: they wait until the person touches a passkey."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from fastapi import Response
from fastapi.responses import RedirectResponse

from gatekeeper.console.session import Denied, Session
from gatekeeper.console.signings import SaidBefore, Signing
from gatekeeper.console.state import Console
from gatekeeper.deciding.release import two_persons
from gatekeeper.engine.item import number
from gatekeeper.ground.errors import UsageError
from gatekeeper.policy.policy import Policy
from gatekeeper.review.actions import ActRequest
from gatekeeper.review.review_item import Item
from gatekeeper.staff.act_kinds import ACT_KINDS
from schemas.events import Release
from streams.client.outgoing import Outgoing
from streams.client.passkey_prompt import PasskeySignatory


def needed(
    session: Session, call: ActRequest, items: Sequence[Item], policy: Policy, released: Mapping[str, int]
) -> bool:
    """True for acts that need a signature of the user's own: an approval, and a release that takes two people.

    `released`: the items of each campaign that the user released within the last hour. The worker counts them, too.
    """
    if ACT_KINDS[call.kind].signers == 1 or not session.vouched:
        return bool(items) and session.needs_key(call.kind)
    now = Counter(item.campaign for item in items)
    for act in map(call.act, items):
        count = number(call.bulk, released.get(act.campaign_id, 0) + now[act.campaign_id])
        if isinstance(act, Release) and two_persons(act.model_copy(update={"bulk": count}), policy):
            return True
    return False


def ask(
    held: Console,
    session: Session,
    records: Iterable[Outgoing],
    says: SaidBefore,
    *,
    write: Callable[[PasskeySignatory], str],
    back: str,
) -> Response:
    """A redirect to the page that says what is to be signed; nothing is written before.

    `write`: writes the records with the signatures, and gives the address of the next page. `back`: the page before.
    """
    try:
        signing = Signing(session.user, list(records), says, write, back, held.settings.group)
    except UsageError:
        raise Denied("page.sign_rows", 400) from None
    held.signings.put(signing)
    return RedirectResponse(f"/sign/{signing.name}", 303)
