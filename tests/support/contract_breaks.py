"""The changes of the published contract that break a program, and the contracts of all releases, kept for good.

A program that was written against a release goes on working: all that it may write is still read, and all that it was
promised to read is still there. So a release adds optional fields, and nothing else.

`python -m tests.support.contract_breaks --keep VERSION` keeps the contract as that release has it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from schemas import asyncapi
from schemas.json_schema import Document, written
from schemas.topics import INPUTS

KEPT = Path(__file__).parents[1] / "golden" / "contracts"
HOW = """\
A program of the last release would fail. Put the field, the value or the limit back; a new one is optional. What must
change in another way goes to a new topic, `.v2`, beside the old one."""
_HIGH, _LOW = ("maximum", "maxLength", "maxItems", "maxProperties"), ("minimum", "minLength", "minItems")
_CONDITIONS = ("pattern", "not", "if", "then", "else", "allOf", "contains", "propertyNames", "contentMediaType")


def file_of(version: str, content: str) -> str:
    """Returns the name under which a release's contract is kept: it holds the hash, so that nobody changes one."""
    return f"{version}-{sha256(content.encode()).hexdigest()[:16]}.json"


def keep(version: str) -> Path:
    """Keeps the present contract as that of a release; returns its file."""
    content = written(asyncapi.document())
    KEPT.mkdir(exist_ok=True)
    path = KEPT / file_of(version, content)
    path.write_text(content, "utf-8")
    return path


def kept_contracts() -> dict[str, Document]:
    """Returns the contract of each release that is kept; raises ValueError for a file that was changed."""
    found = {}
    for path in sorted(KEPT.glob("*.json")):
        content, version = path.read_text("utf-8"), path.name.rpartition("-")[0]
        if path.name != file_of(version, content):
            raise ValueError(f"{path} is not as it was kept: restore it")
        found[version] = json.loads(content)
    return found


def breaks(old: Document, new: Document) -> list[str]:
    """Returns the changes between two AsyncAPI documents that break a program of the old one, each by its place."""
    return list(_Comparison(old, new).all())


class _Comparison:
    """The comparison of two documents, each of which has its own definitions."""

    def __init__(self, old: Document, new: Document) -> None:
        self.old, self.new = _whole(old), _whole(new)

    def all(self) -> Iterator[str]:
        for name, channel in self.old["channels"].items():
            now = self.new["channels"].get(name, {"messages": {}})
            if now.get("address") != channel["address"]:
                yield f"{name}: topic removed"
                continue
            for kind, message in channel["messages"].items():
                if kind not in now["messages"]:
                    yield f"{name}.{kind}: kind removed"
                    continue
                for part in ("headers", "payload"):
                    place = f"{name}.{kind}" + (" headers" if part == "headers" else "")
                    yield from self.schema(
                        place, message.get(part, {}), now["messages"][kind].get(part, {}), ours=name not in INPUTS
                    )

    def schema(self, place: str, old: Any, new: Any, *, ours: bool) -> Iterator[str]:
        """Yields what breaks between two schemas. `ours`: the gate writes such values, and others rely on fields."""
        if isinstance(old, bool) or isinstance(new, bool):
            if old != new and new is not True:
                yield f"{place}: no longer open"
            return
        before, after = _forms(old), _forms(new)
        added = {_type(one) for one in after} - {_type(one) for one in before}
        if ours and added:
            yield f"{place}: type added"
        if len(before) == len(after) == 1:
            yield from self.form(place, old, new, ours=ours)
            return
        for one in before:
            if all([*self.form(place, one, other, ours=ours)] for other in after):
                yield f"{place}: {_type(one)} removed or narrowed"

    def form(self, place: str, old: Document, new: Document, *, ours: bool) -> Iterator[str]:
        yield from self.fields(place, old, new, ours=ours)
        if "type" in new and new["type"] != old.get("type"):
            yield f"{place}: type changed"
        if (allowed := _values(new)) and not (_values(old) and _values(old) <= allowed):
            yield f"{place}: value removed"
        for word in (*_HIGH, *_LOW):
            if word in new and (word not in old or (new[word] < old[word] if word in _HIGH else new[word] > old[word])):
                yield f"{place}: {word} narrowed"
        for word in _CONDITIONS:
            if word in new and new[word] != old.get(word) and not (word == "allOf" and _is_about_new(old, new)):
                yield f"{place}: {word} changed"
        if "items" in old or "items" in new:
            yield from self.schema(f"{place}[]", old.get("items", {}), new.get("items", {}), ours=ours)

    def fields(self, place: str, old: Document, new: Document, *, ours: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in before.keys() - after.keys():
            yield f"{place}.{name}: field removed"
        for name in {*new.get("required", ())} - {*old.get("required", ())}:
            yield f"{place}.{name}: field required now"
        for name in {*old.get("required", ())} - {*new.get("required", ())} if ours else ():
            yield f"{place}.{name}: field optional now"
        for name in before.keys() & after.keys():
            yield from self.schema(f"{place}.{name}", before[name], after[name], ours=ours)
        for word in ("additionalProperties", "contentSchema"):
            if word in old or word in new:
                yield from self.schema(f"{place}{{}}", old.get(word, True), new.get(word, True), ours=ours)
        for pattern, inside in new.get("patternProperties", {}).items():
            yield from self.schema(
                f"{place}{{}}", old.get("patternProperties", {}).get(pattern, True), inside, ours=ours
            )


def _is_about_new(old: Document, new: Document) -> bool:
    """Tells whether the conditions that `allOf` adds ask for a field that the old schema has not."""
    added = [one for one in new["allOf"] if one not in old.get("allOf", ())]
    kept = [one for one in new["allOf"] if one not in added]
    return kept == old.get("allOf", []) and all(
        "else" not in one and {*one.get("if", {}).get("required", ())} - old.get("properties", {}).keys()
        for one in added
    )


def _whole(document: Document) -> Document:
    """Returns the document with each reference replaced by its schema; no schema of ours holds itself."""
    definitions = document["components"]["schemas"]

    def put(node: Any) -> Any:
        if isinstance(node, list):
            return [put(one) for one in node]
        if not isinstance(node, dict):
            return node
        if str(node.get("$ref", "")).startswith("#/components/schemas/"):
            return put(definitions[node["$ref"].rpartition("/")[2]])
        return {name: put(one) for name, one in node.items()}

    found: Document = put({"channels": document["channels"]})
    return found


def _forms(schema: Document) -> list[Document]:
    """Returns the members of a union, else the schema alone."""
    members = schema.get("anyOf") or schema.get("oneOf")
    return [form for one in members for form in _forms(one)] if members else [schema]


def _values(schema: Document) -> set[str]:
    return {*map(json.dumps, schema.get("enum", [schema["const"]] if "const" in schema else []))}


def _type(schema: Document) -> str:
    return str(schema.get("type", "any"))


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "--keep":
        sys.exit(__doc__)
    print(keep(sys.argv[2]))
