"""Random stock files by the thousand, engines beside unmodified NetX: every layer, every step, every number.

    python -m tests.helpers.stock_many --files 1000 --workers 2

Results are kept beside each other in a folder, one line a file, so that a run that was ended goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import netx_export
from lava_qsnn.errors import QsnnError, RangeError
from lava_qsnn.integer import IntegerNetwork
from lava_qsnn.tasks import DONE, Job, computed, connected, pool
from netx_export._many import lost_by
from tests.helpers.stock_netx import run_netx
from tests.helpers.stock_random import Stock, random_stock

ENGINES = ("reference", "fast")


@dataclass(frozen=True)
class Verdict:
    """One file: how many numbers were compared, how many of them differ, how many are not zero."""

    seed: int
    kinds: str
    values: int = 0
    different: int = 0
    active: int = 0
    refused: str = ""


def judge(seed: int, folder: Path, steps: int, engines: tuple[str, ...] = ENGINES) -> Verdict:
    """Write a random file, run it in NetX and here, in Lava's own time, and count."""
    random = np.random.default_rng([20, seed])
    stock = random_stock(random)
    path = folder / f"{seed}.net"
    stock.write(path)
    try:
        network = netx_export.load(path, timing="lava", output="auto", **stock.load_options)
    except QsnnError as error:
        return Verdict(seed, "", refused=str(error))
    kinds = " ".join(sorted({layer.neuron.kind for layer in network.layers}))
    x = sample(random, stock, network, steps)
    found = [_outcome(network, x, engine) for engine in engines]
    refusals = [each for each in found if isinstance(each, str)]
    if refusals:  # what one engine refuses, all must refuse in the same words
        return Verdict(seed, kinds, different=int(found != refusals[:1] * len(engines)), refused=refusals[0])
    truth = run_netx(path, x[0], voltage=network.output.neuron.kind == "cuba_readout", **stock.netx_options)
    answers = [each for each in found if not isinstance(each, str)]
    pairs = [pair for outputs in answers for pair in zip(truth, outputs.values(), strict=True)]
    different = sum(int((output[0] != expected).sum()) for expected, output in pairs)
    active = sum(int(np.count_nonzero(each)) for each in truth)
    return Verdict(seed, kinds, sum(each.size for each in truth), different, active)


def _outcome(network: IntegerNetwork, x: np.ndarray, engine: str) -> dict[str, np.ndarray] | str:
    """The outputs of all layers, or the text of the error that refuses this input."""
    try:
        return netx_export.simulate_layers(network, x, engine)
    except RangeError as error:
        return str(error)


def sample(random: np.random.Generator, stock: Stock, network: IntegerNetwork, steps: int) -> np.ndarray:
    """A sample (1, *input shape, steps) that drives the network: spikes, or numbers of the bits that it takes."""
    shape = (1, *network.input.shape, steps)
    if not stock.bits and not stock.begins:
        return (random.random(shape) < random.choice([0.05, 0.3, 0.8])).astype(np.int64)
    reach = int(random.choice([3, 60, 1000])) if stock.begins else 2**stock.bits - 1
    low = -min(reach, 2 ** max(stock.bits - 1, 0)) if not stock.begins else -reach
    return random.integers(low, reach + 1, shape) * (random.random(shape) < random.choice([0.1, 0.5, 1.0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first file")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--results", type=Path, default=Path(tempfile.gettempdir()) / "stock_many.jsonl")
    parser.add_argument("--workers", type=int, help="processes beside each other on this machine; 1 by default")
    parser.add_argument("--cluster", metavar="ADDRESS", help="of a scheduler of Dask's, whose workers have this clone")
    options = parser.parse_args()
    verdicts = _kept(options.results)
    seeds = [seed for seed in range(options.first, options.first + options.files) if seed not in verdicts]
    with options.results.open("a") as results:
        for seed, verdict in judged(seeds, options.steps, options.workers, options.cluster):
            verdicts[seed] = verdict
            print(json.dumps(asdict(verdict)), file=results, flush=True)
            if verdict.different:
                print(f"seed {seed} differs: {verdict}", file=sys.stderr)
    _tell(verdicts)


def judged(
    seeds: Iterable[int], steps: int, workers: int | None = None, cluster: str | None = None
) -> Iterator[tuple[int, Verdict]]:
    """Verdicts as they come, computed beside each other; a file of which the judge's process dies twice is told."""
    job = Job.of(judge_alone, steps)
    with nullcontext() if cluster is None else connected(cluster) as client, pool(job, workers, client) as place:
        for seed, answer in computed(place, seeds):
            if answer.kind == DONE:
                yield seed, answer.value()
            else:
                print(f"seed {seed}: {lost_by(answer)}", file=sys.stderr)


def judge_alone(steps: int, seed: int) -> Verdict:
    """Judge a file in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return judge(seed, Path(folder), steps)


def _kept(path: Path) -> dict[int, Verdict]:
    lines = path.read_text().splitlines() if path.exists() else []
    found = [Verdict(**json.loads(line)) for line in lines]
    return {verdict.seed: verdict for verdict in found}


def _tell(verdicts: dict[int, Verdict]) -> None:
    judged = [verdict for verdict in verdicts.values() if not verdict.refused]
    total, different = sum(v.values for v in judged), sum(v.different for v in verdicts.values())
    print(
        f"{len(judged)} files, {total:,} numbers, {different:,} differ; {sum(v.active for v in judged):,} are not zero"
    )
    for kind, count in Counter(kind for verdict in judged for kind in verdict.kinds.split()).most_common():
        print(f"  {kind}: {count} files")
    for reason, count in Counter(v.refused[-90:] for v in verdicts.values() if v.refused).most_common():
        print(f"  refused {count}: .. {reason}")


if __name__ == "__main__":
    main()
