"""/proc, /sys, and control groups."""

import errno
import os
import stat

from .kernel import Closed, attempt, call, read_some, write_back



@attempt
def core_pattern(_):
    return write_back("/proc/sys/kernel/core_pattern")


@attempt
def network_settings(_):
    return write_back("/proc/sys/net/ipv4/ip_default_ttl")


@attempt
def sysrq(_):
    os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY))
    return "opened"


@attempt
def kcore(_):
    return read_some("/proc/kcore")


@attempt
def kmsg(_):
    os.close(os.open("/proc/kmsg", os.O_RDONLY | os.O_NONBLOCK))
    return "opened"


@attempt
def masked_files(_):
    masked = [f"/proc/{name}" for name in ("acpi", "asound", "interrupts", "keys", "latency_stats", "sched_debug")]
    masked += [f"/proc/{name}" for name in ("kpagecgroup", "kpagecount", "kpageflags", "pagetypeinfo", "scsi")]
    masked += [f"/proc/{name}" for name in ("slabinfo", "timer_list", "vmallocinfo")]
    masked += ["/sys/firmware", "/sys/devices/virtual/powercap"]
    seen = []
    for path in filter(os.path.exists, masked):
        try:
            if os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1):
                seen.append(path)
        except OSError:
            pass  # for other reasons
    if not seen:
        raise Closed("all empty")
    return " ".join(seen)


@attempt
def uevent_helper(_):
    return write_back("/sys/kernel/uevent_helper")


@attempt
def sys_setting(_):
    return write_back("/sys/kernel/rcu_expedited")


def kernel_files(under):
    """Those that are not masked, which is to say /dev/null, with their modes."""
    for folder, folders, files in os.walk(under):
        if folder == "/proc":
            # Its own processes; and settings, whose secrets are those of its own network.
            folders[:] = [name for name in folders if not name.isdigit() and name not in ("self", "thread-self", "sys")]
        for name in files:
            mode = os.lstat(f"{folder}/{name}").st_mode
            if stat.S_ISREG(mode):
                yield f"{folder}/{name}", mode


def those_that_open(files, flags):
    found = []
    for path in files:
        try:
            os.close(os.open(path, flags | os.O_NONBLOCK))
            found.append(path)
        except OSError:
            pass
    if not found:
        raise Closed("none")
    return " ".join(found)


@attempt
def kernel_files_to_write(_):
    files = [*kernel_files("/proc"), *kernel_files("/sys")]
    return those_that_open((path for path, mode in files if mode & 0o222 and path != "/proc/mtrr"), os.O_WRONLY)


@attempt
def kernel_files_of_root(_):
    return those_that_open(
        (path for path, mode in kernel_files("/proc") if not mode & 0o044 and path != "/proc/kmsg"), os.O_RDONLY
    )


# Control groups


def own_groups():
    with open("/proc/self/mountinfo") as file:
        mounts = [line.split() for line in file]
    return [mount[4] for mount in mounts if mount[mount.index("-") + 1] in ("cgroup", "cgroup2")]


@attempt
def make_group(_):
    refused = OSError(errno.ENOENT, "no control groups are mounted")
    for group in own_groups():
        try:
            os.mkdir(f"{group}/mine")
            os.rmdir(f"{group}/mine")
            return f"made in {group}"
        except OSError as error:
            refused = error
    raise refused


@attempt
def lift_memory_limit(_):
    limits = [f"{group}/{name}" for group in own_groups() for name in ("memory.limit_in_bytes", "memory.max")]
    return write_back(next(filter(os.path.exists, limits), "/sys/fs/cgroup/memory.max"))


@attempt
def release_agent(_):
    with open("/proc/cgroups") as file:
        kinds = [line.split()[0] for line in file if not line.startswith("#") and line.split()[1] != "0"]
    if not kinds:
        raise OSError(errno.ENODEV, "no control groups of version 1")
    os.makedirs("/tmp/groups", exist_ok=True)
    call("mount", b"cgroup", b"/tmp/groups", b"cgroup", 0, kinds[-1].encode())
    return write_back("/tmp/groups/release_agent")
