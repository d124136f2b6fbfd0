"""How a process computes."""

import platform
import subprocess
import sys

import pytest

_SECOND_ARRAY = """
from resource import RUSAGE_SELF, getrusage
import numpy as np
from cryoseg_ext.processes import use_threads
use_threads(1)
np.ones(10**7)
before = getrusage(RUSAGE_SELF).ru_minflt
np.ones(10**7)
print(getrusage(RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is asked to keep memory")
def test_the_memory_of_a_large_array_is_used_again() -> None:
    run = subprocess.run([sys.executable, "-c", _SECOND_ARRAY], check=True, capture_output=True, text=True)
    # The array has 20,000 pages.
    assert int(run.stdout) < 200
