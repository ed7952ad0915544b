"""What a function can see and do in its container; each entrypoint prints what its test reads."""

import concurrent.futures
import json
import os
import pathlib
import socket

import modal
import signs

image = modal.Image.debian_slim().add_local_python_source("signs")
app = modal.App("contained", image=image)

me = os.environ.get("MODAL_TASK_ID", "")
folders = ["/root", "/tmp", "/var/tmp", "/dev/shm", "/usr/local", "/"]


def mount_points() -> list[str]:
    return [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]


def gateway() -> str:
    """The host's address, as the container knows it."""
    for line in pathlib.Path("/proc/net/route").read_text().splitlines()[1:]:
        _, destination, address, *_ = line.split()
        if destination == "00000000":
            return socket.inet_ntoa(bytes.fromhex(address)[::-1])
    raise AssertionError("there is no way out")


def own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((gateway(), 9))
        return probe.getsockname()[0]


@app.function()
def surroundings(path: str) -> dict:
    return {
        "task": me,
        "pid": os.getpid(),
        "processes": [int(name) for name in os.listdir("/proc") if name.isdigit()],
        "host": socket.gethostname(),
        "user": os.getuid(),
        "users": [int(word) for word in pathlib.Path("/proc/self/uid_map").read_text().split()],
        "mounts": mount_points(),
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "sees": os.path.exists(path),
    }


@app.function(max_containers=2)
def leaves() -> list[str]:
    """Leaves files, waits until it is let go on, and answers which others are there."""
    for folder in folders:
        pathlib.Path(folder, f"left-by-{me}").touch(exist_ok=False)
    print("it runs in", me)
    signs.pause()
    return [str(path) for folder in folders for path in pathlib.Path(folder).glob("left-by-*") if me not in path.name]


@app.function()
def serves():
    """Listens on all its addresses until it is let go on."""
    with socket.create_server(("0.0.0.0", 8000)):
        print(f"{me} listens at {own_address()}:8000")
        signs.pause()


@app.function()
def reaches(targets: list[str]) -> dict[str, str]:
    def reach(target: str) -> str:
        address, port = target.rsplit(":", 1)
        try:
            socket.create_connection((gateway() if address == "gateway" else address, int(port)), timeout=2).close()
        except OSError as error:
            return f"closed ({type(error).__name__})"
        return "open"

    with concurrent.futures.ThreadPoolExecutor(len(targets)) as pool:
        return dict(zip(targets, pool.map(reach, targets)))


@app.function(memory=(192, 192))
def eats():
    hoard = []
    while True:
        hoard.append(bytearray(8 * 1024 * 1024))


@app.local_entrypoint()
def around(path: str):
    print(json.dumps(surroundings.remote(path)))


@app.local_entrypoint()
def apart():
    """Two containers of one function at the same time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        print(json.dumps([call.result() for call in [pool.submit(leaves.remote) for _ in range(2)]]))


@app.local_entrypoint()
def reach(targets: str):
    print(json.dumps(reaches.remote(targets.split(","))))


@app.local_entrypoint()
def memory():
    eats.remote()
