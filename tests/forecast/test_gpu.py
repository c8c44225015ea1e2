"""The march for graphics processors, in numba's simulator: the same patients, the same figures."""

import os
import subprocess
import sys

import numpy as np
import pytest

from calcinosis.forecast.cohort import virtual_patients
from calcinosis.forecast.prescription import before_day_0, prescribe
from calcinosis.forecast.scenario import parse_scenario
from calcinosis.forecast.simulate import simulate, starting_state
from calcinosis.forecast.treatments import timeline

SIMULATED = """
import sys
import numpy as np
from calcinosis.forecast import gpu
from calcinosis.forecast.parameters import Parameters
from calcinosis.forecast.treatments import Timeline

given = np.load(sys.argv[1])
course = Timeline(*(given[name] for name in Timeline._fields))
patients = [Parameters(*row) for row in given["patients"]]
tissue = np.ones(len(patients))
told = []
states, pth = gpu.march_each(
    given["starts"], patients, tissue, course, len(course.hours), lambda *done: told.append(done)
)
assert told == [(len(patients), len(patients))]
np.savez(sys.argv[2], states=states, pth=pth)
"""
WEEKS_APART = {"days": 21, "dialysis": {}, "active_vitamin_d_ug_per_week": 2}
WEEKS_PASSED = {"days": 63, "dialysis": {"modality": "pd"}}


@pytest.mark.parametrize(("phase", "n"), [(WEEKS_APART, 2), (WEEKS_PASSED, 1)])
def test_one_thread_per_patient_finds_what_the_processor_finds(phase, n, tmp_path):
    patients = virtual_patients(n, seed=4)
    scenario = parse_scenario({"phases": [phase]})
    before = before_day_0(scenario.patient, scenario.phases[0])[-1]
    course = timeline(prescribe(before, scenario.phases), patients[0])
    starts = np.array([starting_state(p, before, deposit_mmol=250) for p in patients])
    ends = [simulate(y, p, course) for y, p in zip(starts, patients, strict=True)]
    given, found = tmp_path / "given.npz", tmp_path / "found.npz"
    np.savez(given, starts=starts, patients=np.array(patients), **course._asdict())
    simulated = {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run(
        [sys.executable, "-c", SIMULATED, given, found],
        capture_output=True, text=True, check=False, env=os.environ | simulated,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    seen = np.load(found)
    np.testing.assert_allclose(seen["states"], [end.states[-1] for end in ends], rtol=1e-9)
    np.testing.assert_allclose(seen["pth"], [end.pth[-1] for end in ends], rtol=1e-9)
