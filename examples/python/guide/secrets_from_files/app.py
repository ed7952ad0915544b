"""
Secrets from a dictionary and from a .env file, which needs `pip install python-dotenv` here and nothing in the container.
`cd examples/python/guide/secrets_from_files && modal run app.py`
"""

import os

import modal

app = modal.App("my-app")

from_code = modal.Secret.from_dict({"API_KEY": "sk-...", "DB_PASSWORD": "replaced by the file's"})
from_file = modal.Secret.from_dotenv(".env")


@app.function(secrets=[from_code, from_file])
def connect():
    return f"{os.environ['DB_USER']}:{os.environ['DB_PASSWORD']} with {os.environ['API_KEY']}"


@app.local_entrypoint()
def main():
    print(connect.remote())
