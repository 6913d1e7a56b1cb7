"""Joins the modules of the offline check into `verify.py`, the self-contained file in every export.

    python -m gatekeeper.audit.export.bundle > verify.py

The command needs Python and a checkout of the project, but no package. The file holds the modules in order, each under
its name and unchanged line by line. Their imports follow the first module, without imports between the modules.
The first module comes before these imports, as it reports what an old Python lacks.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

ROOMS = Path(__file__).parents[2]
PARTS = (
    "audit/verify/requirements.py",
    "audit/tlog/merkle.py",
    "audit/tlog/notes.py",
    "audit/tlog/canonical_json.py",
    "audit/tlog/branch_statement.py",
    "audit/tlog/ranges.py",
    "audit/tlog/log_faults.py",
    "audit/tlog/manifest_chain.py",
    "staff/message.py",
    "staff/signature_check.py",
    "staff/roles.py",
    "staff/roster.py",
    "staff/endorsements.py",
    "audit/verify/sentences.py",
    "audit/verify/findings.py",
    "audit/verify/certificate.py",
    "audit/verify/input_files.py",
    "audit/verify/trust.py",
    "audit/verify/act_signatures.py",
    "audit/verify/sealed_branches.py",
    "audit/verify/export_folder.py",
    "audit/verify/exported_log.py",
    "audit/verify/manifest_lines.py",
    "audit/verify/skips.py",
    "audit/verify/partition_records.py",
    "audit/verify/partition_manifests.py",
    "audit/verify/export_check.py",
    "audit/verify/proof_check.py",
    "audit/verify/__main__.py",
)
"""Modules below `gatekeeper/`. Each uses only modules before it; the last one is the command."""
_OURS = ("__future__", "gatekeeper")


@cache
def bundle() -> str:
    """The text of `verify.py`, one and the same for a release."""
    parts = [(name, *_apart((ROOMS / name).read_text("utf-8"))) for name in PARTS]
    sections = [f"# {f'-- {name} ':-<118}\n# {doc.splitlines()[0]}\n\n{code}" for name, doc, _, code in parts]
    first, rest = parts[0][2], set[tuple[str, str]]().union(*(imports for _, _, imports, _ in parts[1:]))
    head = f'"""{parts[-1][1]}"""\n\nfrom __future__ import annotations\n\n{_block(first)}'
    return "\n\n".join([head.rstrip("\n") + "\n", sections[0], _block(rest - first), *sections[1:]])


def _apart(source: str) -> tuple[str, set[tuple[str, str]], str]:
    """A module's docstring, its imports from outside the project (module and name), and its other lines."""
    tree, lines, imports = ast.parse(source), source.splitlines(keepends=True), set[tuple[str, str]]()
    for node in tree.body:
        if isinstance(node, ast.Import):
            imports |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imports |= {(str(node.module), alias.name) for alias in node.names}
        elif node is not tree.body[0]:
            continue
        for number in range(node.lineno - 1, node.end_lineno or node.lineno):
            lines[number] = ""
    imports = {(module, name) for module, name in imports if module.partition(".")[0] not in _OURS}
    return ast.get_docstring(tree, clean=False) or "", imports, "".join(lines).strip("\n") + "\n"


def _block(imports: set[tuple[str, str]]) -> str:
    """The lines for these imports: of the standard library, then of packages."""
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
