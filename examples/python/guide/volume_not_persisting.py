"""The guide's "Volume data not persisting": what is written is nobody else's until it is committed.

Without `commit` it becomes so within some seconds, or when the container ends.
"""

import modal

app = modal.App("volume-not-persisting", image=modal.Image.debian_slim())

volume = modal.Volume.from_name("persisting", create_if_missing=True)


@app.function(volumes={"/data": volume})
def save_data_without_commit():
    with open("/data/forgotten.txt", "w") as f:
        f.write("data")
    return "forgotten.txt" in {entry.path for entry in volume.listdir("/")}


@app.function(volumes={"/data": volume})
def save_data():
    with open("/data/file.txt", "w") as f:
        f.write("data")
    volume.commit()
    return "file.txt" in {entry.path for entry in volume.listdir("/")}


@app.local_entrypoint()
def main():
    if "forgotten.txt" in {entry.path for entry in volume.listdir("/")}:
        volume.remove_file("forgotten.txt")  # of a run before
    print("Without a commit others see it:", save_data_without_commit.remote())
    print("With it:", save_data.remote())
