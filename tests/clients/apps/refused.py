"""Asks for what this version does not have yet: nothing of it may seem to work."""

import os

import modal

app = modal.App("refused")

wish = os.environ.get("WISH")
options = {}
if wish == "gpu":
    options["gpu"] = "H100"


@app.function(**options)
def work():
    print("WORKED")


@app.local_entrypoint()
def main():
    work.remote()
