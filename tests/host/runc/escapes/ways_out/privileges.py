"""Devices, and rights beyond those that were given."""

import contextlib
import os
import resource
import shutil
import struct

from .kernel import Closed, attempt, call, secret_in



def device(kind, major, minor, flags):
    path = f"/dev/device-{kind}-{major}-{minor}"
    try:
        os.mknod(path, 0o600 | (0o060000 if kind == "b" else 0o020000), os.makedev(major, minor))
        return os.open(path, flags | os.O_NONBLOCK)
    finally:
        if os.path.exists(path):
            os.unlink(path)


@attempt
def raw_disk(canaries):
    fd = device("b", *canaries["disk"], os.O_RDONLY)
    return secret_in(os.read(fd, 4096), canaries)


@attempt
def kernel_log_device(_):
    return f"descriptor {device('c', 1, 11, os.O_WRONLY)}"


@attempt
def memory_device(_):
    return f"descriptor {device('c', 1, 1, os.O_RDONLY)}"


@attempt
def fuse_device(_):
    return f"descriptor {device('c', 10, 229, os.O_RDWR)}"


@attempt
def devices_there(_):
    known = {"full", "null", "ptmx", "random", "tty", "urandom", "zero"}
    strange = []
    for folder, _, files in os.walk("/dev"):
        for name in files:
            mode = os.lstat(f"{folder}/{name}").st_mode & 0o170000
            if mode in (0o020000, 0o060000) and name not in known and not (folder == "/dev/pts" and name.isdigit()):
                strange.append(f"{folder}/{name}")
    if not strange:
        raise Closed("none but the usual")
    return " ".join(strange)


# Privileges


def run_as_user(program, *args):
    read, write = os.pipe()
    if os.fork() == 0:
        os.dup2(write, 1)
        os.setgroups([])
        os.setgid(1000)
        os.setuid(1000)
        os.execv(program, [program, *args])
    os.close(write)
    with os.fdopen(read) as said:
        return said.read()


@attempt
def set_user_id(_):
    shutil.copy("/usr/bin/id", "/tmp/id")
    os.chmod("/tmp/id", 0o4755)
    if run_as_user("/tmp/id", "-u").strip() != "0":
        raise Closed("it stays a user")
    return "a user became root"


@attempt
def file_capabilities(_):
    shutil.copy("/bin/cat", "/tmp/cat")
    chown = 1
    os.setxattr("/tmp/cat", "security.capability", struct.pack("<5I", 0x02000001, chown, 0, 0, 0))
    status = run_as_user("/tmp/cat", "/proc/self/status")
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
    if int(effective, 16) == 0:
        raise Closed("it stays without")
    return f"a user got {effective}"


@attempt
def better_priority(_):
    os.setpriority(os.PRIO_PROCESS, 0, -5)
    return "before others"


@attempt
def spared_by_oom(_):
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("-1000")
    return "others are killed first"


@attempt
def host_crash_handler(_):
    """The kernel starts the host's handler for every crash of a process whose limit of core files is not 1."""
    core, others = resource.RLIMIT_CORE, resource.RLIMIT_NOFILE
    resource.setrlimit(others, (100, 200))
    if resource.getrlimit(others) != (100, 200):
        raise RuntimeError("no limit at all can be set")
    with contextlib.suppress(OSError):
        resource.setrlimit(core, (0, 0))
        call("prlimit64", 0, 1 << 32 | core, bytes(16), None)  # the kernel looks at the lower half alone
    limits = resource.getrlimit(core)
    if limits == (1, 1):
        raise Closed("no handler is started")
    return f"the limit is {limits}"


@attempt
def more_open_files(_):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard + 1))
    except ValueError as error:
        raise Closed(str(error)) from None
    return "a limit is raised"
