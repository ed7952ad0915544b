import json
import sys

from . import run_all

for one in run_all(json.loads(sys.argv[1]), sys.argv[2:]):
    print(json.dumps(one), flush=True)
