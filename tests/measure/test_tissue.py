"""What the network is asked, and what becomes of it where it cannot answer."""

import os
import subprocess
import sys

import numpy as np

from calcinosis.measure.tissue import TissueMap, look_closer
from calcinosis.measure.working_grid import WorkingGrid

# The network is given 8 MB more than the process holds; a block of this size needs 100.
SHORT_OF_MEMORY = """
import resource
import numpy as np
from calcinosis.measure import tissue

block = np.zeros((96, 96, 96), np.int16)
network = tissue.load_network()
held = next(line for line in open("/proc/self/status") if line.startswith("VmData"))
limit = (int(held.split()[1]) << 10) + (8 << 20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    tissue.ask(network, block, block.astype(np.uint8))
except MemoryError:
    print("told")
"""


def test_memory_that_runs_out_in_the_network_is_told_as_such():
    command = [sys.executable, "-c", SHORT_OF_MEMORY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("told\n", "")


def test_the_network_leaves_no_trace_in_the_home_and_has_nothing_to_send(tmp_path):
    hushed = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in hushed}
    load = "from calcinosis.measure import tissue; tissue.load_network()"
    command = [sys.executable, "-c", load]
    subprocess.run(command, env={**environment, "HOME": str(tmp_path)}, check=True)
    assert not list(tmp_path.rglob("*.db")), "events that wait to be sent"


def test_only_what_may_be_a_mass_is_looked_at_again():
    hu = np.full((48, 72, 64), 50, np.int16)
    hu[20:28, 40:50, 20:30] = 600
    unseen = 7  # a score that no network gave
    tissue = TissueMap(*(np.full(hu.shape, unseen, np.uint8) for _ in range(2)), hu > 0)
    seen = (slice(20, 28), slice(40, 50), slice(20, 30))
    look_closer(WorkingGrid(hu, np.ones(3)), tissue, [seen])
    box = (slice(16, 32), slice(32, 56), slice(16, 40))
    assert tissue.mass[22:26, 43:47, 23:27].min() > 128
    for scores in (tissue.mass, tissue.skeleton):
        outside = scores.copy()
        outside[box] = unseen
        assert (outside == unseen).all()


def test_what_is_looked_at_again_scores_alike_turned_by_half():
    rng = np.random.default_rng(3)
    hu = rng.normal(50, 20, (48, 64, 64)).astype(np.int16)
    hu[20:28, 30:40, 20:30] = rng.normal(500, 200, (8, 10, 10))
    whole = (slice(0, 48), slice(0, 64), slice(0, 64))

    def looked_at(voxels):
        tissue = TissueMap(*(np.zeros(hu.shape, np.uint8) for _ in range(2)), hu > 0)
        look_closer(WorkingGrid(voxels, np.ones(3)), tissue, [whole])
        return tissue.mass

    turned = looked_at(np.ascontiguousarray(np.flip(hu, (1, 2))))
    assert (np.flip(turned, (1, 2)) == looked_at(hu)).all()
