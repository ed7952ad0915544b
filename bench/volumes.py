"""Times of commits, reloads and reads of volumes inside of containers; bench/volumes.ts runs it and prints a table."""

import json
import os
import shutil
import subprocess
import time

import modal

app = modal.App("bench-volumes", image=modal.Image.debian_slim())
volume = modal.Volume.from_name("bench", create_if_missing=True, version=2)
FILES = int(os.environ.get("BENCH_FILES", "10000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
STARTS = int(os.environ.get("BENCH_STARTS", "15"))
MIB = int(os.environ.get("BENCH_MIB", "2048"))

# A process that only looks at the clock: its longest gap is how long the container stood still.
watcher = """
import signal, sys, time
worst, last = 0.0, time.perf_counter()
done = False
def end(*_):
    global done
    done = True
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
last = time.perf_counter()
while not done:
    now = time.perf_counter()
    worst, last = max(worst, now - last), now
print(worst)
"""


def timed(work):
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def watched(work):
    watching = subprocess.Popen(["python3", "-c", watcher], stdout=subprocess.PIPE, text=True)
    watching.stdout.readline()
    time.sleep(0.1)
    took = timed(work)
    watching.terminate()
    return took, float(watching.communicate()[0]) * 1000


def idle_gap(ms):
    """How long the container stands still in such a time when nothing is asked of it: what others on the machine do."""
    return watched(lambda: time.sleep(ms / 1000))[1]


def spread(folder):
    os.makedirs(folder)
    for i in range(FILES):
        with open(f"{folder}/{i}", "wb") as file:
            file.write(b"x" * 500 + str(i).encode())


def large(path):
    block = os.urandom(8 << 20)
    with open(path, "wb") as file:
        for i in range(MIB // 8):
            file.write(i.to_bytes(8, "big") + block[8:])


def copied(source):
    return timed(lambda: subprocess.run(f"cp -a {source} /tmp/copy && sync", shell=True, check=True))


def read(path, cold):
    if cold:
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
    return timed(lambda: subprocess.run(["dd", f"if={path}", "of=/dev/null", "bs=1M", "status=none"], check=True))


@app.function(volumes={"/data": volume}, timeout=1800, cpu=2)
def writes(name, make):
    """How long a commit takes, how long the container stands still, how long a copy takes, and until others see the commit."""
    {"many": spread, "large": large}[make](f"/data/{name}")
    took, still = watched(volume.commit)
    there = timed(volume.reload)  # what has returned may be on its way: a copy beside it would take longer
    found = {"commit": took, "still": still, "seen": took + there, "idle": idle_gap(took)}
    found["copy"] = copied(f"/data/{name}")
    if make == "large":
        for how in ("cold", "warm"):
            pairs = [(read("/data/large", how == "cold"), read("/tmp/copy", how == "cold")) for _ in range(3)]
            found[how] = sorted(pairs, key=lambda pair: pair[0] / pair[1])[1]
    shutil.rmtree("/tmp/copy") if make == "many" else os.remove("/tmp/copy")
    return found


@app.function(volumes={"/data": volume}, timeout=1800)
def reloads():
    took, still = watched(volume.reload)
    return {"took": took, "still": still, "idle": idle_gap(took)}


@app.function(single_use_containers=True)
def starts_bare():
    pass


@app.function(volumes={"/data": modal.Volume.from_name("bench-wide", create_if_missing=True)}, single_use_containers=True)
def starts_wide():
    return len(os.listdir("/data"))


@app.local_entrypoint()
def main():
    found = {"many": [], "large": [], "soon": [], "later": [], "later large": [], "bare": [], "wide": []}
    reloads.remote()
    for round in range(ROUNDS):
        found["many"].append(writes.remote(f"many-{round}", "many"))
        # The worker makes a layer of a commit when it is made.
        found["soon" if round % 2 == 0 else "later"].append((time.sleep(3 * (round % 2)), reloads.remote())[1])
    found["large"].append(writes.remote("large", "large"))
    time.sleep(3)
    found["later large"].append(reloads.remote())
    found["first wide"] = timed(starts_wide.remote) if STARTS > 0 else 0
    for _ in range(STARTS):
        for name, starts in (("bare", starts_bare), ("wide", starts_wide)):
            time.sleep(1)  # until a starter waits again
            found[name].append(timed(starts.remote))
    print(json.dumps(found), flush=True)
