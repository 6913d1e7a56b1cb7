"""The reference page of events, made from the published schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, get_origin

from pydantic import TypeAdapter

from schemas import values
from schemas.json_schema import Document, documents, examples, kinds, title
from schemas.topics import TOPICS, Topic
from schemas.webhooks import WEBHOOKS

NAME = "docs/reference/events.md"
_ELSEWHERE = ("audit", "manifests")
"""Topics whose values are not on the page: only the gate and its checks read them."""
_HEAD = """\
# Events

Every kind of record that others write or read, with its fields and an example.
The values of `audit` and `manifests` are in [exports](exports.md).
`python -m tests.support.renewed --write` writes this page from the models.
`gatekeeper schema` prints the same as JSON Schema and AsyncAPI; `schemas/json` has the files.

* A value is one JSON object in UTF-8. An unknown field, a missing one, or one of another type makes it unreadable.
* An optional field may be left out, or be null. A whole number has no decimal point.
* Other pages have [the topics with keys and retention](topics.md), and [the rules for sends](sends.md).
* Until 1.0 a release may change a form, and [the changes](../../CHANGELOG.md) say so.
  Later releases only add optional fields.

## Forms of text

| form | description | pattern |
|---|---|---|
"""


def events_page() -> str:
    """Returns the page as its file must hold it."""
    page = _Page()
    forms = (f"| {name} | {text} | {pattern} |\n" for name, (text, pattern) in sorted(page.forms.items()))
    return "".join((_HEAD, *forms, *map(page.topic, TOPICS.values()), page.webhooks())).rstrip("\n") + "\n"


class _Page:
    """The page so far: the forms of text with description and pattern, and the models that have a section."""

    def __init__(self) -> None:
        self.schemas = documents()
        self.forms: dict[str, tuple[str, str]] = {}
        self.seen = set[str]()
        for one in vars(values).values():
            form = TypeAdapter(one).json_schema() if get_origin(one) is Annotated else {}
            if form.get("title", "A")[0].islower():
                pattern = form.get("pattern", "")
                shown = f"`{pattern}`" if 0 < len(pattern) < 100 and not {"|", "("} & {*pattern} else ""
                self.forms[form["title"]] = (form["description"], shown)

    def topic(self, topic: Topic) -> str:
        names = [name for name in (topic.name, f"{topic.name}.headers") if name in self.schemas]
        parts = [
            self.model(title(kind), self.schemas[name], examples()[title(kind)])
            for name in names
            if name not in _ELSEWHERE
            for kind in kinds(self.schemas[name])
        ]
        return f"\n## `{topic.name}`\n\nKey: {topic.key}.\n{''.join(parts)}" if parts else ""

    def webhooks(self) -> str:
        """Returns the section of the bodies that are posted to endpoints."""
        parts = [
            self.model(model.__name__, self.schemas[f"webhook.{kind}"], examples()[model.__name__])
            for kind, model in WEBHOOKS.items()
        ]
        return "\n## Webhooks\n\nBodies of requests to endpoints ([how](webhooks.md)).\n" + "".join(parts)

    def model(self, name: str, document: Document, example: Document) -> str:
        """Returns the section of a model and of those in it; a line with a link where it has one already."""
        if name in self.seen:
            return f"\nAs [{name}](#{name.lower()}).\n"
        self.seen.add(name)
        schema = dict(_models(document))[name]
        needed = schema.get("required", ())
        rows = "".join(
            f"| `{field}` | {_type(one)} | {'yes' if field in needed else ''} | {self.meaning(one)} |\n"
            for field, one in schema["properties"].items()
        )
        table = f"\n| field | type | required | meaning |\n|---|---|---|---|\n{rows}" if rows else ""
        block = f"\n```json\n{json.dumps(example, indent=2, ensure_ascii=False)}\n```\n" if example else ""
        inside = [str(one["$ref"]).rpartition("/")[2] for one in _objects(schema) if "$ref" in one]
        parts = [self.model(one, document, {}) for one in dict.fromkeys(inside) if one not in self.seen]
        return f"\n### {name}\n\n{schema['description']}\n{table}{block}{''.join(parts)}"

    def meaning(self, schema: Document) -> str:
        """Returns what a model says of a field, and nothing for what its form says already."""
        said = str(schema.get("description", ""))
        return "" if said == self.forms.get(schema.get("title", ""), ("", ""))[0] else said


def _models(document: Document) -> Iterator[tuple[str, Document]]:
    if "properties" in document:
        yield document["title"], document
    yield from document.get("$defs", {}).items()


def _objects(node: Any) -> Iterator[Document]:
    if isinstance(node, dict):
        yield node
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _objects(part)


def _type(schema: Document) -> str:
    """Returns the type of a field in words."""
    if "$ref" in schema:
        return f"[{title(schema)}](#{title(schema).lower()})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if choices := schema.get("anyOf", schema.get("oneOf")):
        types = [_type(one) for one in choices if one.get("type") != "null"]
        return (", or " if any(" or " in one for one in types) else " or ").join(types)
    if "contentMediaType" in schema:
        return "JSON as text"
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_type(schema['items'])}" + _most(schema, "maxItems")
    if kind == "object":
        values = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
        return f"map to {_type(values[0])}" if values[0] and "properties" not in schema else "map"
    if kind == "integer":
        low, high = schema.get("minimum"), schema.get("maximum")
        return f"`{low}`" if low == high is not None else "whole number"
    known = {"boolean": "true or false", "string": "text"}
    return schema.get("title") or known.get(str(kind), "any") + _most(schema, "maxLength")


def _most(schema: Document, word: str) -> str:
    return f", at most {schema[word]}" if word in schema else ""
