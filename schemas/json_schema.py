"""The contract as JSON Schema (2020-12): the value and the headers of each topic, made from the models."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from schemas.topics import TOPICS, Topic
from schemas.values import Model
from schemas.webhooks import WEBHOOKS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Document = dict[str, Any]
_SENTENCES = re.compile(r"(?<=[.)]) (?=`[\w-]+`(?:, `[\w-]+`)*: )")
_FIELDS = re.compile(r"(`[\w-]+`(?:, `[\w-]+`)*): ")
"""The beginning of sentences of a docstring that describe fields: "`from`, `until`: ...", up to the next such one."""


class Published(GenerateJsonSchema):
    """Makes the schemas that other programs read.

    A field's description is what the model's docstring says of it. Generated titles and OpenAPI's words are left out.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:
        """False: a field's name is in its place already."""
        return False

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        """The schema with its default, unless that is null or an object of defaults."""
        json_schema = super().default_schema(schema)
        return {
            name: value
            for name, value in json_schema.items()
            if name != "default" or not isinstance(value, dict | None)
        }

    def tuple_schema(self, schema: Any) -> JsonSchemaValue:
        """The schema of a list; a pair of equals is said in words that drafts before 2020-12 know, too."""
        json_schema = super().tuple_schema(schema)
        members = json_schema.get("prefixItems", [])
        if not members or any(member != members[0] for member in members):
            return json_schema
        return {name: value for name, value in json_schema.items() if name != "prefixItems"} | {"items": members[0]}

    def tagged_union_schema(self, schema: Any) -> JsonSchemaValue:
        """The schema without `discriminator`; the constants of its members tell them apart."""
        return {"oneOf": super().tagged_union_schema(schema)["oneOf"]}

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        """The schema with a description of each field that the docstring describes, or that of a base."""
        json_schema = super().model_schema(schema)
        fields = json_schema.get("properties", {})
        for base in (cls for cls in reversed(schema["cls"].__mro__) if issubclass(cls, Model)):
            json_schema["description"], of_fields = described(base.__doc__ or "", fields)
            for name, text in of_fields.items():
                fields[name] = {**fields[name], "description": text}
        return json_schema


def described(docstring: str, fields: Collection[str]) -> tuple[str, dict[str, str]]:
    """The description of a model, and those of its fields, from its docstring."""
    general, of_fields = [], {}
    for paragraph in docstring.split("\n\n"):
        kept = ""
        for part in _SENTENCES.split(" ".join(paragraph.split())):
            begun = _FIELDS.match(part)
            names = re.findall(r"[\w-]+", begun[1]) if begun else []
            if begun and all(name in fields for name in names):
                of_fields.update(dict.fromkeys(names, _capital(part[begun.end() :])))
            else:
                kept = f"{kept} {part}"
        general.append(kept.strip())
    return "\n\n".join(filter(None, general)), of_fields


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


@cache
def examples() -> Mapping[str, Document]:
    """An example of each kind of value and of headers, by the name of its model."""
    return tomllib.loads(Path(__file__).with_name("examples.toml").read_text("utf-8"))


def value_schema(topic: Topic) -> Document:
    """The JSON Schema of a topic's values, with an example of each kind."""
    return _document(topic.name, topic.model, f"A value of the topic {topic.name}.")


def headers_schema(topic: Topic) -> Document:
    """The JSON Schema of the headers of a topic's records, as an object of texts, with an example."""
    return _document(f"{topic.name}.headers", topic.headers, f"The headers of a record of the topic {topic.name}.")


def documents() -> dict[str, Document]:
    """Each JSON Schema by the name of its file without `.json`: `sends`, `sends.headers`, `webhook.recall`."""
    schemas = {}
    for name, topic in TOPICS.items():
        if topic.model is not None:
            schemas[name] = value_schema(topic)
        if topic.headers is not None:
            schemas[f"{name}.headers"] = headers_schema(topic)
    for kind, model in WEBHOOKS.items():
        schemas[f"webhook.{kind}"] = _document(f"webhook.{kind}", model, f"The body of the webhook {kind}.")
    return schemas


def kinds(schema: Document) -> Iterator[Document]:
    """Each member of a union, and of the unions in it; any other schema itself. `schema` may have `oneOf`."""
    if "oneOf" not in schema:
        yield schema
    for member in schema.get("oneOf", ()):
        yield from kinds(member)


def title(schema: Document) -> str:
    """The name of the model of a schema, or of a reference to it."""
    return str(schema["$ref"].rpartition("/")[2] if "$ref" in schema else schema["title"])


def written(document: Document) -> str:
    """The document as its file holds it."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _document(name: str, model: Any, what: str) -> Document:
    schema = TypeAdapter(model).json_schema(schema_generator=Published)
    shown = [examples()[title(kind)] for kind in kinds(schema)]
    head = {"$schema": DIALECT, "$id": f"urn:direct-mail-gatekeeper:v1:{name}", "$comment": what}
    return {**head, **schema, "examples": shown}
