"""A real Apache Kafka on this machine: one KRaft node on loopback, for people, the demo and the tests."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from gatekeeper.ground.errors import UnavailableError
from streams.kafka import jars, java, node

ROOM = 64 * 2**20
"""Free bytes that a start requires: Kafka maps its indexes into memory, and crashes if the disk is full."""
KILLED_SECONDS = 20.0
"""Seconds that a killed node may take: it ends once its disk has answered."""
PROPERTIES = "server.properties"
CLUSTER = "Z2F0ZWtlZXBlci1sb2NhbA"
"""Kafka's spelling of the sixteen bytes `gatekeeper-local`."""
_WITH_PARENT = """
import ctypes, os, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(sys.argv[2]))
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent has ended")
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""Becomes the node, once Linux is asked to end it in order if we are killed by force.

A process of its own asks, as nothing may run between fork and exec in a process with threads.
"""


class Broker:
    """One Kafka node that leaves no process behind.

    `folder` keeps data, ports and log from start to start; without it all data are temporary.
    `port` is the clients' port; 0 takes the last port of `folder`, else a free one.
    `settings` override the node's own; with `exact` they are its only settings, except for the place of its data.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        port: int = 0,
        settings: Mapping[str, str] | None = None,
        exact: bool = False,
    ) -> None:
        self._given = folder
        self._port = port
        self._settings = dict(settings or {})
        self._exact = exact
        self._temporary: TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._hold: int | None = None
        self._log_start = 0

    @property
    def bootstrap(self) -> str:
        """The address for clients; known once started."""
        return f"{node.HOST}:{self._port}"

    @property
    def pid(self) -> int:
        """The process id of the node; known once started."""
        return self._started().pid

    @property
    def folder(self) -> Path:
        """The folder of data and log."""
        if self._given is not None:
            return self._given.absolute()
        if self._temporary is None:
            self._temporary = TemporaryDirectory(prefix="kafka-")
        return Path(self._temporary.name)

    @property
    def log(self) -> Path:
        """The log file of the node; every start appends to it."""
        return self.folder / "server.log"

    def start(self, *, progress: jars.Progress | None = None, timeout: float = 60.0) -> Self:
        """Starts the node and waits until it accepts connections; a folder keeps its ports and data.

        Raises UnavailableError (3) for a busy port, another node's folder, missing Java, or jars that cannot be
        fetched. It also does for a disk that is full or cannot be written. So it does for a node that ended or was not
        ready within `timeout` seconds. Raises IntegrityError (4) for jars that differ from the lock. No process is left
        after any error, an interrupt included.
        """
        if self._process is not None and self._process.poll() is None:
            raise RuntimeError("the broker runs already")
        try:
            command = [java.find(), "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
            classpath = os.pathsep.join(map(str, jars.fetch(progress=progress)))
            command += ["-Dlog4j2.configurationFile=log4j2.properties", "-cp", classpath]
            properties = self._lay_out()
            if not (self.folder / "data").exists():
                self._format(properties["node.id"])
            self._write(properties)
            self._launch([*command, "kafka.Kafka", PROPERTIES])
            self._await_start(time.monotonic() + timeout)
        except OSError as error:
            self.stop()
            raise UnavailableError("error.disk", path=error.filename or self.folder, detail=error) from None
        except BaseException:
            self.stop()
            raise
        return self

    def wait(self) -> UnavailableError:
        """Waits until the node has ended by itself. The result is the cause, as far as its log tells."""
        self._started().wait()
        return self._failure()

    def stop(self, *, timeout: float = 20.0) -> None:
        """Ends the node in order, by force after `timeout` seconds or at an interrupt.

        A node on a temporary folder is ended by force at once, because its data are deleted anyway.
        """
        try:
            if self._temporary is None and self._process is not None and self._process.poll() is None:
                self._process.terminate()
                self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()
            if self._hold is not None:
                os.close(self._hold)
                self._hold = None
            if self._temporary is not None:
                self._temporary.cleanup()
                self._temporary = None

    def kill(self) -> None:
        """Ends the node as a crash would (SIGKILL); its data stay for the next start to recover."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(KILLED_SECONDS)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the broker was never started")
        return self._process

    def _lay_out(self) -> dict[str, str]:
        """Makes the folder, reserves the ports, and gives the node's properties."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._take_folder()
        if (free := shutil.disk_usage(self.folder).free) < ROOM:
            raise UnavailableError("error.disk_room", path=self.folder, free=free // 2**20, needed=ROOM // 2**20)
        (self.folder / "log4j2.properties").write_text(node.LOG4J, "utf-8")
        if self._exact:
            return self._settings
        last = self.folder / PROPERTIES
        client, controller = node.ports_in(last.read_text("utf-8") if last.exists() else "")
        self._port = self._port or client or node.free_port()
        if not node.is_free(self._port):
            raise UnavailableError("error.port_busy", port=self._port)
        if controller in (0, self._port) or not node.is_free(controller):
            controller = node.free_port(self._port)
        return {**node.properties(self._port, controller), **self._settings}

    def _take_folder(self) -> None:
        """Keeps other brokers off the folder, until both the node and this process are done with it."""
        if self._hold is not None:
            return
        self._hold = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(self._hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnavailableError("error.data_in_use", path=self.folder) from None

    def _write(self, properties: Mapping[str, str]) -> None:
        # relative names, as the node runs in its folder: Java reads the file as Latin-1
        lines = {**properties, "log.dirs": "data"}
        (self.folder / PROPERTIES).write_text("".join(f"{key}={value}\n" for key, value in lines.items()), "utf-8")

    def _format(self, number: str) -> None:
        """Makes the empty data folder of node `number`, as Kafka's own tool does, but without starting Java.

        The folder appears whole, so an interrupted start can be repeated.
        """
        unfinished = self.folder / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        (unfinished / "meta.properties").write_text(f"version=1\ncluster.id={CLUSTER}\nnode.id={number}\n", "utf-8")
        (unfinished / node.FEATURES).write_bytes(files("streams.kafka").joinpath(node.FEATURES).read_bytes())
        unfinished.rename(self.folder / "data")

    def _launch(self, command: list[str]) -> None:
        # a session of its own: Ctrl-C in the terminal reaches only us, and we end the node in order
        assert self._hold is not None
        if _can_end_with_parent():
            ours, ending = str(os.getpid()), str(int(signal.SIGTERM))
            command = [sys.executable, "-ISc", _WITH_PARENT, ours, ending, *command]
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                pass_fds=(self._hold,),  # if we are killed, the folder stays taken until the node has ended
                start_new_session=True,
            )

    def _await_start(self, deadline: float) -> None:
        process = self._started()
        while process.poll() is None and time.monotonic() < deadline:
            if "Kafka Server started" in self._said():
                return
            time.sleep(0.05)
        raise self._failure()

    def _said(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode("utf-8", "replace")

    def _failure(self) -> UnavailableError:
        output = self._said()
        if "Address already in use" in output:
            return UnavailableError("error.port_busy", port=self._port)
        if "No space left on device" in output or shutil.disk_usage(self.folder).free < ROOM // 16:
            return UnavailableError(
                "error.disk", path=self.folder, detail=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            )
        clues = [line for line in output.splitlines() if " ERROR " in line or "Exception" in line] or [""]
        return UnavailableError("error.broker_ended", log=self.log, detail=clues[-1][:200])


def _can_end_with_parent() -> bool:
    # Linux sends the signal when the *thread* that forked ends, so only the main thread may ask for it.
    return sys.platform == "linux" and threading.current_thread() is threading.main_thread()
