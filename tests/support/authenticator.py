"""A passkey in software: makes and touches WebAuthn keys as a browser with an authenticator does."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import unescape
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gatekeeper.audit.tlog.merkle import leaf_hash, root
from gatekeeper.audit.tlog.proofs import inclusion_proof
from gatekeeper.staff.message import table_message, tree_message
from gatekeeper.staff.signature_check import challenge

SEEN_AND_VERIFIED = 0x05
MADE = 0x45
"""The flags of a new key: the user was present and verified, and the key is in the data."""


@dataclass(frozen=True)
class Passkey:
    """A passkey of one person, the same each time. `origin`: of the console's pages; `party`: its host name."""

    by: str
    id: str = "p1"
    origin: str = "https://gate.example"
    party: str = "gate.example"

    @property
    def _private(self) -> Any:
        return derive_private_key(int.from_bytes(sha256(f"{self.by}/{self.id}".encode()).digest()[:31]), SECP256R1())

    @property
    def credential(self) -> bytes:
        return sha256(f"credential {self.by}/{self.id}".encode()).digest()[:16]

    @property
    def private(self) -> bytes:
        """The private half, as a browser's virtual authenticator takes it (PKCS #8)."""
        private: bytes = self._private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return private

    @property
    def public(self) -> bytes:
        public: bytes = self._private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return public

    @property
    def key(self) -> dict[str, Any]:
        """The key as it stands in `staff`."""
        rp = {"id": self.party, "origins": [self.origin]}
        public, credential = base64_text(self.public), base64_text(self.credential)
        return {"id": self.id, "method": "passkey", "public": public, "rp": rp, "credential": credential}

    def created(self, asked: str, **wrong: Any) -> dict[str, str]:
        """The fields that a page posts of a new key. `asked`: the challenge as the page has it, in base64url."""
        client = self._client("webauthn.create", asked, **wrong)
        data = self._data(flags=wrong.get("flags", MADE), party=wrong.get("party", self.party))
        data += bytes(16) + len(self.credential).to_bytes(2) + self.credential + b"\xa5cose"
        values = {"client": client, "authenticator": data, "public": self.public, "credential": self.credential}
        return {name: base64_text(value) for name, value in values.items()}

    def touched(self, asked: bytes, **wrong: Any) -> dict[str, str]:
        """An assertion over a challenge, in base64. `wrong`: type, origin, flags or party that no page of ours has."""
        client = self._client(wrong.get("type", "webauthn.get"), base64url(asked), **wrong)
        data = self._data(flags=wrong.get("flags", SEEN_AND_VERIFIED), party=wrong.get("party", self.party))
        sig = self._private.sign(data + sha256(client).digest(), ECDSA(SHA256()))
        return {"sig": base64_text(sig), "authenticator": base64_text(data), "client": base64_text(client)}

    def signed(self, message: bytes, **wrong: Any) -> dict[str, Any]:
        """The fields of a signature of this one message."""
        return {"method": "passkey", **self.touched(challenge(message), **wrong)}

    def signed_table(
        self, given: Sequence[tuple[str, str | None, Sequence[bytes]]], **wrong: Any
    ) -> list[dict[str, Any]]:
        """The fields of the signature of each message of each row (kind, campaign, messages), made with one touch."""
        rows = [
            {"kind": kind, "count": len(messages), "root": root(messages).hex()}
            | ({"campaign": campaign} if campaign else {})
            for kind, campaign, messages in given
        ]
        touch = self.touched(challenge(table_message(rows)), **wrong)
        made = list[dict[str, Any]]()
        for number, (_, _, messages) in enumerate(given):
            hashes = [leaf_hash(one) for one in messages]
            for index in range(len(messages)):
                path = [step.hex() for step in inclusion_proof(hashes, index)]
                place = {"rows": rows, "row": number, "index": index, "path": path}
                made.append({"method": "passkey", **touch, "table": place})
        return made

    def signed_tree(self, messages: Sequence[bytes], **wrong: Any) -> list[dict[str, Any]]:
        """The fields of the signature of each message, all made with one touch in the form of up to release 0.3.0."""
        touch = self.touched(challenge(tree_message(len(messages), root(messages))), **wrong)
        hashes = [leaf_hash(one) for one in messages]
        paths = [[step.hex() for step in inclusion_proof(hashes, index)] for index in range(len(messages))]
        places = [{"index": index, "size": len(messages), "path": path} for index, path in enumerate(paths)]
        return [{"method": "passkey", **touch, "tree": place} for place in places]

    def _client(self, kind: str, asked: str, **wrong: Any) -> bytes:
        said = {"type": kind, "challenge": asked, "origin": wrong.get("origin", self.origin), "crossOrigin": False}
        return json.dumps({**said, **wrong.get("client", {})}).encode()

    def _data(self, *, flags: int, party: str) -> bytes:
        return sha256(party.encode()).digest() + bytes([flags]) + bytes(4)


def challenge_in(page: str) -> bytes:
    """Returns the challenge for the first passkey that a page of the console offers."""
    found = re.search(r'data-challenge="([^"]+)"', page)
    assert found, page
    return b64decode(unescape(found[1]))


def base64_text(value: bytes) -> str:
    return b64encode(value).decode()


def base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
