"""The OpenAPI document of the service, with the contract of sends and facts in it."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from gatekeeper.service import access_evaluation, campaign_results, intake
from gatekeeper.service.access_evaluation import AccessRequest, AccessRequests
from gatekeeper.service.intake import STATED
from gatekeeper.service.problem import MEDIA
from gatekeeper.service.request_lines import JSON, NDJSON
from schemas.events import Send
from schemas.json_schema import Published, examples
from schemas.topics import TOPICS
from schemas.values import Model
from schemas.webhooks import WEBHOOK_HEADERS, WEBHOOKS

_REF = "#/components/schemas/{model}"
_SECURITY = {"bearer": {"type": "http", "scheme": "bearer"}, "certificate": {"type": "mutualTLS"}}


def paths(release: str, **more: Any) -> FastAPI:
    """An app with the paths that programs call; it needs no settings. `more`: arguments of FastAPI."""
    app = FastAPI(
        title="Direct-mail gatekeeper",
        version=release,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would lead to the host that the request names
        generate_unique_id_function=lambda route: route.name,
        **more,
    )
    for module in (access_evaluation, campaign_results, intake):
        app.include_router(module.router)
    app.openapi = partial(document, app)  # type: ignore[method-assign]
    return app


def document(app: FastAPI) -> dict[str, Any]:
    """The document, made once. Bodies of sends and facts are those of the contract, as JSON or one on each line."""
    if app.openapi_schema is None:
        api = get_openapi(title=app.title, version=app.version, routes=app.routes)
        schemas = api["components"]["schemas"]
        names = dict[str, dict[str, Any]]()
        for topic in ("sends", *STATED):
            model = Send if topic == "sends" else TOPICS[topic].model
            own = TypeAdapter(model).json_schema(ref_template=_REF)
            schemas.update(own.pop("$defs", {}))
            title = {"sends": "Send", "consents": "ConsentEvent"}.get(topic, topic.removesuffix("s").title())
            schemas[title] = own
            names[topic] = {"$ref": _REF.format(model=title)}
        schemas["Send"]["required"].remove("event_id")  # it may come from the header Idempotency-Key instead
        for name, model in (("evaluation", AccessRequest), ("evaluations", AccessRequests)):
            own = TypeAdapter(model).json_schema(ref_template=_REF)
            schemas.update(own.pop("$defs", {}))
            schemas[model.__name__] = own
            body = {"required": True, "content": {JSON: {"schema": {"$ref": _REF.format(model=model.__name__)}}}}
            api["paths"][f"/access/v1/{name}"]["post"]["requestBody"] = body
        api["paths"]["/v1/sends"]["post"]["requestBody"] = _body(names["sends"])
        facts = api["paths"].pop("/v1/facts/{topic}")["post"]
        for topic in STATED:
            ours = {**facts, "operationId": f"state_{topic}", "requestBody": _body(names[topic])}
            ours["parameters"] = [parameter for parameter in facts.get("parameters", ()) if parameter["in"] != "path"]
            api["paths"][f"/v1/facts/{topic}"] = {"post": ours}
        for path in api["paths"].values():
            for operation in path.values():
                for status, answer in operation["responses"].items():
                    if status >= "400" or status == "default":
                        answer["content"] = {MEDIA: {"schema": {"$ref": _REF.format(model="ProblemAnswer")}}}
        api["components"]["securitySchemes"] = _SECURITY
        api["security"] = [{"bearer": []}, {"certificate": []}]
        api["webhooks"] = {kind: {"post": _webhook(kind, model, schemas)} for kind, model in WEBHOOKS.items()}
        app.openapi_schema = api
    return app.openapi_schema


def _webhook(kind: str, model: type[Model], schemas: dict[str, Any]) -> dict[str, Any]:
    """The request that `gatekeeper webhooks` makes of an endpoint (Standard Webhooks); adds its schemas."""
    own = TypeAdapter(model).json_schema(ref_template=_REF, schema_generator=Published)
    schemas.update(own.pop("$defs", {}))
    schemas[model.__name__] = own
    parameters = [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}} for name in WEBHOOK_HEADERS
    ]
    content = {JSON: {"schema": {"$ref": _REF.format(model=model.__name__)}, "example": examples()[model.__name__]}}
    return {
        "operationId": f"webhook_{kind.replace('.', '_')}",
        "summary": own["description"],
        "parameters": parameters,
        "requestBody": {"required": True, "content": content},
        "responses": {"2XX": {"description": "taken"}, "410": {"description": "no more events"}},
        "security": [],
    }


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    lines = {"type": "string", "description": "one such value on each line"}
    return {"required": True, "content": {JSON: {"schema": schema}, NDJSON: {"schema": lines}}}
