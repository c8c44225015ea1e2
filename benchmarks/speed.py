"""How long measuring takes, and how much memory, as ratios to reading the same series with pydicom.

    taskset -c 0 python benchmarks/speed.py [--slices 400] [--repeat 3] [--scaling 100 400 1600]

The series is a phantom's hips, 512 × 512 pixels of 0.76 mm, 1 mm slices, with a mass on each side:
100 slices, mirrored and stacked to the length asked for, written as DICOM files. Every figure comes
from a fresh process, caches warm, and is the least of the repetitions; processor seconds stand
beside wall seconds because other work on the machine stretches the latter.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import numpy as np
from numpy.typing import NDArray

BLOCK_SLICES = 100


def write_block(folder: Path) -> None:
    """The first 100 slices as DICOM."""
    from calcinosis.phantom.dicom import write_series
    from calcinosis.phantom.masses import MassOptions
    from calcinosis.phantom.patient import PhantomOptions, make_phantom

    options = PhantomOptions(
        seed=7,
        masses=(
            MassOptions(40, "touching", "hip", "left", texture="sedimented"),
            MassOptions(60, "apart", "hip", "right"),
        ),
        matrix=512,
        slice_spacing_mm=1.0,
        z_range_mm=(-60.0, -60.0 + BLOCK_SLICES),
    )
    write_series(make_phantom(options), folder)


def write_stack(block: Path, slices: int, folder: Path) -> None:
    """The block and its mirror image in turn, as one series."""
    import pydicom
    from pydicom.uid import generate_uid

    folder.mkdir()
    sources = [pydicom.dcmread(path) for path in sorted(block.iterdir())]
    x, y, z = sources[0].ImagePositionPatient
    for number in range(slices):
        turn, index = divmod(number, len(sources))
        ds = sources[index if turn % 2 == 0 else -1 - index]
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.ImagePositionPatient = [x, y, z + number]
        ds.SliceLocation = z + number
        ds.InstanceNumber = number + 1
        ds.save_as(folder / f"IM{number:05d}.dcm")


def read_by_hand(folder: Path) -> NDArray[np.int16]:
    """What a user of pydicom writes: read, sort, stack, rescale."""
    import pydicom
    from pydicom.pixels import apply_rescale

    slices = [pydicom.dcmread(path) for path in folder.iterdir()]
    slices.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    voxels = np.empty((len(slices), *slices[0].pixel_array.shape), np.int16)
    for plane, ds in zip(voxels, slices, strict=True):
        plane[:] = apply_rescale(ds.pixel_array, ds)
    return voxels


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Wall and processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - processor,
    }


def task_pydicom(folder: Path) -> dict[str, float]:
    """Reading alone."""
    import pydicom.pixels  # noqa: F401 - imported before the clock starts

    return timed(lambda: read_by_hand(folder))


def task_measure(folder: Path) -> dict[str, float]:
    """`measure_ct` alone, with its own reading outside the clock; peak memory of both."""
    from calcinosis.measure.ct import measure_ct
    from calcinosis.memory import give_memory_back
    from calcinosis.read.study import read_study

    give_memory_back()  # as the program does
    study = read_study(folder)
    small = replace(study, volume=study.volume.crop((slice(30, 70), slice(None), slice(None))))
    measure_ct(small)  # compiled code is loaded, the network too
    figures = timed(lambda: measure_ct(study))
    peak = getrusage(RUSAGE_SELF).ru_maxrss * 1024
    dense = float((study.volume.voxels > 150).mean())
    return {**figures, "peak_per_volume": peak / study.volume.voxels.nbytes, "dense": dense}


def task_analyze(folder: Path) -> dict[str, float]:
    """Process start to all results; called as a program, so that imports count."""
    with tempfile.TemporaryDirectory() as out:
        wall = time.perf_counter()
        command = [sys.executable, "-m", "calcinosis", "analyze", str(folder), "--quiet"]
        child = subprocess.Popen([*command, "--output", f"{out}/report"])
        _, status, usage = os.wait4(child.pid, 0)
        figures = {"wall_s": time.perf_counter() - wall, "cpu_s": usage.ru_utime + usage.ru_stime}
        if status:
            raise SystemExit(f"analyze failed: {status}")
    return {**figures, "peak_mib": usage.ru_maxrss / 1024}


def by_hand(library: str) -> Callable[[NDArray[np.int16]], object]:
    """Threshold, label, distance, statistics with one library, as its manual shows it."""
    import cc3d
    import edt
    import SimpleITK as sitk  # noqa: N813 - the name everyone uses
    from scipy import ndimage
    from skimage import measure as skimage_measure

    def scipy(voxels: NDArray[np.int16]) -> object:
        mask = voxels > 150
        labels, count = ndimage.label(mask)
        ndimage.distance_transform_edt(mask)
        index = np.arange(1, count + 1)
        return ndimage.mean(voxels, labels, index), ndimage.center_of_mass(mask, labels, index)

    def skimage(voxels: NDArray[np.int16]) -> object:
        mask = voxels > 150
        labels = skimage_measure.label(mask)
        ndimage.distance_transform_edt(mask)  # scikit-image has none of its own
        return skimage_measure.regionprops_table(
            labels, voxels, properties=("area", "centroid", "mean_intensity")
        )

    def simpleitk(voxels: NDArray[np.int16]) -> object:
        image = sitk.GetImageFromArray(voxels)
        mask = sitk.BinaryThreshold(image, 151, 32767)
        labels = sitk.ConnectedComponent(mask)
        sitk.SignedMaurerDistanceMap(mask)
        statistics = sitk.LabelIntensityStatisticsImageFilter()
        statistics.Execute(labels, image)
        return statistics

    def cc3d_edt(voxels: NDArray[np.int16]) -> object:
        mask = voxels > 150
        labels = cc3d.connected_components(mask, connectivity=6)
        edt.edt(mask, parallel=1)
        return cc3d.statistics(labels)

    return {"scipy": scipy, "scikit-image": skimage, "SimpleITK": simpleitk, "cc3d": cc3d_edt}[
        library
    ]


def task_hand(folder: Path, library: str) -> dict[str, float]:
    """One library on the same voxels."""
    if library == "SimpleITK":
        import SimpleITK as sitk  # noqa: N813

        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    voxels = read_by_hand(folder)
    work = by_hand(library)
    figures = timed(lambda: work(voxels))
    peak = getrusage(RUSAGE_SELF).ru_maxrss * 1024
    return {**figures, "peak_per_volume": peak / voxels.nbytes}


TASKS: dict[str, Callable[[Path], dict[str, float]]] = {
    "pydicom": task_pydicom,
    "measure": task_measure,
    "analyze": task_analyze,
    **{
        library: lambda folder, library=library: task_hand(folder, library)  # type: ignore[misc]
        for library in ("scipy", "scikit-image", "SimpleITK", "cc3d")
    },
}


def least(task: str, folder: Path, repeat: int) -> dict[str, float]:
    """The least of each figure over fresh processes."""
    runs = []
    for _ in range(repeat):
        command = [sys.executable, __file__, "--task", task, "--folder", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return {name: min(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    """Compare on one stack, then let it grow."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--slices", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--scaling", type=int, nargs="*", default=[100, 400, 1600])
    parser.add_argument("--only", nargs="*", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--block", type=Path, help="keep and reuse the drawn slices here")
    parser.add_argument("--task", choices=list(TASKS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        print(json.dumps(TASKS[options.task](options.folder)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        block = options.block or Path(scratch) / "block"
        if not block.exists():
            write_block(block)
        stack = Path(scratch) / "stack"
        write_stack(block, options.slices, stack)
        read_by_hand(stack)  # into the page cache
        reading = least("pydicom", stack, options.repeat)
        print(f"{options.slices} slices; read by pydicom: {reading}", flush=True)
        for task in (name for name in options.only if name != "pydicom"):
            figures = least(task, stack, options.repeat)
            ratios = " ".join(f"{k[:-2]} {figures[k] / reading[k]:.1f}x" for k in reading)
            print(f"{task}: {ratios}; {figures}", flush=True)
        _print_scaling(block, Path(scratch), options.scaling)


def _print_scaling(block: Path, scratch: Path, lengths: list[int]) -> None:
    """Processor seconds of measuring against the number of slices."""
    spent = []
    for slices in lengths:
        stack = scratch / f"stack{slices}"
        write_stack(block, slices, stack)
        spent.append(least("measure", stack, 1)["cpu_s"])
        print(f"{slices} slices: measure {spent[-1]:.1f} processor seconds", flush=True)
    if len(spent) > 1:
        exponent = np.log(spent[-1] / spent[0]) / np.log(lengths[-1] / lengths[0])
        print(f"cost grows as voxels^{exponent:.2f}")


if __name__ == "__main__":
    main()
