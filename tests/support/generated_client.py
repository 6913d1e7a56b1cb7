"""A client of the service that openapi-python-client makes of the published OpenAPI document alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from openapi_python_client import Config, MetaType, generate
from openapi_python_client.config import ConfigFile

CONTRACT = Path(__file__).parents[2] / "schemas" / "json" / "openapi.json"
NAME = "client_of_openapi"


class Client(NamedTuple):
    """The class of a connection, and the classes of bodies and answers."""

    Client: Any
    models: ModuleType

    def api(self, operation: str) -> ModuleType:
        """The functions of an operation, by its id in the document."""
        return import_module(f"{NAME}.api.default.{operation}")


@contextmanager
def generated(folder: Path) -> Iterator[Client]:
    """Makes the client in a folder, and imports it from there."""
    told = Config.from_sources(
        ConfigFile(post_hooks=[], literal_enums=True),
        MetaType.NONE,
        CONTRACT,
        "utf-8",
        overwrite=False,
        output_path=folder / NAME,
    )
    problems = [one for one in generate(config=told) if "x-ndjson" not in (one.detail or "")]  # it knows no NDJSON
    assert problems == []
    sys.path.insert(0, str(folder))
    try:
        yield Client(import_module(NAME).Client, import_module(f"{NAME}.models"))
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == NAME]:
            del sys.modules[name]
