"""A client that a generator makes from the published contract alone: our codec reads what it writes."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from datamodel_code_generator import DataModelType, InputFileType, generate
from datamodel_code_generator.format import Formatter

from schemas.asyncapi import document
from schemas.codec import encode, parse
from schemas.json_schema import examples, written
from schemas.topics import TOPICS

CLIENT = "client_of_the_contract"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The module that datamodel-code-generator makes of `asyncapi.json`."""
    path = tmp_path_factory.mktemp("client") / f"{CLIENT}.py"
    generate(
        written(document()),
        input_file_type=InputFileType.AsyncAPI,
        output_model_type=DataModelType.PydanticV2BaseModel,
        collapse_root_models=True,
        formatters=[Formatter.BUILTIN],
        output=Path(path),
    )
    spec = spec_from_file_location(CLIENT, path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[CLIENT] = module  # pydantic looks the names of annotations up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[CLIENT]


def made(client: ModuleType, kind: str) -> Any:
    """Returns the class of a kind: a number follows its name where the generator needed that name before."""
    named = [one for name, one in vars(client).items() if re.fullmatch(rf"{kind}\d*", name)]
    (found,) = (one for one in named if {*examples()[kind]} <= {*one.model_json_schema().get("properties", ())})
    return found


@pytest.mark.parametrize("topic", [name for name, topic in TOPICS.items() if topic.model is not None])
def test_every_example_then_it_comes_back_from_the_generated_classes_as_it_was(client: ModuleType, topic: str) -> None:
    for kind in document()["channels"][topic]["messages"]:
        written_by_client = (
            made(client, kind).model_validate(examples()[kind]).model_dump_json(by_alias=True, exclude_unset=True)
        )
        assert encode(parse(topic, None, written_by_client.encode()).model) == encode(
            TOPICS[topic].adapter.validate_python(examples()[kind])
        )


def test_a_field_that_is_not_in_the_contract_then_the_generated_class_refuses_it(client: ModuleType) -> None:
    with pytest.raises(ValueError, match="priority"):
        client.Recall.model_validate({**examples()["Recall"], "priority": "high"})
