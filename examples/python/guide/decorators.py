"""The guide's table of decorators, less its GPUs: `modal run examples/python/guide/decorators.py --name Ada`."""

import modal

app = modal.App("my-app")


@app.function()
def greeting(name: str):
    return f"Hello {name}!"


@app.cls()
class Counter:
    @modal.method()
    def letters(self, text: str):
        return len(text)


@app.local_entrypoint()
def main(name: str = "World"):
    text = greeting.remote(name)
    print(f"{text} That is {Counter().letters.remote(text)} characters.")
