"""The manifests for Kubernetes: what its API takes, and what our commands, settings and checks of files ask for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import Keys
from tests.support.call import read_call

FOLDER = Path(__file__).parents[2] / "deploy/kubernetes"
OBJECTS: dict[str, dict[str, Any]] = {
    f"{file.stem}: {one['kind']} {one['metadata']['name']}": one
    for file in sorted(FOLDER.glob("*.yaml"))
    for one in yaml.safe_load_all(file.read_text("utf-8"))
    if one["kind"] != "Kustomization"
}
TEMPLATES: dict[str, dict[str, Any]] = {
    one["metadata"]["name"]: one["spec"]["template"] for one in OBJECTS.values() if "template" in one.get("spec", {})
}
PODS = {name: template["spec"] for name, template in TEMPLATES.items()}
COMMON = dict(
    line.split("=", 1) for line in (FOLDER / "settings.env").read_text("utf-8").splitlines() if not line.startswith("#")
)


def environment(name: str) -> dict[str, str]:
    """Returns the variables that a pod's program gets, with its own name for values of the field `metadata.name`."""
    (program,) = PODS[name]["containers"]
    found = dict(COMMON) if "envFrom" in program else {}
    return found | {one["name"]: one.get("value", f"{name}-0") for one in program["env"]}


def test_given_our_objects_then_the_api_takes_each() -> None:
    for one in OBJECTS.values():
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("name", PODS)
def test_given_a_pod_then_its_call_and_its_settings_exist(name: str) -> None:
    (program,) = PODS[name]["containers"]
    read_call(program["args"])
    given = environment(name)
    for variable, value in given.items():
        field = variable.removeprefix("GATEKEEPER_").lower()
        if field != "lang":
            assert field in Settings.model_fields, variable
            Settings.model_validate({field: value})
    assert given["GATEKEEPER_KEYS"] == "/home/gatekeeper/held/files"
    assert ("GATEKEEPER_BROKER" in given) == (TEMPLATES[name]["metadata"]["labels"].get("gatekeeper/kafka") == "yes")


@pytest.mark.parametrize("name", PODS)
def test_given_a_pod_then_there_is_nothing_to_gain_in_it(name: str) -> None:
    pod = PODS[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for program in [*pod["initContainers"], *pod["containers"]]:
        closed = program["securityContext"]
        assert closed["readOnlyRootFilesystem"]
        assert not closed["allowPrivilegeEscalation"]
        assert closed["capabilities"] == {"drop": ["ALL"]}
        assert program["resources"]["limits"]["memory"]
        assert all("secretKeyRef" not in str(one) for one in program.get("env", [])), "a secret is a file"
        assert {one["name"] for one in program["volumeMounts"]} <= volumes(name)
        for variable, value in {one["name"]: str(one.get("value")) for one in program.get("env", [])}.items():
            if value.startswith("/"):
                assert value.startswith(tuple(f"{one['mountPath']}/" for one in program["volumeMounts"])), variable


def volumes(name: str) -> set[str]:
    """Returns the names of a pod's volumes, those of its claims too."""
    (whole,) = (one for one in OBJECTS.values() if one.get("spec", {}).get("template") is TEMPLATES[name])
    claims = [one["metadata"]["name"] for one in whole["spec"].get("volumeClaimTemplates", [])]
    return {one["name"] for one in PODS[name]["volumes"]} | {*claims}


@pytest.mark.parametrize("name", ["console", "sealer", "witness", "webhooks"])
def test_given_a_part_that_may_run_once_then_no_second_one_starts_beside_it(name: str) -> None:
    (whole,) = (one for one in OBJECTS.values() if one.get("spec", {}).get("template") is TEMPLATES[name])
    assert whole["spec"]["replicas"] == 1
    assert whole["kind"] == "StatefulSet" or whole["spec"]["strategy"] == {"type": "Recreate"}


def test_the_policies_then_only_what_is_named_passes_and_each_names_what_is_there() -> None:
    policies = [one["spec"] for one in OBJECTS.values() if one["kind"] == "NetworkPolicy"]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in policies
    parts = {one["metadata"]["labels"]["app.kubernetes.io/component"] for one in TEMPLATES.values()}
    reached = set[tuple[str, str]]()
    for policy in policies:
        chosen = policy["podSelector"]
        named = [
            *chosen.get("matchLabels", {}).values(),
            *(chosen.get("matchExpressions") or [{}])[0].get("values", []),
        ]
        assert {*named} <= parts | {"yes"}
        for rule in policy.get("ingress", []):
            assert rule["from"]
            reached |= {(part, port["port"]) for part in named for port in rule["ports"]}
    assert reached == {
        *(("serve", "http"), ("console", "http"), ("worker", "health")),
        *((part, "metrics") for part in ("serve", "console", "sealer", "webhooks", "witness")),
    }
    for part, port in reached:
        assert port in {one["name"] for one in PODS[part]["containers"][0]["ports"]}


def test_a_secret_s_files_as_kubernetes_lays_them_then_a_pod_makes_files_we_take(tmp_path: Path) -> None:
    """Kubernetes lays links to files that the pod's group may read, and such keys we refuse."""
    laid, held = tmp_path / "given/..2026", tmp_path / "held"
    (tmp_path / "given").mkdir(mode=0o755)
    laid.mkdir(mode=0o700)
    held.mkdir()
    held.chmod(0o2777)
    Keys(laid).make("token", name="x")
    (laid / "users.json").write_text("{}")
    for file in [*laid.iterdir()]:
        file.chmod(0o440)
        (tmp_path / "given" / file.name).symlink_to(f"..2026/{file.name}")
    with pytest.raises(UsageError, match="440"):
        Keys(tmp_path / "given").tokens()
    ((program, *words),) = {
        tuple(word.replace("/held", f"{held}").replace("/given", f"{held.parent}/given") for word in first["command"])
        for first, *_ in (pod["initContainers"] for pod in PODS.values())
    }
    for _ in range(2):
        subprocess.run([program, *words], check=True, env={"PATH": os.environ["PATH"]})
    files = {file.name: file.stat().st_mode & 0o777 for file in (held / "files").iterdir()}
    assert files == {"token-1.key": 0o400, "users.json": 0o400}
    assert (held / "files").stat().st_mode & 0o777 == 0o700
    assert Keys(held / "files").tokens().keys() == {1}
