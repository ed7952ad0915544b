"""What a function can see and do in its container; each entrypoint prints what its test reads."""

import os
import socket
import time

import modal

app = modal.App("contained")


@app.function()
def surroundings(leave: str = "") -> dict:
    """Who is around; leaves a file, and tells whether one was there."""
    seen = os.path.exists("/root/left-behind")
    if leave:
        for folder in ("/root", "/tmp", "/var/tmp", "/usr/local"):
            with open(f"{folder}/left-behind", "w") as file:
                file.write(leave)
    return {
        "task": os.environ["MODAL_TASK_ID"],
        "processes": len([name for name in os.listdir("/proc") if name.isdigit()]),
        "host": socket.gethostname(),
        "seen": seen,
    }


@app.function()
def reaches(address: str, port: int) -> str:
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError as error:
        return f"closed ({type(error).__name__})"
    return "open"


@app.function(memory=192)
def eats():
    hoard = []
    while True:
        hoard.append(bytearray(8 * 1024 * 1024))


@app.function()
def patient(seconds: float) -> str:
    print("it runs in", os.environ["MODAL_TASK_ID"], flush=True)
    time.sleep(seconds)
    return os.environ["MODAL_TASK_ID"]


@app.local_entrypoint()
def around():
    first = surroundings.remote("something")
    print("first", first)


@app.local_entrypoint()
def reach(targets: str):
    for target in targets.split(","):
        address, port = target.rsplit(":", 1)
        print(target, reaches.remote(address, int(port)))


@app.local_entrypoint()
def memory():
    eats.remote()


@app.local_entrypoint()
def wait(seconds: float = 5.0):
    print("answer from", patient.remote(seconds))
