"""Two letters that share a code; the second one is a record that no worker wrote, and so this file comes last."""

from __future__ import annotations

from gatekeeper.audit import inquiry
from tests.console.conftest import Site
from tests.console.test_people import cleared
from tests.worlds import until


def test_several_letters_of_one_beginning_then_a_choice_and_each_by_its_decision_id(site: Site) -> None:
    _, code = cleared(site)
    (record,) = [m for m in site.world.read("audit") if m.key().decode().startswith(inquiry.read(code))]
    did = record.key().decode()
    twin = did[:10] + ("A" * 16 if did[10] != "A" else "B" * 16)
    value = record.value().replace(did.encode(), twin.encode()).replace(b'"campaign":"K-', b'"campaign":"TWIN-')
    site.world.put("audit", [(twin, value)], partition=record.partition())
    client = site.client()
    until(lambda: "Several letters have this code" in client.get(f"/letters/{code}").text, "the twin")
    page = client.get(f"/letters/{code}").text
    assert f"/letters/{did}" in page
    assert f"/letters/{twin}" in page
    assert "TWIN-" in client.get(f"/letters/{twin}").text
    assert "TWIN-" not in client.get(f"/letters/{did}").text
