"""docker-compose.yml without a Docker engine: its Kafka settings boot, and what it names exists.

The image apache/kafka turns KAFKA_* variables into properties with a class that lies in Kafka's own jar. Here that
class does the same, and the properties it writes are booted on loopback.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]
from starlette.requests import Request

from gatekeeper.console.users import Users
from gatekeeper.ground.settings import Settings
from gatekeeper.service.caller_keys import SCOPES
from gatekeeper.service.callers import Callers
from streams import kafka
from streams.kafka import jars, java, node
from streams.kafka.broker import Broker
from tests.support.call import read_call

HOUSE = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((HOUSE / "docker-compose.yml").read_text("utf-8"))
SERVICES, NETWORKS = COMPOSE["services"], COMPOSE["networks"]
DOCKERFILE = (HOUSE / "Dockerfile").read_text("utf-8")
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
WORKERS = ("worker-0", "worker-1")
ASKED = {"worker-0": "http_port", "worker-1": "http_port", "serve": "serve_port", "console": "console_port"} | {
    "webhooks": "webhooks_port"
}
"""The setting of the port at which each health check asks."""
LOG4J = """\
Configuration:
  Properties: {Property: []}
  Appenders: {Console: {name: STDOUT}}
  Loggers: {Root: {level: WARN, AppenderRef: [{ref: STDOUT}]}, Logger: []}
"""


def variables() -> dict[str, str]:
    """Returns the environment that compose would give to Kafka."""
    return {name: str(value) for name, value in SERVICES["kafka"]["environment"].items()}


def rendered(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the properties that the image makes of `environment`, its data folder aside."""
    for name in ("default", "mounted", "final"):
        (folder / name).mkdir()
    (folder / "default/server.properties").touch()
    for name in ("log4j2.yaml", "tools-log4j2.yaml"):
        (folder / "default" / name).write_text(LOG4J)
    (folder / "log4j2.properties").write_text(node.LOG4J)
    classpath = os.pathsep.join(map(str, jars.fetch()))
    logging = f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}"
    command = [java.find(), logging, "-cp", classpath, "kafka.docker.KafkaDockerWrapper", "setup"]
    folders = ["-D", str(folder / "default"), "-M", str(folder / "mounted"), "-F", str(folder / "final")]
    # No other variable: every KAFKA_* would become a property. The class formats the data folder too, hence ours.
    given = {**environment, "KAFKA_LOG_DIRS": str(folder / "formatted")}
    done = subprocess.run([*command, *folders], env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (folder / "final/server.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def on_loopback(environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, int]]:
    """Returns `environment` with its listeners moved to free ports of loopback, and those ports by listener."""
    ports: dict[str, tuple[str, int]] = {}
    for listener, port in re.findall(r"(\w+)://[^:,]*:(\d+)", environment["KAFKA_LISTENERS"]):
        ports[listener] = (port, node.free_port())
    changed = dict(environment)
    for name in ("KAFKA_LISTENERS", "KAFKA_ADVERTISED_LISTENERS", "KAFKA_CONTROLLER_QUORUM_VOTERS"):
        for old, new in ports.values():
            changed[name] = re.sub(rf"(//|@)[^:,@]*:{old}\b", rf"\g<1>{node.HOST}:{new}", changed[name])
    return changed, {listener: new for listener, (_, new) in ports.items()}


def features(folder: Path) -> dict[bytes, bytes]:
    """Returns the levels of the features that a new node begins with, as Kafka's tool or we laid them there."""
    found = dict(re.findall(rb"([a-z.]+\.version)\0(..)", (folder / node.FEATURES).read_bytes(), re.DOTALL))
    assert found
    return found


def test_the_compose_file_then_each_variable_is_a_property_and_its_kafka_boots(
    tmp_path: Path,
) -> None:
    environment, ports = on_loopback(variables())
    properties = rendered(tmp_path, environment)
    scripts_only = {"KAFKA_HEAP_OPTS"}
    asked = {name.removeprefix("KAFKA_").lower().replace("_", ".") for name in environment.keys() - scripts_only}
    assert asked - {"cluster.id"} <= properties.keys()
    assert features(tmp_path / "formatted") == features(Path(kafka.__file__).parent)
    assert len(ports) == 3
    with Broker(tmp_path / "node", port=ports["INSIDE"], settings=properties, exact=True):
        for port in (ports["INSIDE"], ports["HOST"]):
            admin = AdminClient({"bootstrap.servers": f"{node.HOST}:{port}"})
            (found,) = admin.describe_configs([ConfigResource(ResourceType.BROKER, "1")]).values()
            told = {name: entry.value for name, entry in found.result(30).items()}
            assert told["auto.create.topics.enable"] == "false"
            assert told["transaction.state.log.replication.factor"] == "1"
            assert told["offsets.topic.replication.factor"] == "1"


def test_kafka_then_its_data_is_on_the_volume_and_its_version_is_the_locked_one() -> None:
    kafka = SERVICES["kafka"]
    mounted = [volume.split(":")[1] for volume in kafka["volumes"]]
    assert variables()["KAFKA_LOG_DIRS"] in mounted
    locked = next(jar.path for jar in jars.locked() if jar.name.startswith("kafka_2.13"))
    named, _, digest = kafka["image"].removesuffix("}").partition("@sha256:")
    assert named == f"${{KAFKA_IMAGE:-apache/kafka:{locked.split('/')[-2]}"
    assert re.fullmatch("[0-9a-f]{64}", digest)


def test_given_kafka_then_the_host_reaches_it_on_loopback_only() -> None:
    advertised = dict(re.findall(r"(\w+)://([^,]+)", variables()["KAFKA_ADVERTISED_LISTENERS"]))
    assert SERVICES["kafka"]["ports"] == [f"{advertised['HOST']}:9092"]
    assert SERVICES["kafka"]["hostname"] == advertised["INSIDE"].split(":")[0]


@pytest.mark.parametrize("name", OURS)
def test_a_service_of_ours_then_its_verb_and_settings_exist_and_it_waits_for_others(name: str) -> None:
    service = OURS[name]
    advertised = dict(re.findall(r"(\w+)://([^,]+)", variables()["KAFKA_ADVERTISED_LISTENERS"]))
    if name != "keys":
        read_call(service["command"])
    for variable, value in service["environment"].items():
        field = variable.removeprefix("GATEKEEPER_").lower()
        assert field in Settings.model_fields, f"{variable} is no setting"
        Settings.model_validate({field: value})
    needs = service.get("depends_on", {})
    if name not in ("keys", "witness"):
        assert service["environment"]["GATEKEEPER_BROKER"] == advertised["INSIDE"]
        assert needs["kafka"]["condition"] == "service_healthy"
    if name not in ("topics", "keys"):
        assert needs["keys"]["condition"] == "service_completed_successfully"
        assert service["restart"] == "unless-stopped"
        assert service["init"]


def test_given_a_volume_then_its_folder_is_in_the_image_and_only_the_log_is_shared() -> None:
    made = re.search(r"^RUN mkdir -m 700 ((?:\\\n|.)*)$", DOCKERFILE, re.MULTILINE)
    assert made
    using: dict[str, set[str]] = {}
    for name, service in OURS.items():
        for volume in service.get("volumes", []):
            source, folder, *_ = volume.split(":")
            assert folder.removeprefix("/home/gatekeeper/") in made[1].split(), volume
            using.setdefault(source, set()).add(name)
    assert {source: names - {"keys"} for source, names in using.items()} == {
        "worker-keys": {*WORKERS},
        "worker-0-data": {"worker-0"},
        "worker-1-data": {"worker-1"},
        "serve-keys": {"serve"},
        "serve-data": {"serve"},
        "users": {"console"},
        "console-data": {"console"},
        "endpoints": {"webhooks"},
        "webhooks": {"webhooks"},
        "readers-keys": {"console", "webhooks"},
        "sealer-keys": {"seal"},
        "witness-keys": {"witness"},
        "log": {"seal", "witness", "console", "webhooks"},
        "witness": {"witness"},
    }


@pytest.mark.parametrize("name", SERVICES)
def test_given_a_container_then_there_is_nothing_to_gain_in_it(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert not {"privileged", "cap_add", "network", "pid", "devices"} & service.keys()
    if name in OURS:
        assert service["read_only"]
        assert service["user"] == "10001:10001"
        assert f"\nUSER {service['user']}\n" in DOCKERFILE
        assert "--uid 10001 " in DOCKERFILE
        assert [one.partition(":")[0] for one in service["tmpfs"]] == ["/tmp"]
        assert all("/home/gatekeeper/" in volume for volume in service.get("volumes", [])), "no file of the host"


def test_given_the_images_then_each_is_named_by_its_whole_version_and_digest() -> None:
    (default,) = re.findall(r"^ARG PYTHON_IMAGE=(.*)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"python:3\.1[123]\.\d+-slim-\w+@sha256:[0-9a-f]{64}", default)
    assert re.findall(r"^FROM (.*)$", DOCKERFILE, re.MULTILINE) == ["${PYTHON_IMAGE}"]
    for service in OURS.values():
        assert service["build"]["args"] == {"PYTHON_IMAGE": f"${{PYTHON_IMAGE:-{default}}}"}


def test_the_keys_then_each_container_has_the_secrets_of_its_own_role_and_they_stay(tmp_path: Path) -> None:
    """The script runs as in its container, in a folder of ours."""
    called = tmp_path / "bin" / "gatekeeper"
    called.parent.mkdir()
    called.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gatekeeper "$@"\n')
    called.chmod(0o700)
    service = OURS["keys"]
    (script,) = (part.replace("$$", "$").replace("/home/gatekeeper/new", str(tmp_path)) for part in service["command"])
    script = script.replace("/tmp/made", str(tmp_path / "made"))
    for name in ("worker", "sealer", "witness", "readers", "serve", "users"):
        (tmp_path / name).mkdir(mode=0o700)
    environment = {"PATH": f"{called.parent}:{os.environ['PATH']}", "PYTHONPATH": str(HOUSE)}
    held = []
    for _ in range(2):
        subprocess.run([*service["entrypoint"], script], env=environment, cwd=tmp_path, check=True, capture_output=True)
        held.append({path: path.read_bytes() for path in tmp_path.glob("*/*.*")})
    assert held[0] == held[1]
    assert held[0][tmp_path / "serve/master-1.key"] != held[0][tmp_path / "worker/master-1.key"]
    assert {f"{path.parent.name}/{path.name}" for path in held[0]} == {
        *("worker/master-1.key", "worker/token-1.key", "worker/worker-1.key", "worker/worker-1.pub"),
        *("sealer/log-1.key", "sealer/log-1.pub", "sealer/worker-1.pub", "sealer/witness-1.pub"),
        *("witness/witness-1.key", "witness/witness-1.pub", "witness/log-1.pub"),
        *("readers/log-1.pub", "readers/witness-1.pub"),
        *("serve/token-1.key", "serve/master-1.key", "serve/event-1.key", "serve/trial.key", "serve/callers.toml"),
        "users/users.json",
    }
    callers = Callers(tmp_path / "serve/callers.toml")
    key = (tmp_path / "serve/trial.key").read_text().strip()
    call = Request({"type": "http", "headers": [(b"authorization", f"Bearer {key}".encode())]})
    assert {asyncio.run(callers.caller(call, scope)).id for scope in SCOPES} == {"trial"}
    assert Users(tmp_path / "users/users.json").get("hanako") is None


def test_given_the_witness_then_what_it_saw_outlives_it() -> None:
    witness = OURS["witness"]
    assert witness["command"] == ["audit", "witness", "--state", "/home/gatekeeper/witness"]
    assert "witness:/home/gatekeeper/witness" in witness["volumes"]


def test_the_workers_then_each_starts_after_the_topics_with_its_own_name_and_disk() -> None:
    assert OURS["topics"]["command"] == ["topics", "create"]
    assert OURS["topics"]["restart"] == "no"
    for name in WORKERS:
        assert OURS[name]["command"] == ["worker"]
        assert OURS[name]["environment"]["GATEKEEPER_WORKER"] == name
        assert f"{name}-data:/home/gatekeeper/data" in OURS[name]["volumes"]
        assert OURS[name]["depends_on"]["topics"]["condition"] == "service_completed_successfully"


@pytest.mark.parametrize("name", ASKED)
def test_a_health_check_then_it_fails_where_nothing_answers_at_the_default_port(name: str) -> None:
    kind, *command = OURS[name]["healthcheck"]["test"]
    assert kind == "CMD"
    port = Settings.model_fields[ASKED[name]].default
    page = "healthz" if name == "console" else "readyz"
    assert f"http://127.0.0.1:{port}/{page}" in command[-1]
    silent = command[-1].replace(str(port), "9")
    assert subprocess.run([sys.executable, *command[1:-1], silent], capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("name", SERVICES)
def test_given_a_port_of_the_host_then_only_this_machine_reaches_it(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        host, outside, inside = port.split(":")
        assert host == "127.0.0.1"
        assert outside == inside
        if name in ASKED:
            assert int(inside) == Settings.model_fields[ASKED[name]].default
            assert OURS[name]["environment"][f"GATEKEEPER_{name.upper()}_HOST"] == "0.0.0.0"


def test_the_profile_observe_then_its_images_are_pinned_and_its_files_are_there() -> None:
    observing = {name: service for name, service in SERVICES.items() if service.get("profiles") == ["observe"]}
    assert {*observing} == {"prometheus", "grafana", "kafka-ui"}
    for service in observing.values():
        assert re.fullmatch(r"\$\{[A-Z_]+_IMAGE:-[a-z./-]+:v?\d+\.\d+\.\d+@sha256:[0-9a-f]{64}\}", service["image"])
    mounted = [volume for service in observing.values() for volume in service.get("volumes", []) if volume[0] == "."]
    assert mounted
    for volume in mounted:
        file, _, mode = volume.split(":")
        assert (HOUSE / file).exists()
        assert mode == "ro"
    assert observing["kafka-ui"]["environment"]["KAFKA_CLUSTERS_0_READONLY"] == "true"


def test_prometheus_then_it_asks_each_process_it_reaches_and_evaluates_the_alerts() -> None:
    told = yaml.safe_load((HOUSE / "deploy/prometheus/prometheus.yml").read_text("utf-8"))
    assert [(HOUSE / "deploy/prometheus" / name).is_file() for name in told["rule_files"]] == [True]
    asked = {
        job["job_name"]: target
        for job in told["scrape_configs"]
        for target in (
            *(one["targets"] for one in job.get("static_configs", [])),
            *([f"{one['names'][0]}:{one['port']}"] for one in job.get("dns_sd_configs", [])),
        )
    }
    health = Settings.model_fields["http_port"].default
    workers = {"gatekeeper-worker": [f"{name}:{health}" for name in WORKERS]}
    given = {name: service["environment"].get("GATEKEEPER_METRICS") for name, service in OURS.items()}
    assert asked == workers | {
        f"gatekeeper-{name}": [place.replace("0.0.0.0", name)] for name, place in given.items() if place
    }
    assert {*given} - {name for name, place in given.items() if place} == {*WORKERS, "topics", "keys"}
    assert OURS["witness"]["networks"] == ["watching"]
    assert {name for name, service in SERVICES.items() if "watching" in service.get("networks", [])} == {
        "witness",
        "prometheus",
    }
    assert NETWORKS == {"watching": {"internal": True}}, "no way leads out"
    for name in WORKERS:
        assert OURS[name]["environment"]["GATEKEEPER_HTTP_HOST"] == "0.0.0.0"


def test_grafana_then_it_finds_prometheus_and_the_dashboard_where_compose_puts_them() -> None:
    provisioning = HOUSE / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text("utf-8"))["datasources"]
    assert source["url"] == "http://prometheus:" + SERVICES["prometheus"]["ports"][0].split(":")[2]
    (boards,) = yaml.safe_load((provisioning / "dashboards/gatekeeper.yml").read_text("utf-8"))["providers"]
    mounted = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    assert f"{boards['options']['path']}/gatekeeper.json" in mounted


def test_the_dockerfile_then_it_copies_what_exists_and_all_that_the_context_lets_in() -> None:
    let_in = {line[1:].rstrip("/") for line in (HOUSE / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied: set[str] = set()
    for line in DOCKERFILE.splitlines():
        if line.startswith("COPY "):
            copied |= set(shlex.split(line)[1:-1])
    assert {source.split("/")[0] for source in copied} == let_in
    assert [source for source in copied if not (HOUSE / source).exists()] == []


def test_the_dockerfile_then_dependencies_are_hashed_and_it_runs_as_nobody_special() -> None:
    assert "pip install --require-hashes -r requirements/build.txt -r requirements/runtime.txt" in DOCKERFILE
    assert "pip install --no-deps --no-build-isolation ." in DOCKERFILE
    assert 'ENTRYPOINT ["gatekeeper"]' in DOCKERFILE
