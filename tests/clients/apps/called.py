"""An image with a function that goes on until it is let go."""

import os
import pathlib
import time

import modal

app = modal.App("called")


def wait(name):
    print(name, "is called in", os.environ["MODAL_TASK_ID"])
    sign = pathlib.Path("waits")
    sign.touch()
    while sign.exists():
        time.sleep(0.01)
    pathlib.Path("/made").write_text(name)


@app.local_entrypoint()
def main(name: str):
    image = modal.Image.debian_slim(python_version="3.11").run_function(wait, args=(name,), force_build=True)
    print("image", image.build(app).object_id)
