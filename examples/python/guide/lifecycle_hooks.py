"""What a class does once per container, and what per call: `modal run examples/python/guide/lifecycle_hooks.py`."""

import modal

app = modal.App("my-app")


class HeavyModel:
    """Stands for something that takes long to load."""

    def predict(self, data):
        return f"prediction for {data}"

    def cleanup(self):
        print("The model is cleaned up.")


def load_heavy_model():
    print("The model is loaded.")
    return HeavyModel()


@app.cls()
class MyModel:
    @modal.enter()
    def load_model(self):
        """Called once when container starts"""
        self.model = load_heavy_model()

    @modal.method()
    def predict(self, data):
        """Called for each inference"""
        return self.model.predict(data)

    @modal.exit()
    def cleanup(self):
        """Called when container shuts down"""
        self.model.cleanup()


@app.local_entrypoint()
def main():
    model = MyModel()
    for data in ("a cat", "a dog"):
        print(model.predict.remote(data))
