"""What attempts are made of: system calls by number, and the list of all attempts."""

import ctypes
import errno
import os
import platform

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

# Numbers on x86_64 and aarch64; calls since Linux 5.1 have the same one everywhere.
numbers = {
    **{"unshare": (272, 97), "clone": (56, 220), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39)},
    **{"pivot_root": (155, 41), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218)},
    **{"bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "kexec_load": (246, 104)},
    **{"finit_module": (313, 273), "ioperm": (173, None), "reboot": (169, 142), "swapon": (167, 224)},
    **{"acct": (163, 89), "quotactl": (179, 60), "clock_settime": (227, 112), "clock_adjtime": (305, 266)},
    **{"sethostname": (170, 161), "personality": (135, 92), "syslog": (103, 116), "ptrace": (101, 117)},
    **{"open_by_handle_at": (304, 265), "fanotify_init": (300, 262), "process_vm_readv": (310, 270)},
    **{"prlimit64": (302, 261), "mq_open": (240, 180)},
    **{"io_uring_setup": 425, "open_tree": 428, "fsopen": 430, "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438},
}


class Closed(Exception):
    """What was tried went wrong for the intruder, without an error of the kernel's."""


def call(name, *args):
    number = numbers[name]
    if isinstance(number, tuple):
        number = number[0 if platform.machine() == "x86_64" else 1]
    if number is None:
        raise OSError(errno.ENOSYS, "not on this processor")
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args))
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def reaches(attempt, *refusals):
    """Open when the kernel got as far as one of these errors, which only the privileged come to see."""
    try:
        return f"granted: {attempt()}"
    except OSError as error:
        if error.errno in refusals:
            return f"reached: {errno.errorcode[error.errno]}"
        raise


def write_back(path):
    """Writes into a file what it holds."""
    with open(path, "rb") as file:
        value = file.read()
    fd = os.open(path, os.O_WRONLY)
    os.write(fd, value)
    return f"{path} is written"


def read_some(path, flags=0):
    data = os.read(os.open(path, os.O_RDONLY | flags), 64)
    if not data.strip(b"\0\n"):
        raise Closed("empty")
    return f"{path}: {data[:16]!r}"


def secret_in(data, canaries):
    """Open when this is what the host has put there."""
    if canaries["secret"].encode() not in data:
        raise Closed("not the host's")
    return "the host's secret was read"


attempts = {}


def attempt(function):
    attempts[function.__name__] = function
    return function


