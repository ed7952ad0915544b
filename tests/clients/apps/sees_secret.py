"""A function with the secret that is named by the environment."""

import json
import os
import pathlib
import time

import modal

app = modal.App("sees-secret")

# In a container it is known by its id.
secret = modal.Secret.from_name(os.environ.get("SECRET", "any"))


@app.function(secrets=[secret])
def see(keys):
    return [os.environ.get(key) for key in keys]


@app.function(secrets=[secret])
def wait():
    sign = pathlib.Path("waits")
    sign.touch()
    print("it waits", flush=True)
    while sign.exists():
        time.sleep(0.02)
    return len(os.environ["CANARY"])


@app.local_entrypoint()
def main(keys: str):
    print("seen", json.dumps(see.remote(keys.split(","))))


@app.local_entrypoint()
def waits():
    wait.remote()
