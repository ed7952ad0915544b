"""A container that mounts buckets and does what it is told; the test's other half is in cloud-bucket.test.ts."""

import errno
import hashlib
import os
import sys
import time

import modal

app = modal.App("cloud_bucket", image=modal.Image.debian_slim())
KEY = modal.Secret.from_dict({"AWS_ACCESS_KEY_ID": "key-of-the-bucket", "AWS_SECRET_ACCESS_KEY": "kept-from-containers"})
ENDPOINT = os.environ.get("ENDPOINT")


def bucket(**options):
    return modal.CloudBucketMount("data", bucket_endpoint_url=ENDPOINT, secret=KEY, **options)


@app.function(
    volumes={"/all": bucket(), "/part": bucket(key_prefix="models/", read_only=True)},
    block_network=True,
    max_containers=1,
    scaledown_window=300,
)
def does(step):
    return globals()[step]()


def writes():
    assert sorted(os.listdir("/all")) == ["models"], os.listdir("/all")
    os.makedirs("/all/notes")
    with open("/all/notes/first.txt", "w") as file:
        file.write("from a container")
    with open("/all/large", "wb") as file:
        for i in range(32):
            file.write(bytes([i]) * 2**20)
    digest = hashlib.sha256(open("/all/large", "rb").read()).hexdigest()
    with open("/all/large", "rb") as file:
        file.seek(31 * 2**20)
        assert file.read(1) == bytes([31])
    assert open("/part/weights").read() == "what was learnt"
    assert os.stat("/all/large").st_size == 32 * 2**20 and os.stat("/all").st_uid == 0
    return digest


def is_refused():
    for path, mode in (("/part/new", "w"), ("/all/large", "a")):
        try:
            with open(path, mode) as file:
                file.write("x")
        except OSError as error:
            print(f"{path} is refused: {error}", flush=True)
        else:
            raise AssertionError(f"{path} was written to")
    return "refused"


def sees_no_key():
    places = [open(f"/proc/{pid}/environ", "rb").read() for pid in os.listdir("/proc") if pid.isdigit()]
    places += [open("/proc/mounts", "rb").read(), repr(os.environ).encode()]
    assert not any(b"kept-from-containers" in place for place in places)
    return "none"


def is_there():
    for _ in range(200):  # while its process is started again
        try:
            os.listdir("/all"), os.listdir("/part")
            break
        except OSError as error:
            assert error.errno == errno.ENOTCONN, error
            time.sleep(0.1)
    assert open("/all/notes/first.txt").read() == "from a container"
    assert open("/part/weights").read() == "what was learnt"
    with open("/all/notes/again.txt", "w") as file:
        file.write("written again")
    return os.environ["MODAL_TASK_ID"]


@app.local_entrypoint()
def main():
    for line in sys.stdin:
        if line == "end\n":
            break
        print(f"{line.strip()}: {does.remote(line.strip())}", flush=True)


lost = modal.App("lost_bucket", image=modal.Image.debian_slim())


@lost.function(volumes={"/b": modal.CloudBucketMount(os.environ.get("BUCKET", "none"), bucket_endpoint_url=ENDPOINT, secret=KEY)})
def sees():
    return os.listdir("/b")


@lost.local_entrypoint()
def tries():
    print(sees.remote())


refused = modal.App("refused_bucket", image=modal.Image.debian_slim())


@refused.function(volumes={"/b": modal.CloudBucketMount("data", oidc_auth_role_arn="arn:aws:iam::1:role/one")})
def has_role():
    pass


@refused.local_entrypoint()
def is_refused_at_once():
    has_role.remote()
