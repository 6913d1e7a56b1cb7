"""Settings: environment variables with the prefix GATEKEEPER_, read once by a composition root."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.texts import catalogue, near, text, wrong
from schemas.audit import Acts, Mode
from schemas.values import ID_PATTERN, looks_dialled

BROKER_FILE = Path(".gatekeeper/broker.json")
"""File with the address of `gatekeeper broker`, in the working folder: `{"bootstrap": "host:port", "pid": n}`."""

PLAIN = {"security_protocol": "PLAINTEXT", "ssl_cafile": "", "sasl_username": "", "sasl_password_file": ""}
"""Connection settings for the local broker, whatever the environment says about another."""

PREFIX = "GATEKEEPER_"
"""Beginning of the name of every variable of ours."""
APART = {f"{PREFIX}LANG": "", f"{PREFIX}JARS": "~/.cache/gatekeeper/jars", "MAVEN_MIRROR_URL": ""}
"""Variables that are read before the settings, or without them, with their defaults."""
SECRETS = ("sasl_password_file", "user_key", "console_key", "serve_certificate_key")
"""Settings that name the file of a secret."""
MASK = "***"
_PLACE = re.compile(r"([A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
_ADDRESS = r"^(https://[a-z0-9.\-]+(:[0-9]+)?|http://localhost(:[0-9]+)?)?$"


def _listed(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _networks(value: str) -> str:
    for part in _listed(value):
        try:
            ip_network(part)
        except ValueError:
            raise PydanticCustomError("networks", "no address or network") from None
    return value


def _place(value: str) -> str:
    if value and not (_PLACE.fullmatch(value) and int(value.rpartition(":")[2]) < 1 << 16):
        raise PydanticCustomError("host_port", "no host and port")
    return value


class Settings(BaseSettings):
    """All settings, frozen. Times are seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    broker: str = Field("", description="Kafka bootstrap servers; empty: the one `gatekeeper broker` started here")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how the broker is reached: SSL is TLS, SASL asks for a user"
    )
    ssl_cafile: str = Field("", description="file of the CA's certificates (PEM); empty: those of this machine")
    sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="how the user shows the broker that it knows the password"
    )
    sasl_username: str = Field("", description="as whom the broker is reached")
    sasl_password_file: str = Field("", description="file of that user's password, readable by its owner only")
    prefix: Annotated[str, Field(pattern=r"^([a-z0-9-]+\.)*$")] = Field(
        "mail.", description="prefix of all topic names, which ends in a dot"
    )
    partitions: Annotated[int, Field(ge=1, le=256)] = Field(8, description="partitions of every partitioned topic")
    application: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] = Field(
        "gatekeeper", description="consumer group and transactional ids, after the prefix"
    )
    worker: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$")] = Field(
        "worker-0", description="static member id, one a worker"
    )
    policy: str = Field("jp-pmark", description="the policy in force")
    mode: Mode = Field("live", description="live, or shadow: all is judged and nothing goes out")
    misplaced: Literal["refuse", "judge"] = Field(
        "refuse", description="what becomes of a send on a partition that murmur2 does not give its recipient"
    )
    acts: Acts = Field(
        "signed", description="signed: an act of nobody is refused; unsigned: until the first person is registered"
    )
    founder: Annotated[str, Field(pattern=r"^([0-9a-f]{4}(-[0-9a-f]{4}){7})?$")] = Field(
        "", description="fingerprint of the first person's record, as `gatekeeper init` printed it; empty: whoever is"
    )
    keys: str = Field(
        ".gatekeeper/keys", description="folder of the keys: of signatures, of tokens, and of pseudonyms in proofs"
    )
    data: str = Field(
        ".gatekeeper/data",
        description="folder of facts, ledger and index, which may go; empty: workers keep all in memory",
    )
    log: str = Field(".gatekeeper/log", description="folder of the sealed log")
    http_host: str = Field("127.0.0.1", description="where /healthz and /readyz are served")
    http_port: Annotated[int, Field(ge=0, le=65535)] = Field(8646, description="its port; 0 takes a free one")
    max_lag: Annotated[float, Field(gt=0)] | None = Field(
        None, description="longest wait for the facts before FACTS_STALE; empty: the policy's max_lag"
    )
    session_timeout: Annotated[float, Field(ge=6, le=300)] = Field(
        10.0, description="consumer group session; brokers refuse one below 6, as they are set by default"
    )
    audit_days: Annotated[int, Field(ge=1)] = Field(1095, description="how long audit records are kept, in days")
    replication: Annotated[int, Field(ge=0, le=9)] = Field(
        0, description="replication factor of new topics; 0: 3 on three or more brokers, else 1"
    )
    user: Annotated[str, Field(pattern=rf"^$|{ID_PATTERN}")] = Field(
        "", description="who acts: a staff id, not a name; --by goes before it"
    )
    user_key: str = Field("", description="file of the key with which that person signs acts and reference data")
    console_host: str = Field("127.0.0.1", description="where the console listens; elsewhere only with a user file")
    console_port: Annotated[int, Field(ge=0, le=65535)] = Field(8647, description="its port; 0 takes a free one")
    console_users: str = Field("", description="the console's user file; empty: no sign-in, and this machine only")
    console_provider: str = Field("", description="file about the identity provider where people sign in")
    console_proxies: Annotated[str, AfterValidator(_networks)] = Field(
        "", description="proxies before the console, as addresses or networks; only they say who asks, and by https"
    )
    console_url: Annotated[str, Field(pattern=_ADDRESS)] = Field(
        "", description="address of the console in people's browsers, for their passkeys; empty: localhost only"
    )
    console_key: str = Field("", description="file of the key with which the console vouches for who signed in")
    handoff_data: str = Field(
        ".gatekeeper/handoff", description="folder of the ids of handed-off pieces, which a lost cluster does not take"
    )
    forms: str = Field("", description="folder of pictures of forms, each named by its SHA-256; empty: none is shown")
    serve_host: str = Field("127.0.0.1", description="where the service listens; elsewhere only with a file of callers")
    serve_port: Annotated[int, Field(ge=0, le=65535)] = Field(8648, description="its port; 0 takes a free one")
    serve_callers: str = Field("", description="file of the programs that may call; empty: any on this machine")
    serve_certificate: str = Field("", description="file of the service's certificate (PEM); empty: no TLS of its own")
    serve_certificate_key: str = Field("", description="file of its secret key; empty: in the certificate's file")
    serve_url: Annotated[str, Field(pattern=_ADDRESS)] = Field(
        "", description="address of the service for its callers; empty: the one that they used"
    )
    serve_client_ca: str = Field("", description="file of the CA of callers' certificates; empty: none is asked for")
    webhooks: str = Field("", description="file of the endpoints to which events are posted")
    webhooks_data: str = Field(
        ".gatekeeper/webhooks", description="folder of the events to post, with the positions in the topics"
    )
    webhooks_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8649, description="port of its /healthz and /readyz, on GATEKEEPER_HTTP_HOST; 0 takes a free one"
    )
    metrics: Annotated[str, AfterValidator(_place)] = Field(
        "", description="host:port of /metrics of console, serve, seal, witness and webhooks; empty: none"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="threshold of our own events")

    @property
    def proxies(self) -> tuple[str, ...]:
        """The addresses and networks of the proxies before the console."""
        return _listed(self.console_proxies)

    @property
    def bootstrap(self) -> str:
        """The bootstrap servers; raises UsageError (2) if neither setting nor broker file names one."""
        if servers := self.broker or left_broker():
            return servers
        raise UsageError("error.broker_unknown")

    @property
    def key_folder(self) -> Path:
        """The folder of the keys."""
        return Path(self.keys)

    @property
    def index(self) -> Path:
        """The folder of the index of console and commands."""
        return Path(self.data or ".gatekeeper/data") / "index"

    @property
    def log_folder(self) -> Path:
        """The folder of the sealed log."""
        return Path(self.log)

    @property
    def group(self) -> str:
        """The consumer group, which is also Faust's app id and the prefix of the transactional ids."""
        return f"{self.prefix}{self.application}"

    def topic(self, name: str) -> str:
        """The name on the broker of the registry's topic `name`."""
        return f"{self.prefix}{name}.v1"


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def demand_known(names: Iterable[str]) -> None:
    """Raises UsageError (2) for the first variable of ours that no setting has, with the known one most like it.

    `names`: of the environment's variables. Without this a misspelled setting would silently keep its default.
    """
    known = {*map(variable, Settings.model_fields)}
    # pydantic-settings takes a name in any case, and so did every release of ours; those apart are read as they are
    ours = (name for name in names if name.upper().startswith(PREFIX))
    if unknown := sorted(name for name in ours if name.upper() not in known and name not in APART):
        hint = near(unknown[0].upper(), sorted({*APART, *known}))
        raise UsageError("error.setting_unknown", name=unknown[0], near=hint)


@dataclass(frozen=True, slots=True)
class Given:
    """One setting as it is in force: its variable, its value without secrets, its default, and whence the value comes.

    `origin`: "file" is the file that `gatekeeper broker` leaves.
    """

    name: str
    value: str
    default: str
    origin: Literal["default", "environment", "file"]

    @property
    def changed(self) -> bool:
        """Tells whether the value is not the default."""
        return self.value != self.default


def given(settings: Settings, environment: Mapping[str, str]) -> list[Given]:
    """Every setting as it is in force, in the order of the page. No value is a secret or a contact value."""
    rows = []
    for name, field in Settings.model_fields.items():
        value, default = ("" if raw is None else str(raw) for raw in (getattr(settings, name), field.default))
        origin: Literal["default", "environment", "file"] = (
            "environment" if name in settings.model_fields_set else "default"
        )
        if name == "broker" and not value and (left := left_broker()):
            value, origin = left, "file"
        shown = MASK if name in SECRETS and value and not Path(value).is_file() else masked(value)
        rows.append(Given(variable(name), shown, default, origin))
    for name, default in APART.items():
        value = environment.get(name) or default
        rows.append(Given(name, masked(value), default, "environment" if environment.get(name) else "default"))
    return rows


def masked(value: str) -> str:
    """The value without each part that may be an e-mail address, a telephone number, or a password in an address."""
    parts = re.split(r"([\s,/]+)", value)
    return "".join(MASK if "@" in part or looks_dialled(f"{part.lstrip('+')}.") else part for part in parts)


def left_broker() -> str:
    """The address that `gatekeeper broker` left in this folder, '' without one."""
    try:
        return str(json.loads(BROKER_FILE.read_text("utf-8"))["bootstrap"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def load() -> Settings:
    """Reads the environment; raises UsageError (2) with the variable and its fault."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = variable("_".join(str(part) for part in first["loc"]))
        form = f"wrong.form_of_{first['loc'][0]}"
        formless = first["type"] == "string_pattern_mismatch" and form in catalogue()
        raise UsageError("error.setting_invalid", name=name, detail=text(form) if formless else wrong(first)) from None
