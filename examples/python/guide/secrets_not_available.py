"""
A function has the secrets that it names, and no others:

    modal secret create my-secret API_KEY=sk-...
    modal run examples/python/guide/secrets_not_available.py
"""

import os

import modal

app = modal.App("my-app")


@app.function(retries=0)
def wrong():
    return os.environ["API_KEY"]  # not injected


@app.function(secrets=[modal.Secret.from_name("my-secret")])
def use_secret():
    return os.environ["API_KEY"]


@app.local_entrypoint()
def main():
    try:
        wrong.remote()
    except KeyError as error:
        print("Without the secret:", repr(error))
    print("With it:", use_secret.remote())
