"""Servers of the newest client (`app.server`): open to everybody, and for those alone who have a proxy token."""

import subprocess
import sys

import modal

app = modal.App("servers")


@app.server(unauthenticated=True, port=8123)
class Open:
    @modal.enter()
    def begin(self):
        late = "import time; time.sleep(1); import runpy; runpy.run_module('http.server', run_name='__main__')"
        self.process = subprocess.Popen([sys.executable, "-c", late, "8123"], cwd="/usr")

    @modal.exit()
    def end(self):
        self.process.terminate()


@app.server()
class Guarded:
    @modal.enter()
    def begin(self):
        subprocess.Popen([sys.executable, "-m", "http.server", "8000"], cwd="/usr")


@app.local_entrypoint()
def main():
    print("the address is", Open.get_url())
