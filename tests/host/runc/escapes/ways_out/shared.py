"""What is shown to a container, what may have been left open, and what is shared by name."""

import ctypes
import errno
import fcntl
import os
import socket
import struct

from .kernel import Closed, attempt, call, libc, reaches, secret_in



@attempt
def write_shown_files(_):
    folders = ["/run/lydian/files", "/pkg"]
    files = ["/etc/hostname", "/etc/resolv.conf", *(f"{folder}/fresh" for folder in folders)]
    files += [f"{at}/{name}" for folder in folders for at, _, names in os.walk(folder) for name in names]
    for path in files:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
            return f"{path} can be written"
        except OSError as error:
            refused = error
    raise refused


def strangers(pid="self"):
    """Descriptors that are neither streams nor what this program opened in its own root."""
    found = []
    folder = f"/proc/{pid}/fd"
    for fd in os.listdir(folder) if os.access(folder, os.R_OK) else ():
        try:
            target = os.readlink(f"{folder}/{fd}")
        except OSError:
            continue  # that by which it looks
        if int(fd) > 2 and not target.startswith(("pipe:", "/proc/")):
            found.append(f"{pid}:{fd} -> {target}")
    return found


@attempt
def left_open_descriptors(canaries):
    found = canaries["descriptors"]
    planted = os.open("/", os.O_RDONLY)
    if not any(f":{planted} -> /" in line for line in strangers()):
        raise RuntimeError("the attempt does not even find its own")
    cwd = os.readlink("/proc/self/cwd")
    if not os.path.samefile(cwd, "."):
        found = [*found, f"cwd -> {cwd}"]
    if not found:
        raise Closed("none")
    return " ".join(found)




@attempt
def host_shared_memory(canaries):
    libc.shmat.restype = ctypes.c_void_p
    address = libc.shmat(canaries["shm"], None, 0o10000)
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return secret_in(ctypes.string_at(address, 64), canaries)


@attempt
def host_message_queue(canaries):
    return f"descriptor {call('mq_open', canaries['queue'].encode(), os.O_RDONLY | os.O_NONBLOCK, 0, None)}"


@attempt
def host_shared_files(canaries):
    with open(f"/dev/shm/{canaries['queue']}", "rb") as file:
        return secret_in(file.read(), canaries)


def ask(family, address, canaries):
    with socket.socket(family) as connection:
        connection.settimeout(2)
        connection.connect(address)
        return secret_in(connection.recv(64), canaries)


@attempt
def host_abstract_socket(canaries):
    return ask(socket.AF_UNIX, f"\0{canaries['abstract']}", canaries)


@attempt
def door_of_another(canaries):
    return ask(socket.AF_UNIX, f"/run/lydian/door/{canaries['door']}", canaries)


@attempt
def host_loopback(canaries):
    return ask(socket.AF_INET, ("127.0.0.1", canaries["port"]), canaries)


@attempt
def vsock(_):
    return f"socket {socket.socket(40, socket.SOCK_STREAM).fileno()}"


@attempt
def kernel_crypto_socket(_):
    return f"socket {socket.socket(38, socket.SOCK_SEQPACKET).fileno()}"


@attempt
def families_by_socketpair(_):
    pair = (ctypes.c_int * 2)()

    def make():
        if libc.socketpair(40, socket.SOCK_STREAM, 0, pair) == -1:
            raise OSError(ctypes.get_errno(), "")

    return reaches(make, errno.EOPNOTSUPP)


@attempt
def write_audit_log(_):
    user_message, request_and_ack, text = 1005, 5, b"lydian: a test of escapes"
    connection = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)
    connection.settimeout(2)
    connection.sendto(struct.pack("IHHII", 16 + len(text), user_message, request_and_ack, 1, 0) + text, (0, 0))
    refusal = -struct.unpack_from("i", connection.recv(4096), 16)[0]
    if refusal:
        raise OSError(refusal, os.strerror(refusal))
    return "written"


@attempt
def hear_device_events(_):
    """The host has one of its devices make an event every now and then."""
    connection = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)
    connection.bind((0, 1))
    connection.settimeout(0.5)
    return f"heard {connection.recv(4096)[:40]!r}"


@attempt
def set_up_links(_):
    get_mtu, set_mtu = 0x8921, 0x8922
    with socket.socket() as any_socket:
        asked = fcntl.ioctl(any_socket, get_mtu, struct.pack("16si12x", b"lo", 0))
        fcntl.ioctl(any_socket, set_mtu, asked)
    return "the link is set up"
