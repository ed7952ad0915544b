"""The same work on Ray, by one driver: prints how many calls a second as JSON."""

import json
import sys
import time

import ray

count = int(sys.argv[1])


@ray.remote
def empty(number):
    return number


@ray.remote
class Counter:
    def __init__(self):
        self.count = 0

    def add(self, number):
        self.count += number
        return self.count


def rate(work, times):
    began = time.perf_counter()
    work()
    return times / (time.perf_counter() - began)


ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
counter = Counter.remote()
ray.get([empty.remote(0) for _ in range(100)] + [counter.add.remote(1) for _ in range(100)])
few = count // 10
print(
    json.dumps(
        {
            "calls": rate(lambda: [ray.get(empty.remote(0)) for _ in range(few)], few),
            "map, 2 containers": rate(lambda: ray.get([empty.remote(number) for number in range(count)]), count),
            "method calls": rate(lambda: [ray.get(counter.add.remote(1)) for _ in range(few)], few),
            "method map": rate(lambda: ray.get([counter.add.remote(1) for _ in range(count)]), count),
        }
    )
)
