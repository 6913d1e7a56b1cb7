"""The private names of Faust, aiokafka and others that the engine stands on; each failure says what to check."""

import asyncio
import inspect
import tempfile
from importlib.metadata import version

import aiokafka
import aiokafka.conn
import aiokafka.consumer.fetcher
import h11._readers
import kafka.admin
import kafka.consumer.fetcher
import kafka.record.util
import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from faust.tables.manager import TableManager
from faust.transport.consumer import Consumer
from faust.transport.drivers import aiokafka as driver
from faust.types.settings import Settings as FaustSettings
from kafka.consumer import subscription_state
from kafka.net.manager import KafkaConnectionManager
from uvicorn.protocols.http import h11_impl

from gatekeeper.ground.settings import Settings
from gatekeeper.keys import ROLES, Keys
from streams.client.batches import Batches
from streams.worker.app import create_app

PINNED = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0", "kafka-python": "3.0.12", "mode-streaming": "0.7.1"}


@pytest.mark.parametrize("package", PINNED)
def test_given_the_lock_then_the_versions_are_those_the_engine_was_proven_on(package):
    assert version(package) == PINNED[package], (
        f"{package} changed. Read its diff for the names in this file, run tests/integration and scripts/chaos, "
        "then change the pin in pyproject.toml and here."
    )


def test_given_kafka_python_then_its_checksums_are_made_by_a_package_in_c():
    assert kafka.record.util.crc32c_c is not None, "a checksum in Python takes 800 times as long"
    assert not hasattr(kafka.admin.KafkaAdminClient, "describe_client_quotas"), "inspection.py need not send it itself"


FETCHER, RECORDS = kafka.consumer.fetcher.Fetcher, kafka.consumer.fetcher.Fetcher.PartitionRecords
ADMIN, CLIENT, READER = kafka.admin.KafkaAdminClient, AIOKafkaClient, aiokafka.consumer.fetcher.Fetcher
STARTS = """        await self.sleep(1.0)
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()
"""
NAMES = {
    "streams/worker/chunks.py, without which sends are missed, or aborted ones judged": [
        (Consumer._wait_next_records, 1, "_getmany"),
        (driver.Consumer, 1, "_new_consumer_thread"),
        (aiokafka.AIOKafkaConsumer, 2, "self._fetch_max_wait_ms", "self._isolation_level"),
        (CLIENT, 1, "await self._get_conn(node_id, group=group)"),
        (CLIENT, 2, "request_timeout_ms=self._request_timeout_ms"),
        (AIOKafkaConnection, 2, "self._request_timeout"),
    ],
    "streams/worker/app.py, which repeats this without the second": [(TableManager.on_start, 1, STARTS)],
    "streams/worker/clients.py, without whose Cluster a reader stays with a deposed leader": [
        (aiokafka.AIOKafkaConsumer.__init__, 1, "self._client = AIOKafkaClient("),
        (CLIENT.__init__, 1, "self.cluster = ClusterMetadata("),
        (CLIENT.bootstrap, 1, "self.cluster.update_metadata("),
        (READER._select_read_replica, 1, "self._client.cluster.leader_for_partition(tp)"),
    ],
    "streams/client/brokers.py, which gives a client its topics": [
        (CLIENT._md_synchronizer, 1, "topics = self._topics")
    ],
    "streams/client/requests.py, which has requests in versions that aiokafka does not speak": [
        (AIOKafkaConnection, 1, "request.prepare(self._versions)", "request_struct.encode()", "resp_type.decode(resp)")
    ],
    "streams/client/fetched_records.py, which leaves aborted transactions out as this class does": [
        (FETCHER._parse_fetched_data, 1, "self.PartitionRecords(fetch_offset, tp, records,"),
        (RECORDS, 1, "def _unpack_records(self, tp, records,", "def _consume_aborted_transactions_up_to(self, offset)"),
        (RECORDS, 2, "self.aborted_producer_ids", "self.next_fetch_offset", "self.leader_epoch", "self.bytes_read"),
        (kafka.KafkaConsumer.__init__, 1, "self._fetcher = Fetcher("),
    ],
    "streams/client/replicas.py, which would get the same copy of each replica": [
        (subscription_state, 1, "update_preferred_read_replica(self, node_id, expiration_time)"),
        (FETCHER._select_read_replica, 1, "preferred_read_replica()"),
    ],
    "streams/client/cluster.py, which asks one broker after another": [
        (KafkaConnectionManager.send, 1, "self.least_loaded_node()"),
        (ADMIN.__init__, 1, "self._manager = "),
    ],
    "streams/client/inspection.py, which sends requests of its own": [
        (ADMIN.describe_cluster, 1, "self._manager.run(self._describe_cluster)"),
        (ADMIN._async_describe_groups, 1, "self._describe_groups_request("),
    ],
    "gatekeeper/http/http_server.py, which closes half-sent requests and refuses a line without CR": [
        (h11_impl, 1, "self.cycle.more_body = False", "self.response_complete = True", "def on_response_complete"),
        (h11.Connection.__init__, 1, "self._receive_buffer = ReceiveBuffer()"),
        (h11._readers, 3, "buf.maybe_extract_lines()"),
    ],
}
"""What of ours relies on sources of others, and what stands in each, how often at least."""


@pytest.mark.parametrize("ours", NAMES)
def test_private_names_then_the_sources_still_have_them(ours):
    for owner, least, *names in NAMES[ours]:
        source = inspect.getsource(owner)
        assert [name for name in names if source.count(name) < least] == [], f"read the diff of {owner} for {ours}"


def test_a_method_that_we_replace_then_it_is_called_as_before():
    for owner, parameters in (
        (Consumer._getmany, ["self", "active_partitions", "timeout"]),
        (driver.AIOKafkaConsumerThread._create_worker_consumer, ["self", "transport"]),
    ):
        assert list(inspect.signature(owner).parameters) == parameters, "streams/worker/chunks.py has one in its place"


@pytest.mark.parametrize("prefix", ["", "OURS_"])
def test_an_environment_that_faust_reads_then_the_engine_stands_as_it_was_asked(monkeypatch, tmp_path, prefix):
    keys, precious = Keys(tmp_path / "keys"), tmp_path / "precious"
    for role in ROLES:
        keys.make(role, f"gk/{role}")
    for name in (param.env_name for param in FaustSettings.SETTINGS.values() if param.env_name):
        monkeypatch.setenv(prefix + name, "1")
    monkeypatch.setenv(prefix + "APP_DATADIR", str(precious))
    monkeypatch.setenv("APP_ENV_PREFIX", prefix)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    settings = Settings(broker="127.0.0.1:1", keys=str(keys.folder))

    async def made():
        return create_app(settings)

    conf, scratch = (app := asyncio.run(made())).conf, app.scratch
    assert precious not in (conf.datadir, scratch), "a folder of somebody else would be deleted"
    assert (conf.datadir, scratch.parent) == (scratch, tmp_path)
    assert (conf.consumer_group_instance_id, conf.topic_partitions) == (settings.worker, settings.partitions)
    assert (conf.stream_wait_empty, conf.web_enabled) == (False, False)
    assert conf.processing_guarantee.value == "at_least_once"


def test_given_both_clients_then_what_a_fetch_returned_is_read_as_our_batches():
    import streams.client.reader
    import streams.worker.offsets  # noqa: F401  (each installs it in its client)

    for fetcher in (aiokafka.consumer.fetcher, kafka.consumer.fetcher):
        assert fetcher.MemoryRecords.func is Batches
        assert inspect.getsource(fetcher).count("MemoryRecords(") == 1, (
            f"{fetcher.__name__} reads batches in another way: streams/client/batches.py stands in for MemoryRecords, "
            "or one batch in lz4, or a header that is not UTF-8, ends the worker at every start."
        )
