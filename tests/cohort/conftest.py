"""A small archive, and studies measured by a stand-in: a process for each would take long."""

from dataclasses import replace

import numpy as np
import pytest

from calcinosis.analysis import Analysis
from calcinosis.explain.explanation import explain
from calcinosis.explain.findings import findings_of_masses
from calcinosis.follow.change import volume_change
from calcinosis.follow.follow_up import FollowedMass, FollowUp
from calcinosis.follow.scan import Scan
from calcinosis.read.case_file import Case
from calcinosis.read.study import read_study
from calcinosis.volume import Study, Volume
from calcinosis.write.follow_page.record import follow_json
from calcinosis.write.result import result_json
from cohort_scene import Measurer
from ct_scene import measured
from dicom_series import body, ct_series, save


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """`result.json` of a scan with two masses, and of one without, as text."""
    folder = save(ct_series(body((24, 40, 48))), tmp_path_factory.mktemp("scene") / "ct")
    study = read_study(folder)
    texts = []
    for masses in (2, 0):
        scene = measured(with_masses(study), masses=masses)
        explained = explain(Case(), measured=findings_of_masses(scene)) if masses else None
        texts.append(result_json(Analysis(study, scene, explanation=explained)))
    return texts


def with_masses(study: Study) -> Study:
    voxels = study.volume.voxels.copy()
    voxels[4:9, 4:9, 4:9], voxels[14:18, 14:18, 14:18] = 700, 500
    return replace(study, volume=replace(study.volume, voxels=voxels))


@pytest.fixture(scope="session")
def followed(results):
    """What `follow` leaves of two scans: mass 1 halved, mass 2 went."""
    study = Study(Volume(np.zeros((24, 40, 48), np.int16), np.eye(4)))
    before = measured(study)
    halved = replace(before.masses[0], volume_ml=26.0, volume_ci95_ml=(24.0, 28.0))
    after = replace(before, masses=(halved,))
    change = volume_change(before.masses[:1], after.masses)
    masses = (
        FollowedMass(before.masses[:1], after.masses, "shrunk", change, None, None, ("Seen.",)),
        FollowedMass(before.masses[1:], (), "gone", None, None, None, ()),
    )
    scans = [Scan(study, measurement) for measurement in (before, after)]
    told = FollowUp(*scans, 366, masses, change, None, ())
    return {
        "follow.json": follow_json(told),
        "earlier.result.json": results[0],
        "later.result.json": results[0],
    }


@pytest.fixture
def measurer(results, monkeypatch):
    made = Measurer(results)
    monkeypatch.setattr("calcinosis.cohort.run.do_one", made)
    return made


@pytest.fixture
def archive(tmp_path):
    """Two scans of one patient, one of another without a mass, in mixed folders."""
    folder = tmp_path / "archive"
    for number, (patient, day) in enumerate(
        [("TWICE", "20240301"), ("none", "20240511"), ("TWICE", "20230301")]
    ):
        images = ct_series(PatientID=patient, StudyDate=day, PatientName="PLANTED^NAME")
        save(images, folder / f"disc{number % 2}", prefix=f"{number}-")
    return folder
