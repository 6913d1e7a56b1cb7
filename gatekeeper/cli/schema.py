"""`gatekeeper schema`: prints the published contract, for people and programs that write or read the topics."""

from __future__ import annotations

from pathlib import Path

import click

from gatekeeper.cli.output import json_option, note, show_json, show_table
from gatekeeper.cli.version import release
from gatekeeper.ground.errors import UnavailableError, UsageError
from gatekeeper.ground.texts import text
from schemas.topics import TOPICS, logical_name

_VALUES = [name for name, topic in TOPICS.items() if topic.model is not None]
_HEADERS = [name for name, topic in TOPICS.items() if topic.headers is not None]


@click.command("schema", help=text("cli.schema"))
@click.argument("name", required=False)
@click.option("--headers", is_flag=True, help=text("cli.schema_headers"))
@click.option("--asyncapi", is_flag=True, help=text("cli.schema_asyncapi"))
@click.option("--openapi", is_flag=True, help=text("cli.schema_openapi"))
@click.option(
    "--all", "folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help=text("cli.schema_all")
)
@json_option
def command(name: str | None, headers: bool, asyncapi: bool, openapi: bool, folder: Path | None, as_json: bool) -> None:
    """Prints a schema, the AsyncAPI or the OpenAPI document, writes all files, or lists the topics with a schema.

    Raises UsageError (2) for a topic without such a schema, and UnavailableError (3) if a file cannot be written.
    """
    if sum((name is not None or headers, asyncapi, openapi, folder is not None)) > 1 or (headers and name is None):
        raise UsageError("error.schema_one")
    if name is not None:
        click.echo(_schema(name, headers=headers), nl=False)
    elif asyncapi:
        from schemas import asyncapi as whole
        from schemas.json_schema import written

        click.echo(written(whole.document()), nl=False)
    elif openapi:
        click.echo(_openapi(), nl=False)
    elif folder is not None:
        note("cli.schema_written", count=_write(folder), folder=folder)
    else:
        _list(as_json=as_json)


def _schema(name: str, *, headers: bool) -> str:
    topic, topics = logical_name(name), _HEADERS if headers else _VALUES
    if topic not in topics:
        key = "error.schema_none" if topic in TOPICS else "error.topic_unknown"
        raise UsageError(key, topic=name, topics=", ".join(topics))
    from schemas.json_schema import headers_schema, value_schema, written

    return written((headers_schema if headers else value_schema)(TOPICS[topic]))


def _openapi() -> str:
    from gatekeeper.service.openapi import document, paths
    from schemas.json_schema import written

    return written(document(paths(release())))


def _write(folder: Path) -> int:
    from schemas.asyncapi import files

    documents = files() | {"openapi.json": _openapi()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in documents.items():
            (folder / file).write_text(content, "utf-8")
    except OSError as error:
        raise UnavailableError("error.disk", path=error.filename or folder, detail=error) from None
    return len(documents)


def _list(*, as_json: bool) -> None:
    names = [name for name in TOPICS if name in _VALUES or name in _HEADERS]
    if as_json:
        for name in names:
            show_json({"topic": name, "value": name in _VALUES, "headers": name in _HEADERS})
        return
    show_table(
        ["cli.column_topic", "cli.column_value", "cli.column_headers"],
        [
            [name, f"{name}.json" if name in _VALUES else "-", f"{name}.headers.json" if name in _HEADERS else "-"]
            for name in names
        ],
    )
