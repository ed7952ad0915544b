"""What can be sent, reached and heard from a container's network; `target` is an address and a port."""

import os
import socket
import struct
import time

from .kernel import Closed, attempt, secret_in


@attempt
def reach(canaries):
    with socket.create_connection(canaries["target"], timeout=0.8) as connection:
        return secret_in(connection.recv(64), canaries)


def sum_of_ones(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def datagram(source, target, text):
    """An IPv4 packet with a UDP datagram, whose own checksum is left out."""
    address, port = target
    udp = struct.pack("!4H", 9, port, 8 + len(text), 0) + text
    ends = socket.inet_aton(source) + socket.inet_aton(address)
    head = struct.pack("!2B3H2BH", 0x45, 0, 20 + len(udp), 1, 0, 64, socket.IPPROTO_UDP, 0) + ends
    return head[:10] + struct.pack("!H", sum_of_ones(head)) + head[12:] + udp


def datagram_6(source, target, text):
    address, port = target
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, address)
    udp = struct.pack("!4H", 9, port, 8 + len(text), 0) + text
    checked = ends + struct.pack("!2I", len(udp), socket.IPPROTO_UDP) + udp + bytes(len(udp) % 2)
    udp = udp[:6] + struct.pack("!H", sum_of_ones(checked) or 0xFFFF) + udp[8:]
    return struct.pack("!IHBB", 6 << 28, len(udp), socket.IPPROTO_UDP, 64) + ends + udp


def host_link_address(gateway):
    """Of the other end of eth0, which the kernel knows once something was sent there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _ in range(100):
            any_socket.sendto(b"", (gateway, 9))
            with open("/proc/net/arp") as file:
                lines = [line.split() for line in file]
            for line in lines:
                if line[0] == gateway and line[2] == "0x2":
                    return bytes.fromhex(line[3].replace(":", ""))
            time.sleep(0.02)
    raise RuntimeError("the gateway has no link address")


def send_frame(canaries, kind, packet, to=None):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind(("eth0", 0))
        own = link.getsockname()[4]
        target = to or host_link_address(canaries["gateway"])
        link.send(target + own + struct.pack("!H", kind) + packet)
    return "sent"


@attempt
def send_as_another(canaries):
    packet = datagram(canaries["source"], canaries["target"], canaries["secret"].encode())
    return send_frame(canaries, 0x0800, packet)


@attempt
def send_ipv6(canaries):
    packet = datagram_6("fe80::77", canaries["target"], canaries["secret"].encode())
    return send_frame(canaries, 0x86DD, packet)


@attempt
def claim_addresses(canaries):
    """Says to the host by ARP that these addresses are at a link address of our choice."""
    for address in canaries["addresses"]:
        whose = bytes.fromhex("020000000066") + socket.inet_aton(address)
        gateway = socket.inet_aton(canaries["gateway"])
        for operation in (1, 2):
            body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + whose + bytes(6) + gateway
            send_frame(canaries, 0x0806, body, to=b"\xff" * 6)
    return "sent"


@attempt
def overhear(canaries):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as link:
        link.setsockopt(263, 1, struct.pack("iHH8s", socket.if_nametoindex("eth0"), 1, 0, b""))  # promiscuous
        link.settimeout(0.2)
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            try:
                if canaries["secret"].encode() in link.recv(65536):
                    return "heard what was for another"
            except TimeoutError:
                pass
    raise Closed("nothing of others")


def serve(secret, target, text):
    """A neighbour: says a secret to whoever comes to its port 7200, and sends a text again and again."""
    listener = socket.create_server(("0.0.0.0", 7200))
    if os.fork() == 0:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while True:
                out.sendto(text.encode(), target)
                time.sleep(0.05)
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(secret.encode())
