"""Webhooks without Kafka: the file, the addresses, the signature, the pauses, and the lane of one endpoint."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp.abc import AbstractResolver
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.webhooks import occurrences
from gatekeeper.webhooks.delivery import Answer, Deliverer
from gatekeeper.webhooks.endpoint_queue import EndpointQueue
from gatekeeper.webhooks.endpoints import Endpoint, read
from gatekeeper.webhooks.outbox import Outbox, event_id
from gatekeeper.webhooks.runner import now_ms
from gatekeeper.webhooks.target_address import is_public
from schemas.json_schema import examples
from schemas.record import Record
from schemas.webhooks import WEBHOOK_TYPES, WEBHOOKS, PartitionRefusedWebhook
from streams.client.proven_position import ProvenPosition
from tests.support.certificates import certify
from tests.support.receiver import SECRET, Receiver, endpoints_file, receiver


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


RECALL = {
    **{"v": 1, "recipient_id": "R1", "campaign_id": "K1", "channel": "postal", "decision_id": "D1", "event_id": "E1"},
    "at": "2026-11-25T02:00:00.000Z",
}


def entry(url: str = "https://hooks.example/gate", **more: Any) -> dict[str, Any]:
    return {"id": "print-house", "url": url, "events": ["recall"], **more}


def endpoint(url: str, **more: Any) -> Endpoint:
    keys = (SECRET.removeprefix("whsec_"),)
    usual = {"id": "e1", "events": WEBHOOK_TYPES, "campaigns": (), "secrets": keys, "allow_private": True}
    return Endpoint(**{**usual, "url": url, **more})


def posted(one: Endpoint, resolver: AbstractResolver | None = None, **more: float) -> Answer:
    async def post() -> Answer:
        async with Deliverer(one, resolver, **more) as deliverer:
            return await deliverer.post("evt_1", b'{"a":1}', now=now_ms())

    return asyncio.run(post())


def test_a_file_then_its_endpoints_with_their_secrets(tmp_path: Path) -> None:
    (found,) = read(endpoints_file(tmp_path, entry(campaigns=["autumn-*", "K1"])))
    assert (found.id, found.secrets) == ("print-house", (SECRET.removeprefix("whsec_"),))
    assert SECRET.removeprefix("whsec_") not in repr(found)
    wanted = [found.wants("recall", campaign) for campaign in ("autumn-26", "K1", "K11", None)]
    assert wanted == [True, True, False, True]
    assert not found.wants("seal.late", None)


def test_an_endpoint_of_one_company_then_it_hears_of_what_is_wholly_its_own(tmp_path: Path) -> None:
    (ours,) = read(endpoints_file(tmp_path, entry(controllers=["C1"], events=list(WEBHOOK_TYPES))))
    assert [ours.wants("recall", "K1", companies) for companies in (["C1"], ["C2"], [None])] == [True, False, False]
    assert ours.wants("seal.late", None), "it is about no company"
    outbox, now = Outbox(tmp_path / "outbox"), 1_800_000_000_000
    endpoints = [ours, endpoint("https://hooks.example/all")]
    campaigns = {"own": ("C1",), "shared": ("C1", "C2"), "others": ("C2",)}
    with outbox.change():
        for number, (campaign, companies) in enumerate(campaigns.items()):
            for part, company in enumerate(companies):
                said = {"did": f"D{number}{part}", "stage": "intake", "campaign": campaign, "controller": company}
                src = {"partition": part, "offset": number, "timestamp": now}
                value = orjson.dumps({**said, "src": src, "verdict": "clear", "reasons": []})
                occurrences.audited(outbox, Record("audit", 0, number, now, None, value), zone="UTC", now=now)
            recall = orjson.dumps({**RECALL, "recall_id": campaign, "controller_id": companies[-1]})
            occurrences.recalled(outbox, Record("recalls", 0, number, now, b"R1", recall), endpoints, now=now)
        later = now + occurrences.QUIET_MS
        occurrences.decided(outbox, endpoints, begun=0, horizon=later, now=later)

    def told(one: Endpoint) -> set[tuple[str, str]]:
        events = [(owed.type, orjson.loads(owed.body)["data"]) for owed in outbox.due(one.id, later, 100)]
        return {(kind, data.get("recall_id") or data["campaign_id"]) for kind, data in events}

    assert told(ours) == {("recall", "own"), ("campaign.decided", "own")}
    assert told(endpoints[1]) == {(kind, name) for kind in ("recall", "campaign.decided") for name in campaigns}
    outbox.close()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"event": ["recall"]}, "endpoints.print-house.event is unknown key (did you mean events?)"),
        ({"url": "http://hooks.example/", "allow_http": False}, "allow_http = true"),
        ({"secrets": ["missing"]}, "endpoints.print-house.secrets"),
        ({"id": "花子"}, "endpoints.1.id"),
    ],
)
def test_a_file_that_is_wrong_then_file_entry_and_fault(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    path = endpoints_file(tmp_path, entry(**given) if "url" not in given else {**entry(), **given})
    with pytest.raises(UsageError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert said.replace(".event is unknown", ".event: unknown") in str(caught.value)
    assert "花子" not in str(caught.value)


def test_two_endpoints_of_one_id_or_files_open_to_others_then_they_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="twice"):
        read(endpoints_file(tmp_path, entry(), entry()))
    path = endpoints_file(tmp_path, entry())
    for file, mode in ((tmp_path / "hook.secret", 0o640), (path, 0o662)):
        before = file.stat().st_mode
        file.chmod(mode)
        with pytest.raises(UsageError, match=f"{mode:03o}"):
            read(path)
        file.chmod(before)
    for wrong in ("whsec_", "c2VjcmV0", "whsec_c2hvcnQ=", "whsec_秘密", "whsec_" + "a" * 200):
        (tmp_path / "hook.secret").write_text(wrong)
        with pytest.raises(UsageError, match="24 to 64"):
            read(path)


PRIVATE = [
    *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:169.254.169.254", "::127.0.0.1", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b::7f00:1", "64:ff9b:1::808:808", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:1::1", "2001:db8::1"),
    *("100::1", "3fff::1", "no address", ""),
    *("168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110", "2002:a83f:8110::", "161.26.0.10", "166.9.0.1"),
    *("fd20:ce::254", "fd00:42::42", "169.254.170.2", "169.254.0.23", "fe80::a9fe:a9fe"),
]
PUBLIC = ("8.8.8.8", "203.0.114.1", "168.63.129.15", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")


def test_an_address_of_a_machine_or_its_network_then_it_is_not_public() -> None:
    assert [address for address in PRIVATE if is_public(address)] == []
    assert [address for address in PUBLIC if not is_public(address)] == []


class Names(AbstractResolver):
    """A resolver that answers each question with the next of these addresses."""

    def __init__(self, *addresses: str) -> None:
        self.left, self.asked = list(addresses), 0

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[Any]:
        self.asked += 1
        found = {"hostname": host, "host": self.left.pop(0), "port": port}
        return [{**found, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1"])
def test_an_endpoint_on_this_machine_then_nothing_is_sent_unless_it_is_allowed(server: Receiver, host: str) -> None:
    url = server.url.replace("127.0.0.1", host)
    assert not posted(endpoint(url, allow_private=False)).delivered
    assert server.came == []
    if host in ("127.0.0.1", "localhost"):
        assert posted(endpoint(url)).delivered


def test_a_name_that_leads_to_this_machine_then_no_connection(server: Receiver) -> None:
    url = server.url.replace("127.0.0.1", "hooks.example")
    assert posted(endpoint(url, allow_private=False), Names("127.0.0.1")).said == "address_refused"
    assert server.came == []
    assert posted(endpoint(url), Names("127.0.0.1")).delivered, "else nothing was there to be reached"


def test_a_name_that_leads_elsewhere_when_it_is_asked_again_then_it_is_asked_once(server: Receiver) -> None:
    """Rebinding needs two questions: one for the check, and one for the connection."""
    url, names = server.url.replace("127.0.0.1", "hooks.example"), Names("127.0.0.1", "8.8.8.8", "127.0.0.1")
    assert not posted(endpoint(url, allow_private=False), names).delivered
    assert (names.asked, server.came) == (1, [])


def test_a_delivery_then_its_signature_is_right_for_each_secret_and_for_no_other(server: Receiver) -> None:
    other = base64.b64encode(hashlib.sha256(b"the next one").digest()).decode()
    stranger = base64.b64encode(hashlib.sha256(b"another").digest()).decode()
    assert posted(endpoint(server.url, secrets=(SECRET.removeprefix("whsec_"), other))).delivered
    (came,) = server.came
    assert came.headers["content-type"] == "application/json"
    for secret in (SECRET, other):
        assert Webhook(secret).verify(came.body, came.headers) == {"a": 1}
        for body, more in ((came.body, {"webhook-id": "evt_2"}), (came.body + b" ", {})):
            with pytest.raises(WebhookVerificationError):
                Webhook(secret).verify(body, came.headers | more)
    with pytest.raises(WebhookVerificationError):
        Webhook(stranger).verify(came.body, came.headers)


def test_a_redirect_then_it_is_not_followed(server: Receiver) -> None:
    server.answer = lambda _: (307, {"location": server.url + "/elsewhere"})
    assert posted(endpoint(server.url)).said == "307"
    assert [one.path for one in server.came] == ["/hook"]


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000, b"HTTP/1.1 103 Early\r\n\r\n" * 1_000])
def test_an_answer_that_is_no_http_then_the_try_has_failed_and_nothing_is_raised(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.recv(65_536)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        found = posted(endpoint(f"http://127.0.0.1:{listening.getsockname()[1]}/"), seconds=5.0)
        thread.join()
    assert not found.delivered


def test_an_answer_that_does_not_come_then_the_try_ends(server: Receiver) -> None:
    server.answer = server.hang
    assert posted(endpoint(server.url), seconds=0.3).said == "timed_out"
    assert len(server.came) == 1


def test_an_endpoint_whose_certificate_is_another_s_or_nobody_s_then_nothing_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certify(tmp_path)
    with receiver(tmp_path / "server.pem") as server:
        assert posted(endpoint(server.url)).said == "tls"
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert posted(endpoint(server.url.replace("127.0.0.1", "localhost"))).said == "tls"
        assert server.came == []
        assert posted(endpoint(server.url)).delivered


class Now:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.ms = 1_790_000_000_000

    def __call__(self) -> int:
        return self.ms

    def pass_(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)


class Played:
    """An endpoint whose next answers are given; afterwards it takes everything."""

    def __init__(self, *answers: str) -> None:
        self.answers = [Answer(one) for one in answers]
        self.ids = list[str]()

    async def __call__(self, id_: str, body: bytes, *, now: int) -> Answer:
        self.ids.append(id_)
        return self.answers.pop(0) if self.answers else Answer("204")


def put(outbox: Outbox, now: int, *numbers: int) -> list[str]:
    """Queues events about partitions; returns their ids."""
    ids = [event_id("partition.refused", number) for number in numbers]
    event = PartitionRefusedWebhook.model_validate_json(json.dumps(examples()["PartitionRefusedWebhook"]))
    with outbox.change():
        for id_ in ids:
            outbox.put(event, id_, [endpoint("https://hooks.example/")], now=now)
    return ids


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox")


def rounds(lane: EndpointQueue, count: int = 1) -> None:
    async def go() -> None:
        for _ in range(count):
            await lane.round()

    asyncio.run(go())


def lane_of(outbox: Outbox, post: Any, now: Now) -> EndpointQueue:
    return EndpointQueue("e1", outbox, post, clock=now, chance=lambda: 0.0, metrics=Metrics())


def test_an_endpoint_that_fails_and_recovers_then_the_same_event_after_a_pause(outbox: Outbox) -> None:
    now, post = Now(), Played("500", "timed_out")
    (id_,) = put(outbox, now(), 1)
    lane, tried = lane_of(outbox, post, now), []
    for seconds in (0, 5, 9, 1):
        now.pass_(seconds)
        rounds(lane, 5)
        tried.append(post.ids.count(id_))
    assert tried == [1, 2, 2, 3], "the second pause is longer"
    assert outbox.backlog("e1").waiting == 0


def test_gone_then_nothing_more_is_sent_until_somebody_replays(outbox: Outbox) -> None:
    now, post = Now(), Played("410")
    put(outbox, now(), 1)
    lane = lane_of(outbox, post, now)
    rounds(lane)
    put(outbox, now(), 2, 3)
    rounds(lane, 3)
    assert len(post.ids) == 1
    backlog = outbox.backlog("e1")
    assert (backlog.waiting, backlog.dead, backlog.gone) == (0, 3, now())
    assert outbox.replay("e1", (), now=now()) == 3
    rounds(lane, 3)
    assert sorted(post.ids[1:]) == sorted(event_id("partition.refused", n) for n in (1, 2, 3))
    assert outbox.backlog("e1").gone is None


def test_an_outbox_opened_again_then_it_owes_the_same_with_tries_and_pauses(outbox: Outbox, tmp_path: Path) -> None:
    now = Now()
    (id_,) = put(outbox, now(), 1)
    rounds(lane_of(outbox, Played("500"), now))
    outbox.close()
    again = Outbox(tmp_path / "outbox", demand=True)
    assert again.due("e1", now(), 9) == []
    now.pass_(5)
    (owed,) = again.due("e1", now(), 9)
    assert (owed.id, owed.tries, owed.answer) == (id_, 1, "500")
    with pytest.raises(UsageError):
        Outbox(tmp_path / "another", demand=True)


def test_an_error_amid_a_transaction_then_neither_event_nor_position_is_there(outbox: Outbox) -> None:
    event = PartitionRefusedWebhook.model_validate_json(json.dumps(examples()["PartitionRefusedWebhook"]))

    def fail() -> None:
        with outbox.change():
            outbox.put(event, "evt_1", [endpoint("https://hooks.example/")], now=0)
            outbox.reach("recalls", {0: ProvenPosition(7)})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (outbox.backlog("e1").waiting, outbox.positions("recalls")) == (0, {})


def test_examples_then_each_is_a_webhook_without_anything_about_a_person() -> None:
    for kind, model in WEBHOOKS.items():
        found = model.model_validate_json(json.dumps(examples()[model.__name__]))
        assert found.type == kind  # type: ignore[attr-defined]
        assert not {"recipient_id", "delivery", "contact_point"} & json.loads(found.model_dump_json())["data"].keys()
