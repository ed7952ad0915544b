"""Tries known ways out of a container, each in a process of its own, and prints what came of them as JSON.

An attempt that gets through returns what it got; everything that it raises means that the way is closed. Where success
would do harm (reboot, swap, modules) it makes a request that the kernel refuses for its arguments, but only to those
whom it would let through otherwise.

    python3 -m ways_out '{"pid": 1234, ...}' [NAME...]     canaries of the host, and which attempts; all without
"""

import errno
import json
import os
import signal
import socket

from . import calls, kernel_files, namespaces, network, privileges, processes, shared  # noqa: F401
from .kernel import Closed, attempts
from .shared import strangers


def run(name, canaries):
    """In a process of its own, for it may be killed for what it does."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        signal.alarm(10)
        try:
            verdict = {"verdict": "open", "detail": str(attempts[name](canaries))}
        except (OSError, Closed) as error:
            code = errno.errorcode.get(getattr(error, "errno", None) or 0)
            verdict = {"verdict": "closed", "detail": f"{code}: {error}" if code else str(error)}
        except BaseException as error:
            verdict = {"verdict": "broken", "detail": repr(error)}
        os.write(write, json.dumps({"name": name, **verdict}).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        said = file.read()
    _, status = os.waitpid(pid, 0)
    if said:
        return json.loads(said)
    ended = signal.Signals(status).name if os.WIFSIGNALED(status) else f"status {status}"
    return {"name": name, "verdict": "closed" if ended == "SIGSYS" else "broken", "detail": ended}


def run_all(canaries, names=()):
    canaries = {**canaries, "descriptors": [*strangers(), *strangers(1)]}
    return [run(name, canaries) for name in names or attempts]


def obey():
    """Attempts what it is told through the door, one after the other."""
    with socket.create_connection(("127.0.0.1", 8700)) as door:
        for line in door.makefile():
            door.sendall(json.dumps(run(**json.loads(line))).encode() + b"\n")
