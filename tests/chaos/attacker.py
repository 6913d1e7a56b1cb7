"""Attacks a gate by what anybody might write to it, who has every right but a manager's key and a worker's key.

He writes to every input topic, and holds the key of a reviewer, the key of a caller of `serve` for another company,
and all that stands on the topics. A process of its own, in the place of `tests.chaos.nemesis`. Its draws are made by
a seed; what they meet depends on the moment.
"""

from __future__ import annotations

import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import httpx
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from gatekeeper.knowledge.unreadable import named
from gatekeeper.service.caller_keys import SCOPES, digest, new_key
from schemas.topics import INPUTS
from schemas.webhooks import WEBHOOK_TYPES
from tests.chaos.driver import CROWD, FOREIGN_SECONDS, NO, now
from tests.chaos.journal import UNKNOWN, Journal, Said
from tests.chaos.nemesis import main
from tests.chaos.stage import GATEKEEPER, Stage
from tests.support import canaries, hostile, invented, staff
from tests.support.receiver import Receiver, endpoints_file
from tests.support.world import consent_of, controller_record, send_to, source_of, until

GAP = 0.1
"""Seconds between two acts, at least."""
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
OUTPUTS = ("audit", "cleared", "review", "deadletter", "results", "manifests", "confirmations", "recalls")
REPLAYED, SILENT = 500, 200
"""Records that are kept to be written again, and connections that stay open, at most."""
SPARED = tuple(f"crowd{number}" for number in range(CROWD // 2, CROWD))
"""Of these he states nothing, so that what he does to others alone may withhold their sends."""
FACTS = ("sources", "consents", "suppressions")
HUGE = 900_000
"""Bytes of a value that the broker just takes."""
CALLER = 'id = "mallory"\nscopes = [{scopes}]\ncontrollers = ["C2"]\nkey_sha256 = ["{digest}"]'
OWN = 'id = "ours"\nscopes = [{scopes}]\nkey_sha256 = ["{digest}"]'
TOKEN = re.compile(rb"t[0-9]+(?:k[0-9]+)?_")
"""Of a stop that cannot be read, a token of another key withholds everybody."""
FEED_GAP = re.compile(rb'"kind"\s*:\s*"gap"')
"""It withholds all mail of a company, until two managers resolve it."""
MEMBERS = {"M-0031415": canaries.NARUMI, "M-0027182": canaries.HALF_WIDTH, "M-0016180": canaries.COMPOSED}
"""Customers by member number, whom `tests.chaos.attack` tries to name from their list."""
BORN = "1951-03-04"
KEYS = ("hanako", "taro", "yuki", "console", "mallory")
"""In whose names he acts besides that of the reviewer whose key he has."""
ITEM_ACTS = ("redecide", "undo", "approve", "uphold", "ask", "note", "claim")
PIECE = {"campaign_id": "K-0", "channel": "postal", "decision_id": "A" * 26}
COMMANDS: dict[str, dict[str, Any]] = {
    "erase": {},
    "readmit": {},
    "activate": {"subject": "policy/jp-pmark"},
    "suspend": {"subject": "controller/C1"},
    "resume": {"subject": "controller/C1"},
    "quarantine": {"subject": "batch/L1"},
    "handoff": {"subject": "campaign/camp1"},
    "cancel": {"subject": "campaign/camp1"},
    "reemit": {**PIECE, "source": {"topic": "sends", "partition": 0, "offset": 0}},
    "reveal_topic": {"subject": "topic/review"},
    "resume_partition": {"subject": "partition/0", "refused": "error.ledger_spoilt", "sends": 9**9, "acts": 9**9},
}
"""Acts that a reviewer may not do, each with what it needs besides its author."""
MOVED = ("至急開封マンション101", "山田様方", "転送先 見本町9-9-9")
"""Lines that he adds to the address of somebody."""


class Attacker:
    """Does one thing after the other, each kind as often as any other."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage, self._chance = stage, random.Random(f"attack/{seed}")
        self._journal = Journal(stage.folder / "journal.jsonl")
        self._world, self._prefix = stage.world, stage.world.prefix
        self._producers = {codec: self._producer(**{"compression.type": codec}) for codec in CODECS}
        self._hostile = hostile.Attacker(self._chance)
        self._taken: deque[tuple[str, Message]] = deque(maxlen=REPLAYED)
        self._gone: deque[str] = deque(maxlen=REPLAYED)
        """People who said no."""
        self._items: deque[Message] = deque(maxlen=REPLAYED)
        self._keys: deque[tuple[str, dict[str, Any]]] = deque(maxlen=REPLAYED)
        self._sockets: deque[socket.socket] = deque()
        self._beside: dict[str, subprocess.Popen[bytes]] = {}
        self._ids = iter(range(10**9))
        self._next = time.monotonic()
        self._waiting: list[str] = []
        self._kinds: Mapping[str, Callable[[], int]] = {
            name.removeprefix("_do_"): getattr(self, name) for name in dir(self) if name.startswith("_do_")
        }
        self.kinds = len(self._kinds)
        self.landed: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self._world.put("reference", [("controller/C2", controller_record(id="C2", name="みどりカード")[1])])
        self._serve()
        self._post()
        self._consumer = self._reader()

    # -- as the nemesis is called -----------------------------------------------------------------------

    def tick(self) -> None:
        """Does what is next."""
        if self._next > time.monotonic():
            return
        self._next = time.monotonic() + GAP
        self._read()
        if not self._waiting:
            self._waiting = self._chance.sample(sorted(self._kinds), self.kinds)
        name = self._waiting.pop()
        try:
            done = self._kinds[name]()
        except (httpx.HTTPError, OSError, KafkaException, BufferError) as error:
            self._say(failed=name, why=repr(error))
            done = 0
        (self.landed if done else self.missed)[name] += max(done, 1)
        for producer in self._producers.values():
            producer.poll(0)

    def heal(self) -> None:
        """Returns when all that he wrote is acknowledged, and a caller of ours is answered again."""
        while self._sockets:
            self._sockets.popleft().close()
        for producer in self._producers.values():
            while producer.flush(1):
                pass
        ours = {"authorization": f"Bearer {self._our_key}"}
        found = httpx.get(f"{self._url}/v1/campaigns/none", headers=ours, timeout=60)
        self._say(serve=found.status_code)
        for name, process in self._beside.items():
            process.terminate()
            self._stage.codes += [(name, code)] if (code := process.wait()) else []
        (self._stage.folder / "posted.log").write_bytes(b"\n".join(one.body for one in self._hooks.came))
        self._hooks.shutdown()

    # -- what he holds ----------------------------------------------------------------------------------

    def _serve(self) -> None:
        self._key, self._our_key = new_key(), new_key()
        scopes, callers = ", ".join(f'"{one}"' for one in SCOPES), self._stage.folder / "callers.toml"
        entries = ((CALLER, self._key), (OWN, self._our_key))
        callers.write_text(
            "\n".join(f"[[callers]]\n{form.format(scopes=scopes, digest=digest(key))}\n" for form, key in entries)
        )
        callers.chmod(0o600)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        self._run("serve", "--port", str(port), "--callers", str(callers), GATEKEEPER_DATA="served")
        until(self._answers, "the service is ready")
        self._client = httpx.Client(base_url=self._url, headers={"authorization": f"Bearer {self._key}"}, timeout=10)

    def _post(self) -> None:
        """Runs an endpoint of ours, and what posts to it."""
        self._hooks = Receiver()
        threading.Thread(target=self._hooks.serve_forever, args=(0.05,), daemon=True).start()
        endpoints = endpoints_file(
            self._stage.folder, {"id": "ours", "url": self._hooks.url, "events": [*WEBHOOK_TYPES]}
        )
        more = {"GATEKEEPER_WEBHOOKS_PORT": "0", "GATEKEEPER_WEBHOOKS_DATA": "outbox"}
        self._run("webhooks", "run", "--endpoints", str(endpoints), "--since", "2026-01-01", **more)

    def _run(self, *words: str, **settings: str) -> None:
        """Runs a part of the gate beside the workers, until it heals; folders in `settings` are in the stage's."""
        folder = self._stage.folder
        more = {name: str(folder / value) if name.endswith("_DATA") else value for name, value in settings.items()}
        with (folder / f"{words[0]}.log").open("wb") as log:
            streams: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": log}
            env = os.environ | self._stage.environment | more
            self._beside[words[0]] = subprocess.Popen((GATEKEEPER, *words), env=env, **streams)

    def _answers(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self._url}/readyz", timeout=5).status_code == 200
        return False

    def _producer(self, **more: Any) -> Producer:
        settings = {"bootstrap.servers": self._world.bootstrap, "partitioner": "murmur2_random", "log_level": 0}
        return Producer(
            {**settings, "socket.timeout.ms": FOREIGN_SECONDS * 1000, "message.max.bytes": 2 * HUGE, **more}
        )

    def _reader(self) -> Consumer:
        settings = {"bootstrap.servers": self._world.bootstrap, "group.id": "mallory", "log_level": 0}
        consumer = Consumer({**settings, "enable.auto.commit": False, "auto.offset.reset": "earliest"})
        topics = [self._world.topic(name) for name in (*INPUTS, *OUTPUTS)]
        consumer.assign(
            [TopicPartition(name, number, 0) for name in topics for number in range(self._partitions(name))]
        )
        return consumer

    def _partitions(self, name: str) -> int:
        return len(self._producers["none"].list_topics(name, 30).topics[name].partitions)

    def _read(self) -> None:
        """Takes what is new on the topics."""
        for message in self._consumer.consume(200, 0):
            if message.error() or message.value() is None:
                continue
            topic = message.topic().removeprefix(self._prefix).removesuffix(".v1")
            self._taken.append((topic, message))
            if topic == "consents" and (message.key() or b"").startswith(b"no") and b"Withdrawn" in message.value():
                self._gone.append(message.key().decode())
            if topic == "review" and "gate-decision" in dict(message.headers() or ()):
                self._items.append(message)

    def _victim(self) -> str:
        """Somebody who said no, else one of the crowd that is not spared."""
        if self._gone and self._chance.random() < 0.8:
            return self._chance.choice(self._gone)
        return f"crowd{self._chance.randrange(CROWD // 2)}"

    def _id(self, kind: str) -> str:
        return f"{kind}-{next(self._ids)}"

    # -- how he writes ----------------------------------------------------------------------------------

    def _write(
        self,
        topic: str,
        value: dict[str, Any] | bytes,
        key: str | bytes | None = None,
        *,
        person: str = "",
        partition: int = -1,
        headers: Iterable[tuple[str, bytes | None]] = (),
        scoped: bool = False,
    ) -> int:
        """Writes one record, which the journal holds once it is acknowledged; the result is 1.

        A fact that names nobody and cannot be read withholds everybody until two managers let it pass. So does a stop
        of a token, and a gap. He may do that, and does in `_do_nobody`; else nothing would be left to see. So his
        facts have a key, his stops no tokens, and he states no gaps.
        """
        began, id_ = time.monotonic(), self._id("attack")

        def delivered(error: Any, message: Message) -> None:
            place = message.partition(), UNKNOWN if error else message.offset()
            self._journal.write(Said("attack", id_, person, topic, *place, began, None if error else time.monotonic()))

        data = value if isinstance(value, bytes) else hostile.dumped(value)
        key = key.encode() if isinstance(key, str) else key
        if topic == "suppressions" and not scoped:
            data, key = TOKEN.sub(b"x_", data), key and TOKEN.sub(b"x_", key)
        if topic == "consents":
            data = FEED_GAP.sub(b'"kind":"gup"', data)
        if topic in FACTS and not named(topic, key, b""):  # a telephone number is no name either
            key = id_.encode()
        producer = self._producers[self._chance.choice(CODECS)]
        name, more = self._world.topic(topic), [(of, said) for of, said in headers]
        producer.produce(name, data, key, partition=partition, headers=more, on_delivery=delivered)
        return 1

    def _signed(self, value: dict[str, Any], **more: Any) -> list[tuple[str, bytes | None]]:
        """The signature of an act; `kenji` has been robbed, and nobody else."""
        origin = more.pop("origin", f"{self._prefix}gk")
        return [staff.over(hostile.dumped(value), origin=origin, **{"signer": "kenji", **more})]

    # -- what he does -----------------------------------------------------------------------------------

    def _do_mutated(self) -> int:
        """Records of every kind, changed in fields, bytes, headers, key and partition."""
        count = self._chance.randrange(1, 20)
        for _ in range(count):
            topic, key, value, headers = self._hostile.unsigned()
            partition = self._chance.randrange(self._world.partitions) if topic == "acts" else -1
            self._write(topic, value[:HUGE], key, partition=partition, headers=headers)
        return count

    def _do_replayed(self) -> int:
        """Records of other topics, partitions and times, with their headers."""
        found = [one for one in self._taken if (one[1].key() or b"").decode("utf-8", "replace") not in SPARED]
        for topic, message in (chosen := self._chance.sample(found, min(len(found), 10))):
            into = self._chance.choice((topic if topic in INPUTS else "acts", *sorted(INPUTS)))
            partition = self._chance.randrange(self._world.partitions) if into in ("sends", "acts") else -1
            person = (message.key() or b"").decode("utf-8", "replace")
            value, headers = message.value(), message.headers() or ()
            if into in FACTS and into != topic:  # all people of the driver share one address: it would withhold all
                value = TOKEN.sub(b"x_", value)
            self._write(into, value, message.key(), person=person, partition=partition, headers=headers)
        return len(chosen)

    def _act(self, kind: str, message: Message, **more: Any) -> dict[str, Any]:
        """An act about an item that waits."""
        item = invented.named_item(message.value(), message.headers(), message.partition(), message.offset())
        item |= {"reasons": item["had"]}
        return invented.item_act(kind, item, act_id=self._id("stolen"), at=now(), **more)

    def _do_stolen_key(self) -> int:
        """Acts about items that wait, signed by the reviewer who was robbed, in his own name and in others'."""
        done = 0
        for message in self._chance.sample(self._items, min(len(self._items), 5)):
            if (person := json.loads(message.value())["recipient_id"]) in SPARED:
                continue
            kind = self._chance.choice(("release", "release", *ITEM_ACTS))
            act = self._act(kind, message, by=self._chance.choice(("kenji", "kenji", *KEYS)))
            if kind == "release":
                act["bulk"] = self._chance.choice((1, 1, 10**6, 0))
                act["reasons"] = self._chance.sample(act["had"], self._chance.randint(1, len(act["had"])))
            how: dict[str, Any] = self._chance.choice(
                ({}, {}, {"origin": "other.gk"}, {"at": "2020-01-01T00:00:00Z"}, {"signer": "mallory"})
            )
            headers = self._signed(act, **how)
            if self._chance.random() < 0.2:  # signed, and then changed
                act |= {"recipient_id": self._victim()}
            if self._chance.random() < 0.1:
                headers = headers * 3
            done += self._write("acts", act, person, person=person, partition=message.partition(), headers=headers)
        return done

    def _do_forged_console(self) -> int:
        """The console's word for a manager, without its key."""
        if not self._items:
            return 0
        message = self._chance.choice(self._items)
        person = json.loads(message.value())["recipient_id"]
        act = self._act("release", message, by=self._chance.choice(staff.MANAGERS))
        headers = self._signed(act, word="passkey", signer=self._chance.choice(("kenji", "mallory")))
        return self._write("acts", act, person, person=person, partition=message.partition(), headers=headers)

    def _do_commands(self) -> int:
        """Acts about everything, for which nobody signed who may: a hand-off, an erasure, a partition resumed."""
        kind, person = self._chance.choice([*COMMANDS]), self._victim()
        act = {"v": 1, "kind": kind, "act_id": self._id("command"), "reason": "so it is", "at": now()}
        act |= {"by": self._chance.choice(("kenji", *KEYS)), **COMMANDS[kind]}
        act |= {} if "subject" in act else {"recipient_id": person}
        key = act.get("subject") or person
        headers = self._signed(act) if self._chance.random() < 0.7 else []
        for number in range(self._world.partitions):
            self._write("acts", act, key, person=person, partition=number, headers=headers)
        return self._world.partitions

    def _do_reference(self) -> int:
        """Reference data that nobody signed, or the reviewer; bytes that are nothing; people with keys of his."""
        victim = self._chance.choice(("controller/C1", "notice/N1", "template/T1", "purpose/mkt.dm.own"))
        kind, _, id_ = victim.partition("/")
        key = {"id": "k1", "method": "key", "public": staff.key("mallory").public}
        names: list[tuple[str, dict[str, Any] | bytes]] = [
            (victim, {"v": 1, "kind": kind, "id": id_, "controller_id": "C1", "purposes": ["*"], "complete": True}),
            (victim, b"\xff\xfe"),
            (victim, b""),
            ("staff/mallory", {"v": 1, "kind": "staff", "id": "mallory", "roles": ["manager"], "keys": [key]}),
            ("staff/hanako", {"v": 1, "kind": "staff", "id": "hanako", "roles": [], "keys": []}),
            ("batch/L1", {"v": 1, "kind": "batch", "id": "L1", "state": "active"}),
        ]
        name, said = self._chance.choice(names)
        data, done = said if isinstance(said, bytes) else hostile.dumped(said), 0
        signers = self._chance.choice(((), ("kenji",), ("mallory",)))
        for of, value in staff.signed((name, data), *signers, origin=f"{self._prefix}gk"):
            done += self._write("reference", value, of)
        return done

    def _do_printed(self) -> int:
        """Sends to people who said no, under their own id, and printed so that another may get them."""
        count = self._chance.randrange(1, 10)
        for _ in range(count):
            victim, line = self._victim(), self._chance.choice(MOVED)
            send = send_to(victim, self._id("m"))
            if self._chance.random() < 0.5:
                send["delivery"] = {**send["delivery"], "lines": [*send["delivery"]["lines"], line]}
            if self._chance.random() < 0.2:
                send |= {"message_class": "transactional", "purpose": "service.orders"}
            self._write("sends", send, victim, person=victim)
        return count

    def _do_again(self) -> int:
        """Sends that were there before, under the same event id or another, at their partition or another."""
        sends = [message for topic, message in self._taken if topic == "sends" and len(message.value()) < 16_000]
        chosen = self._chance.sample(sends, min(len(sends), 5))
        for message in chosen:
            person = (message.key() or b"").decode("utf-8", "replace")
            number = self._chance.choice((message.partition(), self._chance.randrange(self._world.partitions)))
            self._write("sends", message.value(), message.key(), person=person, partition=number)
        return len(chosen)

    def _do_a_claimed_yes(self) -> int:
        """A yes for somebody who said no that is older, another company's, of nobody, or takes the no back."""
        if not self._gone:
            return 0
        person = self._chance.choice(self._gone)
        old = consent_of(person, record_id=self._id("yes"))
        said: list[tuple[str, dict[str, Any]]] = [
            ("consents", old),
            ("consents", {**old, "controller_id": "C2", "event_time": now(), "recorded_at": now()}),
            ("consents", {**old, "event_time": "2199-01-01T00:00:00Z", "recorded_at": "2199-01-01T00:00:00Z"}),
            ("consents", {**old, "event_time": now(), "recorded_at": now(), "expressed_by": "nobody"}),
            ("consents", {**old, "event_time": now(), "recorded_at": now(), "purpose": "service.orders"}),
        ]
        topic, value = self._chance.choice(said)
        return self._write(topic, value, person)

    def _do_stops(self) -> int:
        """Stops of somebody, and of tokens under keys that nobody holds, for another company."""
        token = invented.token("mallory").replace("t1_", f"t1k{self._chance.randrange(2, 99)}_")
        stop = {"v": 1, "kind": "objection", "suppression_id": self._id("stop"), "received_at": now()}
        stop |= {"scope": {"controller": "C2"}}
        if self._chance.random() < 0.5:
            return self._write("suppressions", {**stop, "token": token}, token, scoped=True)
        person = self._victim()
        return self._write("suppressions", {**stop, "recipient_id": person}, person)

    def _do_nobody(self) -> int:
        """A fact that cannot be read and names nobody, which withholds everybody; two managers let it pass."""
        if self._chance.random() < 0.7:  # else too little is cleared beside it
            return 0
        placed, topic = list[Message](), self._chance.choice(FACTS)
        producer = self._producers["none"]
        producer.produce(self._world.topic(topic), b"{", on_delivery=lambda error, message: placed.append(message))
        producer.flush(30)
        (message,) = placed
        place = {"topic": message.topic(), "partition": message.partition(), "offset": message.offset()}
        for by in staff.MANAGERS:
            said = {"v": 1, "kind": "resolution", "id": self._id("pass"), "by": by, "reason": "looked at", **place}
            self._world.put("reference", [(f"resolution/{said['id']}", said | {"at": now()})])
        return 1

    def _do_huge(self) -> int:
        """Values as large as the broker takes, which compress to little."""
        topic = self._chance.choice(sorted(INPUTS))
        value = self._chance.choice((b" ", b"[", b'{"recipient_id":"x"}\n')) * HUGE
        return self._write(topic, value[:HUGE], self._id("huge"))

    def _do_aborted(self) -> int:
        """A transaction of his own with sends, which he aborts."""
        settings = {"transactional.id": f"{self._prefix}{self._id('mallory')}"}
        through = self._producer(**settings, **{"transaction.timeout.ms": FOREIGN_SECONDS * 1000})
        through.init_transactions(30)
        through.begin_transaction()
        for _ in range(3):
            person = self._victim()
            name = self._world.topic("sends")
            through.produce(name, hostile.dumped(send_to(person, self._id("m"))), person)
        through.flush(30)
        through.abort_transaction(30)
        return 3

    def _do_serve_sends(self) -> int:
        """Posts sends to `serve` under a key for another company; some with keys that were used before."""
        person = self._victim()
        send = send_to(person, self._id("m"), controller_id=self._chance.choice(("C1", "C2")))
        key, again = self._id("idempotent"), self._chance.random() < 0.3 and self._keys
        if again:
            key, send = self._chance.choice(self._keys)
            send = {**send, "recipient_id": self._chance.choice((send["recipient_id"], person))}
        send.pop("event_id", None)
        self._keys.append((key, send))
        began = time.monotonic()
        found = self._client.post("/v1/sends", json=send, headers={"idempotency-key": key})
        if found.status_code in (200, 202) and (place := found.json().get("place")):
            partition, offset = place.split("/")[-2:]
            of = Said(
                "attack", key, send["recipient_id"], "sends", int(partition), int(offset), began, time.monotonic()
            )
            self._journal.write(of)
        return 1

    def _do_serve_facts(self) -> int:
        """States through `serve` what only another company may state."""
        person = self._chance.choice(self._gone) if self._gone else "nobody"
        yes = consent_of(person, record_id=self._id("yes"), controller_id=self._chance.choice(("C1", "C2")))
        self._client.post("/v1/facts/consents", json=yes)
        no = consent_of(f"crowd{self._chance.randrange(CROWD // 2)}", controller_id="C2", **NO)
        self._client.post("/v1/facts/consents", json={**no, "record_id": self._id("no")})
        return 2

    def _do_serve_questions(self) -> int:
        """Asks `serve` about somebody who said no; a true answer is a breach, which ends all."""
        person = self._chance.choice(self._gone) if self._gone else "nobody"
        properties = {"purpose": "mkt.dm.own", "channel": "postal", "message_class": "marketing", "template_id": "T1"}
        send = send_to(person)
        where = {"contact_point": send["contact_point"], "delivery": send["delivery"]}
        asked = {"subject": {"type": "controller", "id": self._chance.choice(("C1", "C2"))}}
        asked |= {"action": {"name": "send", "properties": properties}}
        asked |= {"resource": {"type": "recipient", "id": person, "properties": where}}
        found = self._client.post("/access/v1/evaluation", json=asked)
        if found.status_code == 200 and found.json()["decision"]:
            self._stage.codes.append((f"serve: a yes about {person}", 1))
        told = self._client.get(f"/v1/campaigns/camp{self._chance.randrange(5)}/results")
        if any(json.loads(line).get("controller_id") != "C2" for line in told.text.splitlines() if told.is_success):
            self._stage.codes.append(("serve: results of another company", 1))
        return 2

    def _do_silent_connections(self) -> int:
        """Opens connections to `serve` that say nothing, or a part of a request, and closes old ones."""
        host, port = self._url.removeprefix("http://").split(":")
        for _ in range(20):
            one = socket.create_connection((host, int(port)), 5)
            one.setblocking(False)
            with suppress(OSError):
                one.send(
                    self._chance.choice((b"", b"\x16\x03\x01", b"GET /v1/", b"POST /v1/sends HTTP/1.1\r\nContent-Le"))
                )
            self._sockets.append(one)
        while len(self._sockets) > SILENT:
            self._sockets.popleft().close()
        return 20

    def _do_list_of_customers(self) -> int:
        """Facts and sends of our own caller about customers of the list, under keys that anybody may guess."""
        member = self._chance.choice([*MEMBERS])
        person = {name: MEMBERS[member][name] for name in ("name", "postcode", "lines") if name in MEMBERS[member]}
        number = self._id("order")
        send = send_to(member, number, delivery=person)
        send.pop("event_id")
        no = consent_of(member, "Withdrawn", record_id=number)
        said: list[tuple[str, dict[str, Any]]] = [
            ("facts/sources", source_of(member, person, birth_date=BORN)),
            ("facts/consents", consent_of(member)),
            ("sends", send),
            *((("facts/consents", no),) if self._chance.random() < 0.2 else ()),
        ]
        ours = {"authorization": f"Bearer {self._our_key}", "idempotency-key": number}
        return sum(self._client.post(f"/v1/{where}", json=value, headers=ours).is_success for where, value in said)

    def _say(self, **what: Any) -> None:
        print(json.dumps({"at": round(time.monotonic(), 2), **what}), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(Attacker)
