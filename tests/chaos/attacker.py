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
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import httpx
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from gatekeeper.service.caller_keys import SCOPES, digest, new_key
from schemas.topics import INPUTS
from schemas.values import ID_PATTERN
from tests.chaos.driver import CROWD, FOREIGN_SECONDS, NO, now
from tests.chaos.journal import UNKNOWN, Journal, Said
from tests.chaos.nemesis import main
from tests.chaos.stage import GATEKEEPER, Stage
from tests.support import canaries, hostile, invented, staff
from tests.support.world import consent_of, controller_record, send_to, until

GAP = 0.1
"""Seconds between two acts, at least."""
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
OUTPUTS = ("audit", "cleared", "review", "deadletter", "results", "manifests", "confirmations", "recalls")
REPLAYED, SILENT = 500, 200
"""Records that are kept to be written again, and connections that stay open, at most."""
SPARED = tuple(f"crowd{number}" for number in range(CROWD // 2, CROWD))
"""Of these he states nothing, so that what he does to others alone may withhold their sends."""
FACTS = ("sources", "consents", "suppressions")
ID = re.compile(ID_PATTERN).fullmatch
HUGE = 900_000
"""Bytes of a value that the broker just takes."""
CALLER = 'id = "mallory"\nscopes = [{scopes}]\ncontrollers = ["C2"]\nkey_sha256 = ["{digest}"]'
OWN = 'id = "ours"\nscopes = [{scopes}]\nkey_sha256 = ["{digest}"]'
MOVED = {"至急開封マンション101": "house", "山田様方": "host", "転送先 見本町9-9-9": "forward"}
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
        self._items: deque[tuple[Message, dict[str, Any]]] = deque(maxlen=REPLAYED)
        self._keys: deque[tuple[str, dict[str, Any]]] = deque(maxlen=REPLAYED)
        self._sockets: deque[socket.socket] = deque()
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
        self._served.terminate()
        self._stage.codes += [("serve", code)] if (code := self._served.wait()) else []

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
        settings = self._stage.environment | {"GATEKEEPER_DATA": str(self._stage.folder / "served")}
        with (self._stage.folder / "serve.log").open("wb") as log:
            words = (GATEKEEPER, "serve", "--port", str(port), "--callers", str(callers))
            self._served = subprocess.Popen(words, env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=log)
        until(self._answers, "the service is ready")
        self._client = httpx.Client(base_url=self._url, headers={"authorization": f"Bearer {self._key}"}, timeout=10)

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
            headers = dict(message.headers() or ())
            if topic == "review" and "gate-decision" in headers:
                self._items.append((message, json.loads(headers["gate-decision"])))

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
        through: Producer | None = None,
    ) -> int:
        """Writes one record, which the journal holds once it is acknowledged; the result is 1.

        A fact that names nobody and cannot be read withholds everybody until two managers let it pass. He may do that,
        and nothing would be left to see; so his facts have a key.
        """
        began, id_ = time.monotonic(), self._id("attack")

        def delivered(error: Any, message: Message) -> None:
            place = message.partition(), UNKNOWN if error else message.offset()
            self._journal.write(Said("attack", id_, person, topic, *place, began, None if error else time.monotonic()))

        data = value if isinstance(value, bytes) else hostile.dumped(value)
        if topic in FACTS and not ID(key.decode("utf-8", "replace") if isinstance(key, bytes) else key or ""):
            key = id_
        producer = through or self._producers[self._chance.choice(CODECS)]
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
            headers = message.headers() or ()
            self._write(into, message.value(), message.key(), person=person, partition=partition, headers=headers)
        return len(chosen)

    def _act(self, kind: str, message: Message, decision: dict[str, Any], **more: Any) -> dict[str, Any]:
        sent, codes = json.loads(message.value()), [one["code"] for one in decision["reasons"]]
        act: dict[str, Any] = {"v": 1, "kind": kind, "act_id": self._id("stolen"), "by": "kenji", "reason": "so it is"}
        act |= {"at": now(), "decision_id": decision["id"], "had": codes, "reasons": codes, "bulk": 1}
        act |= {name: sent[name] for name in ("recipient_id", "campaign_id", "channel")}
        return act | {"review": {"partition": message.partition(), "offset": message.offset()}, **more}

    def _do_stolen_key(self) -> int:
        """Acts about items that wait, signed by the reviewer who was robbed, in his own name and in others'."""
        done = 0
        for message, decision in self._chance.sample(self._items, min(len(self._items), 5)):
            if (person := json.loads(message.value())["recipient_id"]) in SPARED:
                continue
            kind = self._chance.choice(("release", "release", "redecide", "undo", "approve", "erase", "handoff", "ask"))
            by = self._chance.choice(("kenji", "kenji", "hanako", "taro", "console", "mallory"))
            act = self._act(kind, message, decision, by=by, bulk=self._chance.choice((1, 1, 10**6, 0)))
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
        message, decision = self._chance.choice(self._items)
        person = json.loads(message.value())["recipient_id"]
        act = self._act("release", message, decision, by=self._chance.choice(staff.MANAGERS))
        headers = self._signed(act, word="passkey", signer=self._chance.choice(("kenji", "mallory")))
        return self._write("acts", act, person, person=person, partition=message.partition(), headers=headers)

    def _do_commands(self) -> int:
        """Acts about everything, by nobody: a policy, a stop of all, an erasure undone, a partition resumed."""
        kinds = ("readmit", "activate", "resume", "suspend", "quarantine", "resume_partition", "cancel", "reemit")
        kind, victim = self._chance.choice(kinds), self._victim()
        subject = self._chance.choice(
            (f"recipient/{victim}", "campaign/camp1", "controller/C1", "partition/0", "policy/x")
        )
        act = {"v": 1, "kind": kind, "act_id": self._id("command"), "by": "hanako", "reason": "so it is", "at": now()}
        act |= {"subject": subject}
        headers = self._signed(act) if self._chance.random() < 0.5 else []
        for number in range(self._world.partitions):
            self._write("acts", act, subject, person=victim, partition=number, headers=headers)
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
            victim, line = self._victim(), self._chance.choice(list(MOVED))
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
            return self._write("suppressions", {**stop, "token": token}, token)
        person = self._victim()
        return self._write("suppressions", {**stop, "recipient_id": person}, person)

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
        """A customer of the list, whom our own caller writes to; `tests.chaos.attack` tries to name them."""
        person, key = canaries.NARUMI, self._id("customer")
        send = send_to(
            "M-0031415", self._id("m"), delivery={name: person[name] for name in ("name", "postcode", "lines")}
        )
        send.pop("event_id")
        ours = {"authorization": f"Bearer {self._our_key}", "idempotency-key": key}
        found = self._client.post("/v1/sends", json=send, headers=ours)
        return found.is_success

    def _say(self, **what: Any) -> None:
        print(json.dumps({"at": round(time.monotonic(), 2), **what}), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(Attacker)
