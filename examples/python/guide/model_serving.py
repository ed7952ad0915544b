"""The guide's model behind an endpoint: a class that loads once per container, with a volume for what it loads. The model is a small one."""

import json
import os

import modal

app = modal.App("ml-model-server")

image = modal.Image.debian_slim(python_version="3.11").pip_install("fastapi==0.116.1")

volume = modal.Volume.from_name("model-cache", create_if_missing=True)


def from_pretrained(name: str, cache_dir: str) -> dict[str, int]:
    """Stands for what downloads a model, unless the cache has it."""
    path = os.path.join(cache_dir, f"{name}.json")
    if not os.path.exists(path):
        with open(path, "w") as file:
            json.dump({"good": 1, "great": 2, "bad": -1}, file)
        volume.commit()
    with open(path) as file:
        return json.load(file)


@app.cls(image=image, volumes={"/cache": volume})
class ModelServer:
    @modal.enter()
    def load_model(self):
        """Load model once on container startup"""
        self.model = from_pretrained("mood-base", cache_dir="/cache")

    @modal.method()
    def predict(self, text: str):
        """Inference method"""
        return sum(self.model.get(word, 0) for word in text.split())


@app.function(image=image)
@modal.fastapi_endpoint(method="POST")
def predict_endpoint(text: str):
    """HTTP endpoint for predictions"""
    server = ModelServer()
    result = server.predict.remote(text)
    return {"prediction": result}
