"""A Kafka that asks for TLS, a user and rights, beside a plain listener for the test itself, which may do anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from streams.client.rights import Right
from streams.kafka import node
from streams.kafka.broker import Broker
from tests.support.certificates import certify

SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}


@dataclass(frozen=True)
class Secured:
    """The running broker. `plain`, `secure`, `tls`: addresses of its listeners; `secure` is TLS with SCRAM."""

    broker: Broker
    folder: Path
    secure: str
    tls: str

    @property
    def plain(self) -> str:
        return self.broker.bootstrap

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def user(self, name: str, rights: Iterable[Right]) -> dict[str, str]:
        """Makes a user with these rights alone; returns the settings that a process of that user has."""
        admin = AdminClient({"bootstrap.servers": self.plain})
        credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        made = admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(name, credential, b"open " + name.encode())]
        )
        made[name].result(30)
        acls = [
            AclBinding(
                RESOURCES[right.resource],
                named,
                ResourcePatternType.PREFIXED if right.prefixed else ResourcePatternType.LITERAL,
                f"User:{name}",
                "*",
                AclOperation[operation.upper().replace("DESCRIBECONFIGS", "DESCRIBE_CONFIGS")],
                AclPermissionType.ALLOW,
            )
            for right in rights
            for named in right.names
            for operation in right.operations
        ]
        for granted in admin.create_acls(acls).values() if acls else ():
            granted.result(30)
        password = self.folder / f"{name}.password"
        password.touch(0o600)
        password.write_text(f"open {name}\n")
        return {
            "broker": self.secure,
            "security_protocol": "SASL_SSL",
            "ssl_cafile": str(self.ca),
            "sasl_username": name,
            "sasl_password_file": str(password),
        }


@contextmanager
def secured(folder: Path) -> Iterator[Secured]:
    """Runs such a broker."""
    client = node.free_port()
    controller = node.free_port()
    secure = node.free_port()
    tls = node.free_port()
    certify(folder)
    properties = node.properties(client, controller)
    for name, port, protocol in (("SECURE", secure, "SASL_SSL"), ("TLS", tls, "SSL")):
        for key in ("listeners", "advertised.listeners"):
            properties[key] += f",{name}://{node.HOST}:{port}"
        properties["listener.security.protocol.map"] += f",{name}:{protocol}"
        properties[f"listener.name.{name.lower()}.ssl.keystore.type"] = "PEM"
        properties[f"listener.name.{name.lower()}.ssl.keystore.location"] = str(folder / "server.pem")
    properties |= {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",  # whoever comes without a user: the test, and the broker itself
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.secure.scram-sha-512.sasl.jaas.config": SCRAM,
    }
    with Broker(folder / "kafka", port=client, settings=properties, exact=True) as broker:
        yield Secured(broker, folder, f"{node.HOST}:{secure}", f"{node.HOST}:{tls}")
