"""The private names of Faust, aiokafka and others that the engine stands on; each failure says what to check."""

import asyncio
import inspect
import tempfile
from importlib.metadata import version
from unittest.mock import AsyncMock

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
from streams.worker.clients import Clients

PINNED = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0", "kafka-python": "3.0.12", "mode-streaming": "0.7.1"}


@pytest.mark.parametrize("package", PINNED)
def test_given_the_lock_then_the_versions_are_those_the_engine_was_proven_on(package):
    assert version(package) == PINNED[package], (
        f"{package} changed. Read its diff for the names in this file, run tests/integration and scripts/chaos, "
        "then change the pin in pyproject.toml and here."
    )


def test_given_kafka_python_then_its_checksums_are_made_by_a_package_in_c():
    assert kafka.record.util.crc32c_c is not None, (
        "kafka-python no longer finds crc32c, or names it otherwise: a checksum in Python takes 800 times as long. "
        "See kafka-python[crc32c] in pyproject.toml."
    )


def test_given_faust_then_the_consumer_still_fetches_through_getmany():
    parameters = list(inspect.signature(Consumer._getmany).parameters)
    assert parameters == ["self", "active_partitions", "timeout"], (
        "Faust's Consumer._getmany changed: streams/worker/chunks.py builds its chunks there. Check that it still "
        "receives the partitions that may be fetched, returns a dict of partition to records, and that what it "
        "returns is passed to _to_message one by one."
    )
    assert "_getmany" in inspect.getsource(Consumer._wait_next_records), (
        "Faust no longer fetches through _getmany: chunks would never be built and every send would be missed."
    )


def test_given_faust_then_its_tables_still_start_in_two_steps_after_a_second():
    source = [line.strip() for line in inspect.getsource(TableManager.on_start).splitlines()[2:]]
    assert source == [
        "await self.sleep(1.0)",
        "if not self.should_stop:",
        "await self._update_channels()",
        "await self.recovery.start()",
    ], "Faust's TableManager.on_start changed: streams/worker/app.py repeats it without the second that it sleeps."


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


def test_given_faust_then_the_thread_is_made_by_the_hook():
    assert "_new_consumer_thread" in inspect.getsource(driver.Consumer), (
        "Faust's Consumer no longer makes its thread in _new_consumer_thread: streams/worker/chunks.py sets "
        "read_committed there, without which aborted sends would be judged."
    )
    parameters = list(inspect.signature(driver.AIOKafkaConsumerThread._create_worker_consumer).parameters)
    assert parameters == ["self", "transport"], (
        "AIOKafkaConsumerThread._create_worker_consumer changed: check where the aiokafka consumer is made now."
    )


def test_given_aiokafka_then_the_consumer_reads_the_attributes_when_it_starts():
    source = inspect.getsource(aiokafka.AIOKafkaConsumer)
    for name in ("self._fetch_max_wait_ms", "self._isolation_level"):
        assert source.count(name) >= 2, (
            f"aiokafka no longer keeps {name}: it is set after the constructor and before start(). Check how the "
            "fetcher learns the isolation level; without it aborted sends would be judged."
        )


def test_given_aiokafka_then_the_groups_connection_alone_is_patient():
    client = inspect.getsource(AIOKafkaClient)
    assert "await self._get_conn(node_id, group=group)" in client, (
        "aiokafka no longer connects through AIOKafkaClient._get_conn: there streams/worker/chunks.py gives the one to "
        "the group's coordinator more time there, as a join takes as long as a rebalance."
    )
    assert client.count("request_timeout_ms=self._request_timeout_ms") >= 2, "it tells each its time-out"
    assert inspect.getsource(AIOKafkaConnection).count("self._request_timeout") >= 2, "and keeps it under that name"


def test_given_aiokafka_then_a_reader_goes_to_the_leader_that_our_cluster_names():
    assert "self._client.cluster.leader_for_partition(tp)" in inspect.getsource(
        aiokafka.consumer.fetcher.Fetcher._select_read_replica
    ), (
        "aiokafka's fetcher no longer asks its client's cluster who leads: streams/worker/clients.py puts a Cluster of "
        "ours there, without which a reader stays with a deposed leader until that hears of its successor."
    )
    assert "self.cluster = ClusterMetadata(" in inspect.getsource(aiokafka.AIOKafkaClient.__init__)
    assert "self._client = AIOKafkaClient(" in inspect.getsource(aiokafka.AIOKafkaConsumer.__init__)
    assert "self.cluster.update_metadata(" in inspect.getsource(aiokafka.AIOKafkaClient.bootstrap)


def test_a_fetch_that_waits_to_be_tried_again_then_a_reader_stops_in_order(monkeypatch: pytest.MonkeyPatch):
    class Waiting:
        async def close(self):  # as aiokafka's fetcher does with each of its tasks
            task = asyncio.ensure_future(asyncio.sleep(60))
            task.cancel()
            await task

    async def stopped():
        reader, closed = Clients(Settings(broker="127.0.0.1:1", prefix="t.")).reader(), []
        reader._fetcher = Waiting()
        monkeypatch.setattr(reader._client, "close", AsyncMock(side_effect=lambda: closed.append(True)))
        await reader.stop()
        return closed

    assert asyncio.run(stopped()) == [True]


def test_aiokafka_then_it_asks_about_the_topics_given_to_a_client_without_a_call():
    assert "topics = self._topics" in inspect.getsource(AIOKafkaClient._md_synchronizer), (
        "aiokafka keeps a client's topics elsewhere: streams/client/brokers.py puts one there, or it asks about all."
    )


def test_given_aiokafka_then_requests_of_ours_are_prepared_and_decoded_as_its_own():
    source = inspect.getsource(aiokafka.conn.AIOKafkaConnection)
    for name in ("request.prepare(self._versions)", "request_struct.encode()", "resp_type.decode(resp)"):
        assert name in source, (
            f"aiokafka no longer has {name}: streams/client/requests.py gives it requests and answers of ours, "
            "in versions that it does not speak, and answers that are decoded once."
        )


def test_given_both_clients_then_what_a_fetch_returned_is_read_as_our_batches():
    import streams.client.reader
    import streams.worker.offsets  # noqa: F401  (each installs it in its client)

    for fetcher in (aiokafka.consumer.fetcher, kafka.consumer.fetcher):
        assert fetcher.MemoryRecords.func is Batches
        assert inspect.getsource(fetcher).count("MemoryRecords(") == 1, (
            f"{fetcher.__name__} reads batches in another way: streams/client/batches.py stands in for MemoryRecords, "
            "or one batch in lz4, or a header that is not UTF-8, ends the worker at every start."
        )


def test_given_kafka_python_then_a_fetchs_records_are_made_by_a_class_of_its_fetcher():
    fetcher = kafka.consumer.fetcher.Fetcher
    assert "self.PartitionRecords(fetch_offset, tp, records," in inspect.getsource(fetcher._parse_fetched_data)
    source = inspect.getsource(fetcher.PartitionRecords)
    for name in ("def _unpack_records(self, tp, records,", "def _consume_aborted_transactions_up_to(self, offset)"):
        assert name in source, (
            f"kafka-python no longer has {name}: streams/client/fetched_records.py makes the commands' records there, "
            "and leaves aborted transactions out as this class does. Compare the two."
        )
    for name in ("self.aborted_producer_ids", "self.next_fetch_offset", "self.leader_epoch", "self.bytes_read"):
        assert source.count(name) >= 2, f"{name} is kept by streams/client/fetched_records.py"
    assert "self._fetcher = Fetcher(" in inspect.getsource(kafka.KafkaConsumer.__init__)


def test_given_kafka_python_then_a_fetch_can_be_sent_to_a_follower():
    assert "update_preferred_read_replica(self, node_id, expiration_time)" in inspect.getsource(subscription_state)
    assert "preferred_read_replica()" in inspect.getsource(kafka.consumer.fetcher.Fetcher._select_read_replica), (
        "kafka-python no longer asks the preferred replica: streams/client/replicas.py would get the same copy."
    )


def test_given_kafka_python_then_what_has_no_addressee_goes_to_the_least_loaded_node():
    source = inspect.getsource(KafkaConnectionManager.send)
    assert "self.least_loaded_node()" in source, (
        "kafka-python's manager no longer asks least_loaded_node() where a request has no addressee: "
        "streams/client/cluster.py replaces it, to ask one broker after another."
    )
    assert "self._manager = " in inspect.getsource(kafka.admin.KafkaAdminClient.__init__)


def test_given_kafka_python_then_a_request_without_a_method_of_its_own_can_be_sent():
    assert "self._manager.run(self._describe_cluster)" in inspect.getsource(
        kafka.admin.KafkaAdminClient.describe_cluster
    )
    assert "self._describe_groups_request(" in inspect.getsource(kafka.admin.KafkaAdminClient._async_describe_groups), (
        "kafka-python makes this request elsewhere: streams/client/inspection.py sets its version there."
    )
    assert not hasattr(kafka.admin.KafkaAdminClient, "describe_client_quotas"), (
        "kafka-python has a method for quotas now: streams/client/inspection.py need not send the request itself."
    )


def test_uvicorn_then_its_protocol_says_whether_a_request_is_whole_and_answered():
    source = inspect.getsource(h11_impl)
    for name in ("self.cycle.more_body = False", "self.response_complete = True", "def on_response_complete"):
        assert name in source, (
            f"{name} left uvicorn's H11Protocol: BoundedProtocol in gatekeeper/http/http_server.py tells by it whether "
            "the console works for a connection or waits for its client. Without it nobody closes half-sent requests."
        )


def test_h11_then_lines_of_heads_and_trailers_come_from_the_buffer_that_is_replaced():
    assert "self._receive_buffer = ReceiveBuffer()" in inspect.getsource(h11.Connection.__init__)
    readers = inspect.getsource(h11._readers)
    assert readers.count("buf.maybe_extract_lines()") == 3, (
        "h11 takes lines elsewhere: StrictLines in gatekeeper/http/http_server.py refuses there a line without CR, in "
        "which a second request could hide."
    )
