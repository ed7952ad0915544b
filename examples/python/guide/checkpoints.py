"""The guide's training with checkpoints, of a model that needs no GPU: every tenth epoch is kept, and the next run goes on."""

import json
import os

import modal

app = modal.App("training-with-checkpoints", image=modal.Image.debian_slim())

volume = modal.Volume.from_name("training-checkpoints", create_if_missing=True)


def train_one_epoch(model: dict, epoch: int):
    model["weights"] = [weight + epoch for weight in model["weights"]]


@app.function(volumes={"/checkpoints": volume}, timeout=86400)  # 24 hours
def train_model(config: dict):
    saved = sorted(int(name[len("epoch_") : -len(".json")]) for name in os.listdir("/checkpoints"))
    model = json.load(open(f"/checkpoints/epoch_{saved[-1]}.json")) if saved else {"weights": [0, 1]}
    first = saved[-1] + 1 if saved else 0

    for epoch in range(first, config["epochs"]):
        train_one_epoch(model, epoch)

        # Save checkpoint
        if epoch % 10 == 0:
            with open(f"/checkpoints/epoch_{epoch}.json", "w") as f:
                json.dump(model, f)
            volume.commit()

    return f"Training complete: from epoch {first} to {model['weights']}"


@app.local_entrypoint()
def main():
    for entry in volume.listdir("/"):
        volume.remove_file(entry.path)  # of a run before
    print(train_model.remote({"epochs": 15}))
    print("Kept:", sorted(entry.path for entry in volume.listdir("/")))
    print(train_model.remote({"epochs": 25}))
    print("Kept:", sorted(entry.path for entry in volume.listdir("/")))
