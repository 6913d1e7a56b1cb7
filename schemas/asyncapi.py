"""The contract as AsyncAPI 3.0: the topics, who writes and reads them, and their messages with examples."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from schemas.json_schema import Document, Published, documents, examples, kinds, title, written
from schemas.topics import INPUTS, TOPICS, Topic

_REFERENCE = "#/components/schemas/{model}"
_ABOUT = (
    "Direct mail may only go out where the data's source and the person's consent allow it. Platforms write sends, "
    "others write facts, and the gate writes its decisions. All writers place keys by Kafka's murmur2."
)


def files() -> dict[str, str]:
    """All files of the published contract by name, `asyncapi.json` among them, with their content."""
    return {f"{name}.json": written(content) for name, content in (documents() | {"asyncapi": document()}).items()}


def document() -> Document:
    """The whole contract in one document; the schemas in it are those of `schemas.json_schema`."""
    parts = {f"{name}.value": topic.model for name, topic in TOPICS.items() if topic.model is not None}
    parts |= {f"{name}.headers": topic.headers for name, topic in TOPICS.items() if topic.headers is not None}
    by_mode, definitions = TypeAdapter.json_schemas(
        [(name, "validation", TypeAdapter(model)) for name, model in parts.items()],
        ref_template=_REFERENCE,
        schema_generator=Published,
    )
    schemas = {name: schema for (name, _), schema in by_mode.items()}
    public = {name: topic for name, topic in TOPICS.items() if topic.model is not None or topic.headers is not None}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "direct-mail-gatekeeper",
            "version": "1",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(topic, schemas) for name, topic in public.items()},
        "operations": {
            f"{_action(name)}.{name}": {
                "action": _action(name),
                "channel": {"$ref": f"#/channels/{name}"},
                "summary": _summary(topic),
            }
            for name, topic in public.items()
        },
        "components": {"schemas": definitions["$defs"]},
    }


def _action(name: str) -> str:
    return "receive" if name in INPUTS else "send"


def _summary(topic: Topic) -> str:
    return f"Written by {', '.join(topic.writers)}; read by {', '.join(topic.readers)}."


def _channel(topic: Topic, schemas: dict[str, Any]) -> Document:
    values = schemas.get(f"{topic.name}.value", {"title": "DeadLetter"})
    prefix = {"description": "The prefix of all topics, which ends in a dot (GATEKEEPER_PREFIX).", "default": "mail."}
    return {
        "address": f"{{prefix}}{topic.name}.v1",
        "parameters": {"prefix": prefix},
        "messages": {title(kind): _message(topic, kind, schemas) for kind in kinds(values)},
    }


def _message(topic: Topic, kind: Document, schemas: dict[str, Any]) -> Document:
    name, example = title(kind), {}
    message: Document = {"name": name, "contentType": "application/json"}
    if headers := schemas.get(f"{topic.name}.headers"):
        message["headers"] = headers
        example["headers"] = examples()[title(headers)]
    if topic.model is not None:
        message["payload"] = kind
        example["payload"] = examples()[name]
    key = {"type": "string", "description": topic.key}
    return {**message, "bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}}, "examples": [example]}
