"""The guide's first function: `modal run examples/python/guide/quick_start.py`."""

import modal

app = modal.App("my-app")


@app.function()
def hello(name: str):
    return f"Hello {name}!"


# Run locally
@app.local_entrypoint()
def main():
    result = hello.remote("World")
    print(result)
