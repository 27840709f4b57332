"""Timing things side by side, so that what else the machine does at the time falls on all of them alike."""

import time
from collections.abc import Callable, Mapping


def seconds(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the least wall time of each call over ``rounds`` rounds, each of which makes every call once."""
    best = dict.fromkeys(calls, float("inf"))
    for call in calls.values():
        call()  # what is done but once, such as choosing kernels, is no part of the time
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - start)
    return best
