"""
A volume keeps files between containers, and is filled and read from outside as well:

    modal run examples/python/guide/volumes.py
    modal volume ls my-volume
    modal volume get my-volume model/weights.bin -
"""

import io
import pathlib

import modal

app = modal.App("volumes")
volume = modal.Volume.from_name("my-volume", create_if_missing=True, version=2)


@app.function(volumes={"/models": volume})
def train():
    folder = pathlib.Path("/models/model")
    folder.mkdir(exist_ok=True)
    (folder / "weights.bin").write_bytes(b"0" * 1000)
    volume.commit()  # from here on others can see it; it would be committed at the container's end, too


@app.function(volumes={"/models": volume})
def predict():
    volume.reload()  # a container that runs for longer sees others' commits when it asks for them
    return len(pathlib.Path("/models/model/weights.bin").read_bytes())


@app.function(volumes={"/models": volume})
def reads_while_open():
    with open("/models/model/weights.bin", "rb") as file:
        file.read(1)
        with volume.batch_upload(force=True) as batch:
            batch.put_file(io.BytesIO(b"new"), "/model/note.txt")
        try:
            volume.reload()
        except RuntimeError as error:
            told = "open files" in str(error)
    volume.reload()
    return told, pathlib.Path("/models/model/note.txt").read_text()


@app.local_entrypoint()
def main():
    train.remote()
    print("weights:", predict.remote())
    with volume.batch_upload(force=True) as batch:
        batch.put_file(io.BytesIO(b"from here"), "/notes/local.txt")
    print("from outside:", b"".join(volume.read_file("notes/local.txt")).decode())
    told, text = reads_while_open.remote()
    print("a reload with open files is refused:", told, "and once they are closed it shows:", text)
