"""A container that waits, for commands to be run in it."""

import os

import modal
import signs

image = modal.Image.debian_slim().env({"OF_THE_IMAGE": "yes"}).add_local_python_source("signs")
app = modal.App("commanded", image=image)


@app.function(secrets=[modal.Secret.from_dict({"OF_A_SECRET": "hush"})])
def waits():
    print("waits in", os.environ["MODAL_TASK_ID"])
    signs.pause()


@app.local_entrypoint()
def main():
    waits.remote()
