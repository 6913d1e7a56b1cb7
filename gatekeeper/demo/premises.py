"""The demo's place: a folder with a broker of its own, keys, pictures of forms, and the people who act."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from gatekeeper.demo import addresses, paper
from gatekeeper.demo.colleagues import CONSOLE, VISITOR, Colleagues
from gatekeeper.demo.retailer import Retailer
from gatekeeper.ground.settings import PLAIN, Settings
from gatekeeper.keys import ROLES, Keys, key_name
from streams.client import admin
from streams.kafka import node
from streams.kafka.broker import Broker
from streams.kafka.jars import Progress as Fetching

FOUND_BY = ("broker", "keys", "log", "forms", "http_port", "user_key")
"""Settings that a command needs to find the demo, and to act in it."""
OURS = (*FOUND_BY, "data", "mode", "acts", "console_key", *PLAIN)
"""Settings that the demo sets itself, regardless of the environment."""


@dataclass(frozen=True, slots=True)
class Premises:
    """The demo's place, as commands find it by `settings`. `colleagues`: everybody who acts there."""

    settings: Settings
    colleagues: Colleagues

    def environment(self, names: Iterable[str] = OURS) -> dict[str, str]:
        """These settings as environment variables."""
        return {f"GATEKEEPER_{name}".upper(): str(getattr(self.settings, name)) for name in names}

    def exports(self) -> str:
        """An `export` line for another shell on this machine, so that every command there finds the demo."""
        given = {name: value for name, value in os.environ.items() if name.startswith("GATEKEEPER_")}
        over = {name: value for name, value in self.environment().items() if name in given}
        words = (given | over | self.environment(FOUND_BY)).items()
        return " ".join(["export", *(f"{name}={shlex.quote(value)}" for name, value in sorted(words))])

    def command(self, *arguments: str) -> str:
        """A `gatekeeper` command line with these arguments, for a shell that has run the `exports` line."""
        return shlex.join((str(Path(sys.executable).with_name("gatekeeper")), *arguments))


def furnished(
    folder: Path, given: Settings, retailer: Retailer, fetching: Fetching | None, stack: ExitStack
) -> Premises:
    """The demo's place in a folder, with the retailer's forms; its broker ends with `stack`.

    `given`: settings for all that the demo does not set itself; the broker in them is not touched. `fetching` is called
    while Kafka is fetched. Raises as `Broker.start` does.
    """
    broker = Broker(folder / "kafka")
    stack.callback(broker.stop)
    broker.start(progress=fetching)
    places = {name: str(folder / name) for name in ("keys", "data", "log", "forms")}
    ours = {"broker": broker.bootstrap, **places, "mode": "live", "acts": "signed", **PLAIN}
    settings = given.model_copy(update={**ours, "http_port": node.free_port()})
    admin.create(settings)
    forms = Path(settings.forms)
    forms.mkdir()
    for picture in retailer.pictures.values():
        (forms / f"{paper.hashed(picture)}.svg").write_bytes(picture)
    keys = Keys(settings.key_folder)
    for role in ROLES:
        secret = addresses.KEY if role == "token" else None  # the people's tokens were made with it
        keys.make(role, key_name(settings.group, role), secret=secret)
    colleagues = Colleagues(folder / "people", settings)
    colleagues.register()
    files = colleagues.key_files
    mine = {"user_key": files[VISITOR], "console_key": files[CONSOLE]}
    return Premises(settings.model_copy(update=mine), colleagues)
