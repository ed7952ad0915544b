"""The host's processes."""

import ctypes
import os
import struct

from .kernel import attempt, call, secret_in



@attempt
def see_host_process(canaries):
    with open(f"/proc/{canaries['pid']}/comm") as file:
        return f"sees {file.read().strip()}"


@attempt
def read_host_environment(canaries):
    with open(f"/proc/{canaries['pid']}/environ", "rb") as file:
        return secret_in(file.read(), canaries)


@attempt
def host_root_by_proc(canaries):
    with open(f"/proc/{canaries['pid']}/root{canaries['file']}", "rb") as file:
        return secret_in(file.read(), canaries)


@attempt
def signal_host_process(canaries):
    os.kill(canaries["pid"], 0)
    return "a signal would arrive"


@attempt
def trace_host_process(canaries):
    seize = 0x4206
    call("ptrace", seize, canaries["pid"], 0, 0)
    return "traced"


@attempt
def read_host_memory(canaries):
    with open(f"/proc/{canaries['pid']}/maps") as file:
        start = int(file.readline().split("-")[0], 16)
    found = ctypes.create_string_buffer(4)
    here = struct.pack("QQ", ctypes.addressof(found), 4)
    call("process_vm_readv", canaries["pid"], here, 1, struct.pack("QQ", start, 4), 1, 0)
    return f"read {found.raw!r}"


@attempt
def take_host_descriptor(canaries):
    return f"descriptor {call('pidfd_getfd', call('pidfd_open', canaries['pid'], 0), 0, 0)}"
