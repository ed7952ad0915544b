"""What programs in other languages call: arguments and results travel as CBOR."""

import datetime
import os
import time

import modal

app = modal.App("foreign")

if modal.is_local():
    for name in ("foreign", "foreign-deleted"):
        modal.Secret.objects.create(name, {"FOREIGN": "a name's"}, allow_existing=True)

VALUES = {
    "none": None,
    "booleans": [True, False],
    "integers": [0, -1, 23, 24, 255, 65536, 2**31, 2**53, 2**63, -(2**63), 2**64, 2**100, -(2**100)],
    "floats": [0.5, -1.5, 1e300, float("inf")],
    "text": ["", "ünïcödé \N{SNOWMAN} \U0001f600", "nul\0inside"],
    "bytes": [b"", bytes(range(256))],
    "nested": {"list": [1, [2, [3, []]]], "dict": {"a": {"b": {}}}},
    "tuple": (1, "two"),
    "time": datetime.datetime(2024, 2, 29, 12, 30, 59, 500_000, tzinfo=datetime.timezone.utc),
}


@app.function(max_containers=1)
@modal.concurrent(max_inputs=20)
def echo(*args, **kwargs):
    """What has come, and how it looks here."""
    return {"args": list(args), "kwargs": kwargs, "seen": [repr(arg) for arg in args]}


@app.function(max_containers=1, retries=0)
def act(how: str):
    match how:
        case "values":
            return VALUES
        case "fail":
            raise ValueError("as it was asked to")
        case "wait":
            time.sleep(600)
        case "not CBOR":
            return object()
        case "large":
            return bytes(5 * 1024 * 1024)


@app.cls(max_containers=1)
class Typed:
    number: int = modal.parameter()
    text: str = modal.parameter(default="ünïcödé ☃")
    flag: bool = modal.parameter(default=False)
    data: bytes = modal.parameter(default=b"\0\xff")

    @modal.method()
    def tell(self, more: int = 0):
        return [self.number + more, self.text, self.flag, self.data]

    @modal.method()
    def see(self, *names):
        return [os.environ.get(name) for name in names]

    @modal.method()
    def pass_on(self, name: str):
        queue = modal.Queue.from_name(name)
        item = queue.get(timeout=60)
        queue.put({"answer": repr(item)})

    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]
