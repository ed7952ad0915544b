"""Functions that do to their container what they can; each tells how far it came."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time

import modal

app = modal.App("hostile")


@app.function(cpu=0.25)
def fine(number: int) -> int:
    return number * 2


@app.function(memory=(512, 512), cpu=0.5, scaledown_window=2)
def bomb() -> str:
    """A fork bomb, left behind as it grows."""
    subprocess.Popen(["sh", "-c", "b() { b | b & }; b"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len([name for name in os.listdir("/proc") if name.isdigit()]) < 100:
        time.sleep(0.001)
    return "it grows"


@app.function(memory=(512, 512), cpu=0.5, scaledown_window=2)
def threads() -> str:
    """As many as there can be; processes and threads share one limit."""
    count = 0
    end = threading.Event()
    try:
        while True:
            threading.Thread(target=end.wait, daemon=True).start()
            count += 1
    except RuntimeError as error:
        end.set()
        return f"{count} threads, then: {error}"


@app.function(cpu=0.5, scaledown_window=2)
def zombies() -> str:
    """Children that nobody waits for, and orphans that only an init could wait for."""
    for _ in range(100):
        if os.fork() == 0:
            os._exit(0 if os.fork() == 0 else 1)

    def count() -> dict[str, int]:
        found = {"mine": 0, "others": 0}
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            with open(f"/proc/{name}/stat") as file:
                state, parent = file.read().rsplit(")", 1)[1].split()[:2]
            if state == "Z":
                found["mine" if parent == str(os.getpid()) else "others"] += 1
        return found

    for _ in range(1000):
        try:
            if (found := count()) == {"mine": 100, "others": 0}:
                break
        except (FileNotFoundError, ProcessLookupError):
            pass  # it was waited for in this moment
        time.sleep(0.01)
    return f"{found['mine']} zombies of its own, {found['others']} others"


@app.function(cpu=0.5, scaledown_window=2)
def files() -> str:
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(10_000)]
    return f"{len(held)} open files"


@app.function(scaledown_window=2)
def limits() -> str:
    names = ["RLIMIT_NOFILE", "RLIMIT_CORE"]
    return ", ".join(f"{name} {resource.getrlimit(getattr(resource, name))}" for name in names)


@app.function(memory=(512, 512), cpu=0.5, scaledown_window=2)
def child_without_memory() -> str:
    eats = "hoard = []\nwhile True: hoard.append(bytearray(8 << 20))"
    return f"the child ended with {subprocess.run([sys.executable, '-c', eats]).returncode}"


@app.function(cpu=0.5, scaledown_window=2)
def kills_everybody():
    subprocess.run(["sh", "-c", "kill -9 -1"])
    time.sleep(600)


@app.function(cpu=0.5, scaledown_window=2, timeout=2, startup_timeout=60)
def closes_everything():
    os.closerange(0, 65536)
    time.sleep(600)


@app.function(memory=(128, 128), cpu=0.5, scaledown_window=2)
def shared_memory():
    with open("/dev/shm/file", "wb") as file:
        while True:
            file.write(b"x" * (1 << 20))


@app.function(cpu=0.5, scaledown_window=2)
def talkative() -> str:
    for _ in range(200):
        os.write(1, (b"x" * 1023 + b"\n") * 1024)
    return "200 MiB said"


@app.function()
def stays():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("it runs", flush=True)
    time.sleep(600)


@app.local_entrypoint()
def main(names: str):
    for name in names.split(","):
        try:
            print(f"{name}: {globals()[name].remote()}")
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {error}")
        print("the next call answers", fine.remote(21))
