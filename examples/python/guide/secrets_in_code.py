"""
Secrets by name, made beforehand:

    modal secret create openai-secret OPENAI_API_KEY=sk-...
    modal secret create aws-credentials AWS_ACCESS_KEY_ID=AKIA... AWS_SECRET_ACCESS_KEY=...
    modal run examples/python/guide/secrets_in_code.py
"""

import modal

app = modal.App("my-app")


@app.function(
    secrets=[
        modal.Secret.from_name("openai-secret"),
        modal.Secret.from_name("aws-credentials", required_keys=["AWS_ACCESS_KEY_ID"]),
    ]
)
def my_function():
    import os

    api_key = os.environ["OPENAI_API_KEY"]
    aws_key = os.environ["AWS_ACCESS_KEY_ID"]
    assert api_key and aws_key
    return "Secrets loaded"


@app.local_entrypoint()
def main():
    print(my_function.remote())
