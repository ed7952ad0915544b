"""Fetches what ADD names by address: fetch.py FOLDER MOST_BYTES ADDRESS...

Each becomes FOLDER/NUMBER, from 0. It gives up on a place that sends next to nothing, and on more bytes than it may take in all.
Proxies and certificates are those of its environment.
"""

import http.client
import os
import sys
import time
import urllib.error
import urllib.request

SILENCE_SECONDS = 30
BYTES_PER_SILENCE = 64 * 1024

folder, most, addresses = sys.argv[1], int(sys.argv[2]), sys.argv[3:]


def fetch(address: str, file: str, left: int) -> int:
    request = urllib.request.Request(address, headers={"User-Agent": "lydian"})
    with urllib.request.urlopen(request, timeout=SILENCE_SECONDS) as response, open(file, "xb") as to:
        size = heard = 0
        since = time.monotonic()
        while piece := response.read1(BYTES_PER_SILENCE):
            size += len(piece)
            heard += len(piece)
            if size > left:
                sys.exit(f"{address} is too large: all that is added may have {most} bytes")
            if heard >= BYTES_PER_SILENCE:
                heard, since = 0, time.monotonic()
            elif time.monotonic() - since > SILENCE_SECONDS:
                raise TimeoutError(f"it has sent next to nothing for {SILENCE_SECONDS} s")
            to.write(piece)
        said = response.headers.get("Content-Length")
        if said is not None and int(said) != size:
            raise ConnectionError(f"it ended after {size} of {said} bytes")
    print(f"{address}: {size} bytes", flush=True)
    return size


os.mkdir(folder)
total = 0
for number, address in enumerate(addresses):
    try:
        total += fetch(address, f"{folder}/{number}", most - total)
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.exit(f"{address} cannot be fetched: {getattr(error, 'reason', None) or error}")
