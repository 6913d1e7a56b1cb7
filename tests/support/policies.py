"""Policies for tests: the shipped texts, changed, and the records that put them in force."""

from __future__ import annotations

import re
import tomllib
from hashlib import sha256
from importlib.resources import files
from typing import Any

from gatekeeper.ground.times import instant
from gatekeeper.policy import packs
from tests.support import invented

SHIPPED = files("gatekeeper.policy").joinpath("jp-pmark.toml").read_bytes()
"""The bytes of the shipped jp-pmark."""


def shipped(id_: str, version: int) -> str:
    """Returns the text of a shipped version."""
    return next(packs.shipped_text(policy) for policy in packs.shipped()[id_] if policy.version == version)


def text(version: int, *changes: tuple[str, str], of: str | None = None) -> str:
    """Returns the text of jp-pmark, or of another, with another version number and some other lines."""
    content = shipped("jp-pmark", 1) if of is None else of
    content = re.sub(r"^version = \d+", f"version = {version}", content, flags=re.M)
    for old, new in changes:
        assert old in content
        content = content.replace(old, new)
    return content


def today(version: int, *changes: tuple[str, str], of: str = "jp-pmark") -> str:
    """Returns a text that says only how it differs from the third version of a pack, which is in force now."""
    everywhere = 'jurisdictions = ["*"]\n' if of == "strictest" else ""
    content = f'amends = "{of}@3"\nid = "{of}"\nversion = {version}\n{everywhere}[rules]\n[parameters]\nask_cap = 1\n'
    return text(version, *changes, of=content)


def policy_record(content: str, since: int = invented.T, **other: Any) -> dict[str, Any]:
    """Returns the record of that text, from `since` (milliseconds) on; `other` replaces fields, None takes one away."""
    try:
        said = tomllib.loads(content)
    except (ValueError, RecursionError):
        said = {}
    fields = {
        "v": 1,
        "kind": "policy",
        "id": said.get("id", "jp-pmark"),
        "version": said.get("version", 7),
        "jurisdictions": said.get("jurisdictions", ["JP"]),
        "effective_from": instant(since),
        "toml": content,
        "sha256": sha256(content.encode()).hexdigest(),
        "by": ["hanako", "taro"],
    }
    return {name: value for name, value in {**fields, **other}.items() if value is not None}
