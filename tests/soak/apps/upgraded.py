"""A deployed app whose containers are at work while the platform is upgraded under them."""

import os
import sys
import time

import modal

app = modal.App("upgraded")
volume = modal.Volume.from_name("upgraded", create_if_missing=True)


@app.function(
    min_containers=1,
    volumes={"/data": volume},
    secrets=[modal.Secret.from_dict({"WORD": "kept"})],
    schedule=modal.Cron("0 0 1 1 *"),
)
@modal.concurrent(max_inputs=4)
def work(seconds: int = 0) -> tuple:
    print("begins", seconds)
    with open(f"/data/{seconds}", "w") as file:
        file.write(os.environ["WORD"])
    time.sleep(seconds)
    volume.commit()
    return os.environ["MODAL_TASK_ID"], os.environ["WORD"]


if __name__ == "__main__":
    of = modal.Function.from_name("upgraded", "work")
    if sys.argv[1] == "spawn":
        print(of.remote()[0], of.spawn(int(sys.argv[2])).object_id)
    else:
        print(*modal.FunctionCall.from_id(sys.argv[2]).get(), of.remote()[0])
