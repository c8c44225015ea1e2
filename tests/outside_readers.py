"""What programs that are not ours make of our files."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom

from calcinosis.volume import Study

PREFIX = Path(sys.prefix)


def run(*command: str | Path) -> subprocess.CompletedProcess:
    """Run an outside tool; it must be there."""
    program = shutil.which(command[0], path=f"{PREFIX / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert program, f"{command[0]} is not installed; `make tools` installs what tests need"
    done = subprocess.run(
        [program, *map(str, command[1:])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def assert_conforms(path: Path) -> None:
    """David Clunie's dciodvfy finds no error."""
    program = shutil.which("dciodvfy")
    assert program, "dciodvfy is not installed; `make tools` installs what tests need"
    said = subprocess.run([program, "-new", str(path)], capture_output=True, text=True, check=False)
    errors = [line for line in said.stderr.splitlines() if line.startswith(("Error", "Abort"))]
    assert not errors, "\n".join(errors)


def labels_read_by_dcmqi(segmentation: Path, study: Study, folder: Path) -> np.ndarray:
    """What dcmqi makes of the file, laid on the study's grid by place alone."""
    out = folder / "dcmqi"
    out.mkdir()
    run(
        "segimage2itkimage", "--inputDICOM", segmentation,
        "--outputDirectory", out, "--outputType", "nii",
    )  # fmt: skip
    found = np.zeros(study.volume.shape, dtype=np.uint8)
    for path in out.glob("*.nii.gz"):
        image = nib.load(path)
        values = np.asarray(image.dataobj)
        taken = np.argwhere(values)
        ras = taken @ image.affine[:3, :3].T + image.affine[:3, 3]
        indices = study.volume.to_indices(ras * (-1, -1, 1))
        assert np.abs(indices - np.rint(indices)).max() < 0.02
        z, y, x = np.rint(indices).astype(int).T
        found[z, y, x] = values[tuple(taken.T)]
    return found


def frames_in_space(path: Path) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Segment number, origin and LPS points of the set pixels of every frame, by pydicom alone."""
    image = pydicom.dcmread(path)
    shared = image.SharedFunctionalGroupsSequence[0]
    orientation = np.array(
        shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float
    ).reshape(2, 3)
    row_mm, column_mm = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    found = []
    for pixels, group in zip(
        image.pixel_array, image.PerFrameFunctionalGroupsSequence, strict=True
    ):
        origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
        rows, columns = np.nonzero(pixels)
        points = (
            origin
            + columns[:, None] * column_mm * orientation[0]
            + rows[:, None] * row_mm * orientation[1]
        )
        holder = group if "SegmentIdentificationSequence" in group else shared
        number = int(holder.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        found.append((number, origin, points))
    return found


def report_read_by_dcmqi(path: Path, folder: Path) -> list[dict]:
    out = folder / "report.json"
    run("tid1500reader", "--inputDICOM", path, "--outputMetadata", out)
    return json.loads(out.read_text())["Measurements"]


def numbers(group: dict) -> dict[str, tuple[float, str]]:
    return {
        item["quantity"]["CodeMeaning"]: (float(item["value"]), item["units"]["CodeValue"])
        for item in group["measurementItems"]
    }


VALIDATE = """
const { Fhir } = require('fhir');
const bundle = JSON.parse(require('fs').readFileSync(process.argv[1]));
const { valid, messages } = new Fhir().validate(bundle, { errorOnUnexpected: true });
const wrong = messages.filter(each => each.severity === 'error' || each.severity === 'fatal');
console.log(JSON.stringify({ valid, wrong }));
"""


def assert_valid_fhir(path: Path) -> None:
    """The npm package `fhir` finds no fault, and every reference leads somewhere in the bundle."""
    assert fhir_faults(path) == []
    text = path.read_text()
    urls = {entry["fullUrl"] for entry in json.loads(text)["entry"]}
    assert len(urls) == len(json.loads(text)["entry"])
    assert set(re.findall(r'"reference": "([^"]+)"', text)) <= urls


def fhir_faults(path: Path) -> list[str]:
    """What the npm package `fhir` finds wrong."""
    modules = PREFIX / "lib" / "node_modules"
    assert (modules / "fhir").is_dir(), "npm's fhir is not installed; `make tools` installs it"
    done = subprocess.run(
        ["node", "-e", VALIDATE, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NODE_PATH": str(modules)},
    )
    said = json.loads(done.stdout)
    assert said["valid"] == (not said["wrong"])
    return [f"{fault['location']}: {fault['message']}" for fault in said["wrong"]]
