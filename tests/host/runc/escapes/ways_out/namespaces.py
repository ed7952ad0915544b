"""Namespaces and mounts."""

import errno
import os
import signal
import struct

from .kernel import attempt, call, reaches, secret_in

new_user, new_mounts = 0x10000000, 0x00020000



@attempt
def own_user_namespace(_):
    call("unshare", new_user | new_mounts)
    call("mount", b"none", b"/mnt", b"tmpfs", 0, None)
    return "mounted in a namespace of its own"


@attempt
def clone_user_namespace(_):
    if call("clone", new_user | signal.SIGCHLD, 0, 0, 0, 0) == 0:
        os._exit(0)
    return "cloned"


@attempt
def clone3_user_namespace(_):
    if call("clone3", struct.pack("8Q", new_user, 0, 0, 0, signal.SIGCHLD, 0, 0, 0), 64) == 0:
        os._exit(0)
    return "cloned"


@attempt
def mount(_):
    call("mount", b"none", b"/mnt", b"tmpfs", 0, None)
    return "mounted"


@attempt
def mount_by_descriptor(_):
    return f"descriptors {call('fsopen', b'tmpfs', 0)} and {call('open_tree', -100, b'/usr', 1)}"


@attempt
def take_off_mounts(_):
    call("umount2", b"/dev/mqueue", 0)
    return "what was mounted is off"


@attempt
def make_mounts_writable(_):
    remount, bind = 32, 4096
    call("mount", None, b"/etc/hosts", None, remount | bind, None)
    return "writable"


@attempt
def pivot_root(_):
    return reaches(lambda: call("pivot_root", b"/", b"/"), errno.EBUSY, errno.EINVAL)


@attempt
def chroot_and_climb(canaries):
    os.makedirs("/tmp/jail/cell", exist_ok=True)
    with open("/tmp/outside-of-jail", "w"):
        pass
    os.chroot("/tmp/jail")
    os.chdir("/")
    os.chroot("cell")
    for _ in range(64):
        os.chdir("..")
    os.chroot(".")
    if not os.path.exists("/tmp/outside-of-jail"):
        raise RuntimeError("the attempt does not even leave its own jail")
    with open(canaries["file"], "rb") as file:
        return secret_in(file.read(), canaries)


@attempt
def enter_host_namespace(canaries):
    call("setns", os.open(f"/proc/{canaries['pid']}/ns/mnt", os.O_RDONLY), new_mounts)
    with open(canaries["file"], "rb") as file:
        return secret_in(file.read(), canaries)


@attempt
def open_by_handle(canaries):
    """A file of the host by its number, by way of any descriptor on the same file system."""
    via = os.open("/run/lydian/door", os.O_RDONLY)
    fd = call("open_by_handle_at", via, bytes.fromhex(canaries["handle"]), os.O_RDONLY)
    return secret_in(os.read(fd, 4096), canaries)
