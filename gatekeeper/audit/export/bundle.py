"""Joins the modules of the offline check to `verify.py`, the one file that goes into an export and stands alone.

    python -m gatekeeper.audit.export.bundle > verify.py

This needs Python and a checkout of the project, and no package. The file is the modules in order, each under its name
and line by line as it stands. Only their imports stand at the top, without those of each other.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

AUDIT = Path(__file__).parents[1]
PARTS = (
    "tlog/merkle.py",
    "tlog/notes.py",
    "tlog/canonical_json.py",
    "tlog/ranges.py",
    "verify/sentences.py",
    "verify/findings.py",
    "verify/input_files.py",
    "verify/trust.py",
    "verify/export_folder.py",
    "verify/exported_log.py",
    "verify/manifest_lines.py",
    "verify/skips.py",
    "verify/partition_records.py",
    "verify/partition_manifests.py",
    "verify/export_check.py",
    "verify/proof_check.py",
    "verify/__main__.py",
)
"""Modules below `gatekeeper/audit/`. Each uses only modules before it; the last one is the command."""
_OURS = ("__future__", "gatekeeper")


def bundle() -> str:
    """The text of `verify.py`; a release has one such text."""
    imported, sections, docstring = set[tuple[str, str]](), [], ""
    for name in PARTS:
        docstring, imports, code = _apart((AUDIT / name).read_text("utf-8"))
        imported |= imports
        sections.append(f"# {f'-- {name} ':-<118}\n# {docstring.splitlines()[0]}\n\n{code}")
    head = f'"""{docstring}"""\n\nfrom __future__ import annotations\n\n{_block(imported)}'
    return "\n\n".join([head, *sections])


def _apart(source: str) -> tuple[str, set[tuple[str, str]], str]:
    """A module's docstring, what it imports from others than us (module and name), and the lines left over."""
    tree, lines, imports = ast.parse(source), source.splitlines(keepends=True), set[tuple[str, str]]()
    for one in tree.body:
        if isinstance(one, ast.Import):
            imports |= {(alias.name, "") for alias in one.names}
        elif isinstance(one, ast.ImportFrom):
            imports |= {(str(one.module), alias.name) for alias in one.names}
        elif one is not tree.body[0]:
            continue
        for number in range(one.lineno - 1, one.end_lineno or one.lineno):
            lines[number] = ""
    imports = {(module, name) for module, name in imports if module.partition(".")[0] not in _OURS}
    return ast.get_docstring(tree, clean=False) or "", imports, "".join(lines).strip("\n") + "\n"


def _block(imports: set[tuple[str, str]]) -> str:
    """The lines that import these: of the standard library, then of others."""
    names: dict[str, list[str]] = {}
    for module, name in sorted(imports):
        names.setdefault(module, []).append(name)
    standard, others = list[str](), list[str]()
    for module in sorted(names, key=lambda module: names[module] != [""]):
        line = f"from {module} import {', '.join(names[module])}\n" if any(names[module]) else f"import {module}\n"
        (standard if module.partition(".")[0] in sys.stdlib_module_names else others).append(line)
    return "".join([*standard, "\n", *others])


if __name__ == "__main__":
    sys.stdout.write(bundle())
