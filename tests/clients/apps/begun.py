"""Tells what a function finds around it, so that one that began in a starter can be compared with one that did not."""

import gc
import json
import os
import signal
import sys

import modal
import signs

image = modal.Image.debian_slim().add_local_python_source("signs")
app = modal.App("begun", image=image)
volume = modal.Volume.from_name("begun", create_if_missing=True, version=2)


def files(folder: str) -> list[str]:
    return sorted(os.path.join(where, name) for where, _, names in os.walk(folder) for name in names if ".pyc" not in name)


def group(name: str) -> str:
    with open(f"/proc/self/{name}") as file:
        return file.read()


def written() -> str:
    """What is in the volume when a file was written, committed and shown again."""
    with open("/data/file", "w") as file:
        file.write("written")
    volume.commit()
    volume.reload()
    with open("/data/file") as file:
        return file.read()


@app.function(memory=(128, 900), cpu=(0.5, 1), volumes={"/data": volume})
def around() -> dict:
    told = {"MODAL_TASK_ID", "MODAL_IMAGE_ID"}
    variables = {name: value for name, value in os.environ.items() if name not in told}
    if not os.path.exists("/root/left"):
        open("/root/left", "w").close()
    return {
        "began in a starter": "/starter.py" in group("cmdline"),
        "variables": variables,
        "files": files("/root") + files("/tmp") + files("/var/tmp"),
        "volume": written(),
        "arguments": sys.argv,
        "path": sys.path,
        "main": sys.modules["__main__"].__file__,
        "modules": sorted(name for name in sys.modules if not name.startswith("encodings")),
        "folder": os.getcwd(),
        "umask": os.umask(0o022),
        "limits": group("limits"),
        "signals": [getattr(signal.getsignal(number), "__qualname__", None) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)],
        "oom": group("oom_score_adj"),
        "collects": gc.isenabled(),
        "open": sorted(os.path.basename(name) for name in os.listdir("/proc/self/fd") if int(name) < 3),
    }


@app.function(memory=(128, 200))
def greedy() -> int:
    """Wants more memory than it may have."""
    return len(b"x" * 400 * 2**20)


@app.function()
def wait() -> str:
    me = os.environ["MODAL_TASK_ID"]
    print("it runs in", me)
    signs.pause()
    return f"{me} {'/starter.py' in group('cmdline')}"


@app.local_entrypoint()
def compare():
    print(json.dumps(around.remote()))


@app.local_entrypoint()
def eat():
    greedy.remote()


@app.local_entrypoint()
def main():
    print("answer from", wait.remote())
