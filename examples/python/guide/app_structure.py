"""An app bundles functions, classes and configuration: `modal run examples/python/guide/app_structure.py`."""

import modal

app = modal.App("my-app")


@app.function()
def my_function():
    return "Hello"


@app.cls()
class MyClass:
    @modal.method()
    def my_method(self):
        return "World"


@app.local_entrypoint()
def main():
    print(my_function.remote(), MyClass().my_method.remote())
