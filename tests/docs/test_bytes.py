"""Only the modules that ADR 29 names, each with its reason, look for JSON in bytes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/adr/0029-one-evaluation.md"
JSON_KEY = re.compile(r'"[a-z_]+":')
EMPTIES = (b"null", b"[]", b"[")


def looks(node: ast.AST) -> bool:
    """Tells whether a part of a module is a piece of JSON in bytes, or looks for one in a record's value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
        return b'"' in node.value or node.value in EMPTIES
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return JSON_KEY.match(node.value) is not None
    if isinstance(node, ast.keyword):
        return node.arg == "containing"
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        field = isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)  # of a decoded value
        return not field and re.search(r"\b(value|data|raw)( or b'')?\)?$", ast.unparse(node)) is not None
    return False


def test_each_module_that_looks_at_bytes_is_named_with_its_reason() -> None:
    paths = (path for root in ("gatekeeper", "streams", "schemas") for path in (ROOT / root).rglob("*.py"))
    found = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in paths
        if any(map(looks, ast.walk(ast.parse(path.read_text("utf-8")))))
    }
    table = PAGE.read_text("utf-8").partition("## Bytes that are looked at")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `([a-z_.]+)`", table, re.M)
    assert sorted(found) == sorted(named)


def test_a_search_in_bytes_then_the_walk_finds_it() -> None:
    for code in ("""f'"kind":"{kind}"'.encode()""", "kind.encode() in record.value", "read('acts', containing=kinds)"):
        assert any(map(looks, ast.walk(ast.parse(code))))
