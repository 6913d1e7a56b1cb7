"""Warms the caches of a worker's process before it is forked."""

from __future__ import annotations

import gc
import inspect

import click  # noqa: F401
import faust.app.router
import faust.assignor.leader_assignor
import faust.events
import faust.fixups.django
import faust.tables.sets
import faust.topics
import faust.transport.utils
import faust.web.drivers.aiohttp
import faust.worker  # noqa: F401 - Faust imports all of these when an app is made, or begins to work

import streams.worker.process  # noqa: F401 - with all that it imports
from gatekeeper.audit.records.record import schema_hash
from gatekeeper.policy.packs import load

schema_hash()
load("jp-pmark")
inspect.getmodule(compile("", "nowhere", "exec"))  # Faust asks where it is called; the first answer lists all modules
gc.freeze()  # or the first collection of each child would copy all of this
