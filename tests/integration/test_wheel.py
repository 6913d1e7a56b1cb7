"""The wheel installs all of the sources under one name, and runs without them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
PAGE = HOUSE / "docs" / "how-to" / "send-from-your-platform.md"
PACKAGES = ("schemas", "gatekeeper", "streams")
WHOLE = "direct_mail_gatekeeper"
MANUAL = ("docs/manual", "docs/how-to", "docs/images")
"""Folders of which the console shows the pages and the pictures."""
DECISION = {
    "gate-decision": json.dumps(
        {
            "v": 2,
            "id": "A" * 26,
            "at": "2026-11-28T00:00:00.000Z",
            "verdict": "confirm",
            "primary": "CONSENT_MISSING",
            "reasons": [{"code": "CONSENT_MISSING", "clause": "J.8.7", "facts": [], "says": {}}],
            "notes": [],
            "obligations": [],
            "basis": None,
            "policy": {"id": "jp-pmark", "version": 1, "sha256": "0" * 64},
        }
    )
}
"""Headers of an item of `review`."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, alone in a folder."""
    folder = tmp_path_factory.mktemp("wheels")
    call, outside = [HOUSE / "scripts" / "release", "--wheel", folder], os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(call, env=outside, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = folder.iterdir()
    return found


def test_a_wheel_then_it_holds_every_file_of_packages_and_manual_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}
    files = (file for name in PACKAGES for file in (HOUSE / name).rglob("*") if file.is_file())
    ours = {str(file.relative_to(HOUSE)) for file in files if "__pycache__" not in file.parts}
    manual = (file for name in MANUAL for file in (HOUSE / name).rglob("*") if file.suffix in (".md", ".png"))
    ours |= {str(file.relative_to(HOUSE)) for file in manual}
    assert held == {f"{WHOLE}/{name}" for name in ours}


def test_a_wheel_in_a_fresh_venv_then_its_commands_run_and_other_names_are_free(wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GATEKEEPER_"))}
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python = venv / "bin" / "python"
    install = ["install", "--quiet", "--no-index", "--no-deps", "--find-links"]
    pip = [sys.executable, "-m", "pip", "--python", python, *install, wheel.parent, "direct-mail-gatekeeper"]
    subprocess.run(pip, check=True, env=outside | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    site = sysconfig.get_path("purelib", vars={"base": str(venv)})
    # What we depend on is found in this environment; a path in a .pth file installs no .pth file of that folder.
    (Path(site) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    # As in the image: nobody may write to what is installed, root without capabilities included.
    outside |= {"PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)}
    for path in (venv, *venv.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"] if os.geteuid() == 0 else []
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run([*bare, "touch", venv / "new"], check=True, stderr=subprocess.DEVNULL)
    before = sorted(venv.rglob("*"))

    def run(*words: str | Path) -> str:
        done = subprocess.run([*bare, *words], cwd=tmp_path, env=outside, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert sorted(venv.rglob("*")) == before
        return done.stdout

    gatekeeper = venv / "bin" / "gatekeeper"
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]
    assert json.loads(run(gatekeeper, "--version", "--json"))["version"] == project["version"]
    case = shutil.copy(HOUSE / "docs" / "examples" / "case.json", tmp_path)
    assert json.loads(run(gatekeeper, "decide", case, "--json"))["verdict"] == "clear"
    assert run(gatekeeper, "schema", "sends") == (HOUSE / "schemas" / "json" / "sends.json").read_text("utf-8")
    assert "SIGTERM" in run(gatekeeper, "worker", "--help")
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    assert run(python, "-c", f"headers = {DECISION!r}\n{snippet}").startswith("CONSENT_MISSING ")
    free = f"from importlib.util import find_spec as at; print([n for n in {PACKAGES} if at(n)], bool(at('{WHOLE}')))"
    assert run(python, "-I", "-c", free) == "[] True\n"
    entry = "import os, sys; from pathlib import Path; "
    entry += f"from {WHOLE}.gatekeeper.ground import ROOT; sys.path.insert(0, str(ROOT))"
    start = "from gatekeeper.demo.process import Process; Process(Path('log'), {}, 'topics', 'list').start()"
    assert run(python, "-c", f"{entry}; {start}; print(os.wait()[1])") == "0\n"
    manual = "from gatekeeper.console.manual import document as page, picture; print(page('index', 'ja').title)"
    assert (
        run(python, "-c", f"{entry}; {manual}; print(picture('queue-ja.png').name)") == "運用マニュアル\nqueue-ja.png\n"
    )
