"""Two scans of one artificial patient, who lay differently, with bones and masses as drawn."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from calcinosis.follow.scan import Scan
from calcinosis.measure.bone_overlay import Pose
from calcinosis.measure.mass import Calibration, CtMeasurement
from calcinosis.volume import Study, Volume
from ct_scene import MASS

SHAPE, STEP_MM = (45, 66, 75), 4.0
HERE = Pose(np.eye(3), np.zeros(3))
SITE = (60.0, 5.0, 10.0)  # soft tissue beside a bone of patient 0, LPS mm


def posed(turn_deg, shift_mm):
    """A pose from turns about the patient's axes (degrees) and a shift (mm)."""
    turn = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix()
    return Pose(turn, np.array(shift_mm, dtype=float))


def scanned(*balls, pose=HERE, patient=0, z_mm=(-90, 90), called=None, **study):
    """A scan of a patient who lay as `pose` says, with balls of chalk (centre, radius in mm).

    The grid stays; bones and balls move. `called` are the numbers of those that measuring found.
    """
    affine = np.zeros((4, 4))
    affine[:3, :3] = STEP_MM * np.eye(3)[:, ::-1]
    affine[:3, 3] = [-STEP_MM * n / 2 for n in SHAPE[:0:-1]] + [z_mm[0]]
    affine[3, 3] = 1
    shape = (round((z_mm[1] - z_mm[0]) / STEP_MM), *SHAPE[1:])
    volume = Volume(np.full(shape, 40, np.int16), affine)
    places = pose.inverse(volume.to_lps(np.moveaxis(np.indices(shape), 0, -1))).astype(np.float32)
    skeleton = np.zeros(shape, bool)
    rng = np.random.default_rng(patient)
    for centre in rng.uniform((-110, -80, -70), (40, 80, 70), (8, 3)):
        axes = rng.uniform(9, 34, 3)
        skeleton |= np.linalg.norm((places - centre) / axes, axis=-1) < 1
    labels = np.zeros(shape, np.uint8)
    for number, (centre, radius_mm) in enumerate(balls, start=1):
        labels[np.linalg.norm(places - centre, axis=-1) < radius_mm] = number
    volume.voxels[skeleton] = 900
    volume.voxels[labels > 0] = 500
    numbers = range(1, len(balls) + 1) if called is None else called
    labels[~np.isin(labels, list(numbers))] = 0
    sizes = [float((labels == number).sum() * volume.voxel_volume_ml) for number in numbers]
    masses = tuple(
        replace(MASS, id=number, volume_ml=ml, volume_ci95_ml=(0.9 * ml, 1.1 * ml))
        for number, ml in zip(numbers, sizes, strict=True)
    )
    calibration = Calibration(0.759, 0.09, 120.0, "test")
    measurement = CtMeasurement(masses, labels, np.packbits(skeleton), (), calibration)
    return Scan(Study(volume, **study), measurement)
