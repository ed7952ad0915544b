"""Images of their own for an app that is deployed and for one that is not, each with a file that says how it was made."""

import modal

slim = modal.Image.debian_slim(python_version="3.11")


def made(word):
    return slim.run_commands(f"echo {word} > /made", "head -c 4000000 /dev/urandom > /random")


kept = modal.App("kept")
passing = modal.App("passing")
asking = modal.App("asking")


@kept.function(image=made("kept"), serialized=True)
def read_kept():
    return open("/made").read().strip()


@passing.function(image=made("passing"), serialized=True)
def read_passing():
    return open("/made").read().strip()


@passing.local_entrypoint()
def main():
    print("passing:", read_passing.remote())


@asking.local_entrypoint()
def ask():
    print("kept:", modal.Function.from_name("kept", "read_kept").remote())
