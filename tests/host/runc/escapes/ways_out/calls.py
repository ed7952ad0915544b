"""What the kernel has only once, by system call."""

import ctypes
import errno
import mmap
import os
import platform
import struct
import time

from .kernel import Closed, attempt, call, numbers, reaches



@attempt
def add_key(_):
    return f"key {call('add_key', b'user', b'lydian', b'x', 1, -2)}"


@attempt
def request_key(_):
    return reaches(lambda: call("request_key", b"user", b"lydian-none", None, 0), errno.ENOKEY)


@attempt
def keyctl(_):
    return f"key ring {call('keyctl', 0, -4, 1)}"


@attempt
def bpf(_):
    prog_get_next_id = 11
    return reaches(lambda: call("bpf", prog_get_next_id, bytes(128), 128), errno.ENOENT)


@attempt
def perf_event_open(_):
    software_clock = struct.pack("IIQ", 1, 112, 0) + bytes(96)
    return f"descriptor {call('perf_event_open', software_clock, -1, 0, -1, 0)}"


@attempt
def userfaultfd(_):
    user_mode_only = 1
    return f"descriptor {call('userfaultfd', user_mode_only)}"


@attempt
def io_uring(_):
    return f"descriptor {call('io_uring_setup', 1, bytes(120))}"


@attempt
def fanotify(_):
    report_fid, cloexec = 0x200, 1
    return f"descriptor {call('fanotify_init', report_fid | cloexec, 0)}"


@attempt
def kexec_load(_):
    return reaches(lambda: call("kexec_load", 0, 0, None, 0x8000), errno.EINVAL)


@attempt
def load_module(_):
    return reaches(lambda: call("finit_module", -1, b"", 0), errno.EBADF, errno.EINVAL)


@attempt
def ioperm(_):
    call("ioperm", 0x80, 1, 1)
    return "a port of the hardware"


@attempt
def reboot(canaries):
    if not os.path.exists(f"/proc/{canaries['pid']}"):
        raise Closed("it would end its own processes alone")
    return reaches(lambda: call("reboot", 0xFEE1DEAD, 0, 0, None), errno.EINVAL)


@attempt
def swapon(_):
    return reaches(lambda: call("swapon", b"/nowhere", 0), errno.ENOENT)


@attempt
def acct(_):
    return reaches(lambda: call("acct", b"/nowhere/x"), errno.ENOENT)


@attempt
def quotactl(_):
    sync = 0x800001 << 8
    call("quotactl", sync, None, 0, None)
    return "quotas are written"


@attempt
def clock_settime(_):
    now = time.clock_gettime(time.CLOCK_REALTIME)
    call("clock_settime", 0, struct.pack("qq", int(now), int(now % 1 * 1e9)))
    return "the clock is set"


@attempt
def clock_adjtime(_):
    timex = ctypes.create_string_buffer(208)
    call("clock_adjtime", 0, timex)
    frequency = 2
    struct.pack_into("I", timex, 0, frequency)
    call("clock_adjtime", 0, timex)
    return "the clock's speed is set"


@attempt
def set_host_name(canaries):
    name = os.uname().nodename
    if name != canaries["hostname"]:
        raise Closed("it has a name of its own")
    call("sethostname", name.encode(), len(name.encode()))
    return "the host's name is set"


@attempt
def see_host_name(canaries):
    if os.uname().nodename != canaries["hostname"]:
        raise Closed("it has a name of its own")
    return "the host's name"


@attempt
def personality(_):
    no_randomization = 0x0040000
    return f"was {call('personality', no_randomization)}"


@attempt
def kernel_log(_):
    unread = 9
    return f"{call('syslog', unread, None, 0)} bytes unread"


@attempt
def calls_of_32_bits(_):
    if platform.machine() != "x86_64":
        raise OSError(errno.ENOSYS, "not on this processor")
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\x53\xb8\x14\x00\x00\x00\xcd\x80\x5b\xc3")  # push rbx; eax = 20, getpid; int 0x80; pop rbx; ret
    getpid = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    return f"getpid said {getpid()}"


@attempt
def calls_of_x32(_):
    if platform.machine() != "x86_64":
        raise OSError(errno.ENOSYS, "not on this processor")
    numbers["getpid of x32"] = (0x40000000 | 39, None)
    return f"getpid said {call('getpid of x32')}"
