"""One container commits again and again, another one reloads, while what they stand on is killed, and they themselves."""

import os
import time

import modal

app = modal.App("volume_kills", image=modal.Image.debian_slim())
vol = modal.Volume.from_name(os.environ.get("VOLUME", "killed"), create_if_missing=True, version=2)
COMMITS = int(os.environ.get("COMMITS", "40"))


# A commit of so many bytes returns before it is made. Zeros need not be sent.
LARGE = 17 << 20


def write(name, text, size=None):
    with open(f"/data/{name}.new", "w") as file:
        file.write(text)
        file.truncate(size)
    os.rename(f"/data/{name}.new", f"/data/{name}")


def patiently(act):
    """A client of its own gives up when its worker is away for longer than some seconds, as on a machine that is busy."""
    for _ in range(60):
        try:
            return act()
        except modal.exception.ConnectionError as error:
            print(f"again: {error!r}", flush=True)
            time.sleep(0.5)
    raise AssertionError("nobody answers")


def read(name):
    return int(open(f"/data/{name}").read(20).rstrip("\0"))


@app.function(volumes={"/data": vol}, timeout=3600)
def commits(count):
    # Started again after a kill it goes on after what is there whole.
    begun = read("right") + 1 if os.path.exists("/data/right") else 0
    print(f"begins at {begun}", flush=True)
    for i in range(begun):
        assert read(f"file-{i}") == i
    for i in range(begun, count):
        # Of files that belong together no commit has but some: but for the last one of a container that was killed.
        write("left", str(i))
        write(f"file-{i}", str(i))
        if i % 3 == 0:
            write("large", str(i), LARGE)
        write("right", str(i))
        patiently(vol.commit)
        print(f"committed {i}", flush=True)
        time.sleep(0.05)


@app.function(volumes={"/data": vol}, timeout=3600)
def watches(last):
    seen = -1
    while seen < last:
        patiently(vol.reload)
        if os.path.exists("/data/right"):
            left, right = read("left"), read("right")
            assert 0 <= left - right <= 1, f"torn: {left} and {right}"
            if left != right:
                print(f"shows {left} in part", flush=True)
            assert read("large") in (left - left % 3, right - right % 3), f"{read('large')} with {right}"
            assert right >= seen, f"{right} after {seen}"
            seen = right
            assert all(os.path.exists(f"/data/file-{i}") for i in range(seen + 1)), f"a file is missing at {seen}"
        time.sleep(0.05)
    return seen


@app.local_entrypoint()
def main():
    watching = watches.spawn(COMMITS - 1)
    commits.remote(COMMITS)
    assert watching.get(timeout=120) == COMMITS - 1
    names = {entry.path for entry in vol.listdir("/")} - {"left.new", "right.new", "large.new"}
    assert names == {"left", "right", "large"} | {f"file-{i}" for i in range(COMMITS)}, names
    for i in range(COMMITS):
        assert b"".join(vol.read_file(f"file-{i}")) == str(i).encode()
    print("all is there", flush=True)
