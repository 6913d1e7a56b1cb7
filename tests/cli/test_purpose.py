"""`gatekeeper purpose`: a company registers its own purposes from a prompt."""

from __future__ import annotations

NAMES = ("--name-ja", "ご案内", "--name-en", "News")
TWO = ("--by", "hanako", "--by", "taro")


def test_purposes_registered_then_they_are_listed_by_their_names(run, system) -> None:
    assert "gatekeeper purpose add" in run("purpose", "list").err
    assert run("purpose", "add", "mkt.dm.own", *NAMES, "--marketing").code == 0
    done = run("purpose", "add", "service.orders", *NAMES, "--service", *TWO, "--controller", "C1", "--json")
    assert (done.code, done.json["purpose"]) == (0, "service.orders")
    listed = run("purpose", "list")
    assert listed.code == 0
    assert all(part in listed.out for part in ("mkt.dm.own", "service.orders", "ご案内", "News", "C1"))
    renamed = run("purpose", "add", "mkt.dm.own", "--name-ja", "催事", "--name-en", "Events", "--marketing")
    assert renamed.code == 0
    assert "Events" in run("purpose", "list").out


def test_purpose_that_the_gate_would_not_read_then_it_is_refused(run, system) -> None:
    assert run("purpose", "add", "mkt.dm.own", *NAMES, "--marketing").code == 0
    for arguments, says in (
        (("service.gifts", *NAMES, "--service"), "two managers"),
        (("service.gifts", *NAMES, "--service", "--by", "Hanako", "--by", "hanako"), "two managers"),
        (("a b", *NAMES, "--marketing"), "ID"),
        (("mkt.dm.own", *NAMES, "--service", *TWO), "another id"),
    ):
        assert says in run("purpose", "add", *arguments).says(2)


def test_record_that_is_not_read_then_the_list_names_it(run, system) -> None:
    value = b'{"v":1,"kind":"purpose","id":"service.x","name_ja":"x","name_en":"x","marketing":false}'
    system.put("reference", value, key=b"purpose/service.x")
    done = run("purpose", "list")
    assert done.code == 1
    assert "service.x" in done.err
    assert "purposes_unread" in run("status", "--json").json["findings"]
    assert "service.x" in run("status").out
