"""Settings of the brokers that we advise, since they decide how long the gate may have to wait."""

from __future__ import annotations

from dataclasses import dataclass

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from gatekeeper.ground.settings import Settings
from gatekeeper.ground.texts import text
from streams.client import cluster

OPEN_TRANSACTION, SILENT_CONTROLLER = "transaction.max.timeout.ms", "controller.socket.timeout.ms"
ADVISED = {OPEN_TRANSACTION: 60_000, SILENT_CONTROLLER: 5_000}
"""The most milliseconds that we advise, by Kafka's setting of a broker.

For so long the barrier may wait for a client that died in a transaction. And for so long a broker may wait for a
controller that was halted. Until then no change of the in-sync replicas is made, and writes wait for it.
"""


@dataclass(frozen=True, slots=True)
class Advice:
    """A broker's setting, by Kafka's name, that should be at most as expected; it concerns the whole cluster."""

    broker: int
    setting: str
    found: str
    expected: str

    def __str__(self) -> str:
        """The sentence: broker, present value, required value, and the reason."""
        key = "cli.topics_advice_transaction" if self.setting == OPEN_TRANSACTION else "cli.topics_advice_controller"
        return text(key, broker=self.broker, setting=self.setting, found=self.found, most=self.expected)


def advise(settings: Settings) -> list[Advice]:
    """Recommended changes to the brokers' settings, each broker asked for its own; none leads to a refusal.

    A broker that does not answer, or hides the setting from this user, is left out. Raises UnavailableError (3) without
    any.
    """
    return asked(settings)[0]


def asked(settings: Settings) -> tuple[list[Advice], list[int]]:
    """The recommended changes, and the brokers that do not answer or hide their settings; raises as `advise`."""
    with cluster.connected(settings) as admin:
        advice, hidden = list[Advice](), list[int]()
        nodes = sorted(row["broker_id"] for row in admin.describe_cluster()["brokers"])
        advised = [setting for setting in ADVISED if setting != SILENT_CONTROLLER or len(nodes) > 1]
        for node in nodes:
            try:
                resource = ConfigResource(ConfigResourceType.BROKER, str(node), advised)
                configs = admin.describe_configs([resource], config_filter="all")["broker"][str(node)]
                values = {setting: configs[setting]["value"] for setting in advised}
            except (KafkaError, KeyError):
                hidden.append(node)
                continue
            advice += [
                Advice(node, setting, value, str(ADVISED[setting]))
                for setting, value in values.items()
                if int(value) > ADVISED[setting]
            ]
        return advice, hidden
