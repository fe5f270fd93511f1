"""A simulation of many runs, and of one data-parallel training, on many machines."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sweep:
    """Costs of independent runs on the workers of a Dask cluster. Times are in seconds.

    `run_s` is the time of a run, and `spread` its standard deviation as a share. The scheduler gives out one run after
    the other, and needs `call_s` for each. Every worker starts in `start_s`. It then fetches `data_mb` of images from
    one server, which sends `network_mb_s` in all.
    """

    run_s: float
    call_s: float
    start_s: float
    spread: float = 0
    data_mb: float = 0
    network_mb_s: float = 125

    def seconds(self, runs: int, workers: int, seed: int = 0) -> float:
        """Return the time until the last of the runs ends; each is given to the worker that is free first."""
        draws = np.random.default_rng(seed).normal(1, self.spread, runs).clip(0.1)
        fetched = self.start_s + np.arange(1, workers + 1) * self.data_mb / self.network_mb_s
        free = fetched.tolist()  # sorted, so it is a heap
        scheduler = end = 0.0
        for duration in (self.run_s * draws).tolist():
            scheduler = max(scheduler, heapq.heappop(free)) + self.call_s
            heapq.heappush(free, scheduler + duration)
            end = max(end, scheduler + duration)
        return end


@dataclass(frozen=True)
class Training:
    """Costs of a step of one training on several machines, each with a worker and a parameter server.

    A machine computes an image in `image_s` seconds; `spread` is the standard deviation of the time of a step as a
    share. The parameters have `parameters_mb`. A machine sends and receives `network_mb_s` at the same time.
    """

    image_s: float
    parameters_mb: float
    network_mb_s: float
    spread: float = 0

    def step_seconds(self, batch: int, machines: int, seed: int = 0, steps: int = 200) -> float:
        """Return the mean time of a step. All wait for the slowest machine, then exchange gradients.

        Each of N machines sends its gradients to the servers of the others, and its server sends the sums of a part to
        all others: 2 (N − 1) / N times the parameters in all.
        """
        draws = np.random.default_rng(seed).normal(1, self.spread, (steps, machines)).clip(0.1)
        slowest = float(draws.max(axis=1).mean())
        exchanged = 2 * self.parameters_mb * (machines - 1) / machines
        return self.image_s * -(-batch // machines) * slowest + exchanged / self.network_mb_s
