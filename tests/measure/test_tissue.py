"""What the network is asked, and what becomes of it where it cannot answer."""

import subprocess
import sys

# The network is given 8 MB more than the process holds; a block of this size needs 100.
SHORT_OF_MEMORY = """
import resource
import numpy as np
from calcinosis.measure import tissue

block = np.zeros((96, 96, 96), np.float32)
tissue._network()
held = next(line for line in open("/proc/self/status") if line.startswith("VmData"))
limit = (int(held.split()[1]) << 10) + (8 << 20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    tissue._class_scores(block, block)
except MemoryError:
    print("told")
"""


def test_memory_that_runs_out_in_the_network_is_told_as_such():
    command = [sys.executable, "-c", SHORT_OF_MEMORY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("told\n", "")
