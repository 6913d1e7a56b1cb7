"""The bill of materials has every package of a lock and every jar, each once, with its hashes and its licence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from streams.kafka import jars

HOUSE = Path(__file__).parents[2]
ALLOWED = re.compile(
    r"(Apache-2\.0|BSD-[23]-Clause(-Modification)?|MIT(-0)?|MPL-2\.0|OLDAP-2\.8|PSF-2\.0|LGPL-2\.1-or-later"
    r"|AND|OR|[() ])+"
)
"""Licences that production may hold; another one is read by a person first."""


@cache
def bill(*options: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run([sys.executable, HOUSE / "scripts" / "sbom", *options], capture_output=True, check=False)
    return done.returncode, json.loads(done.stdout)


def hashes(component: dict[str, Any]) -> list[str]:
    files = component.get("externalReferences", [component])
    return [one["content"] for file in files for one in file["hashes"]]


def test_production_then_each_package_of_its_lock_once_with_hashes_and_a_licence() -> None:
    code, found = bill()
    assert (code, found["bomFormat"], found["specVersion"]) == (0, "CycloneDX", "1.6")
    text = (HOUSE / "requirements" / "runtime.txt").read_text("utf-8")
    wanted = dict(re.findall(r"^([a-z0-9-]+)==(\S+) (?!; sys_platform == 'win32')", text, re.MULTILINE))
    components = found["components"]
    assert {one["name"]: one["version"] for one in components} == wanted
    assert len(components) == len({one["bom-ref"] for one in components}) == len(wanted)
    for one in components:
        assert hashes(one), one["name"]
        assert set(hashes(one)) <= set(re.findall(r"sha256:([0-9a-f]{64})", text)), one["name"]
        assert ALLOWED.fullmatch(one["licenses"][0]["expression"]), one
    (ours,) = found["dependencies"]
    assert ours["ref"] == found["metadata"]["component"]["bom-ref"]
    assert set(ours["dependsOn"]) == {one["bom-ref"] for one in components}


def test_the_broker_then_every_jar_of_its_lock_is_there_too() -> None:
    _, found = bill("--broker")
    named = {one["purl"]: hashes(one) for one in found["components"] if one["purl"].startswith("pkg:maven/")}
    assert sorted(named.values()) == sorted([jar.sha256] for jar in jars.locked())
    assert "pkg:maven/org.apache.kafka/kafka-clients@4.2.0" in named
    assert {one["purl"] for one in bill()[1]["components"]} <= {one["purl"] for one in found["components"]}
