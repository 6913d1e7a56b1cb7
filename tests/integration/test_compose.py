"""docker-compose.yml without a Docker engine: its Kafka settings boot, and what it names exists.

The image apache/kafka turns KAFKA_* variables into properties with a class that lies in Kafka's own jar. Here that
class does the same, and the properties it writes are booted on loopback.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.requests import Request

from gatekeeper.console.users import Users
from gatekeeper.ground.settings import Settings
from gatekeeper.service.caller_keys import SCOPES
from gatekeeper.service.callers import Callers
from tests.support.call import read_call

HOUSE = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((HOUSE / "docker-compose.yml").read_text("utf-8"))
SERVICES, NETWORKS = COMPOSE["services"], COMPOSE["networks"]
DOCKERFILE = (HOUSE / "Dockerfile").read_text("utf-8")
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
WORKERS = ("worker-0", "worker-1")


def variables() -> dict[str, str]:
    """Returns the environment that compose would give to Kafka."""
    return {name: str(value) for name, value in SERVICES["kafka"]["environment"].items()}


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
    assert {port.split(":")[0] for port in service.get("ports", [])} <= {"127.0.0.1"}, "this machine alone reaches it"
    assert re.search(r":v?\d+\.\d+.*@sha256:[0-9a-f]{64}", str(service["build" if name in OURS else "image"]))
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
    assert NETWORKS == {"watching": {"internal": True}}, "no way leads out of the witness"
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
