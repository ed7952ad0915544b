"""
What a function may ask for, less accelerators, secrets, volumes and schedules. It is more than small machines have: there
the function gets what there is, and the client says so. `modal run examples/python/guide/function_configuration.py`
"""

import os

import modal

image = modal.Image.debian_slim()
app = modal.App("my-app")

# Most containers at a time; the older clients have another name for it.
limit = {"concurrency_limit" if modal.__version__.startswith("1.3.") else "max_containers": 10}


@app.function(
    cpu=4,  # CPU cores
    memory=16384,  # MiB
    timeout=3600,  # seconds that one attempt may take
    retries=3,  # attempts after one that failed
    image=image,
    **limit,
)
def my_function(number: int):
    return number * 2, os.environ["MODAL_TASK_ID"]


@app.local_entrypoint()
def main():
    results = list(my_function.map(range(20)))
    containers = {container for _, container in results}
    print([doubled for doubled, _ in results] == list(range(0, 40, 2)), "in at most 10 containers:", len(containers) <= 10)
