"""A study of 2 GB sent to the node: what memory node and worker take, and what becomes of it.

    python benchmarks/large_study.py [--slices 4000] [--size 512] [--enhanced] [-- SERVE OPTIONS]

Slices are drawn while they are sent, by C-STORE in one association; `--enhanced` sends all of them
as the frames of one instance. Memory is the peak of resident memory (VmHWM) that Linux notes.
"""

import argparse
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, _config

from calcinosis.serve.worklist import Worklist, open_worklist

SLICE_MM, PIXEL_MM = 0.5, 0.8
BONY_MM = 100.0  # around the middle; above and below, all is air and soft tissue
STUDY, SERIES = generate_uid(), generate_uid()


class Body:
    """Stored values of slices: air, fat and muscle with noise; two bones and a mass amidst."""

    def __init__(self, count: int, size: int) -> None:
        self.count, self.size = count, size
        y, x = np.ogrid[:size, :size]
        self.y, self.x = y / size - 0.5, x / size - 0.5
        units = np.full((size, size), -1000.0, np.float32)
        for radius, level in ((0.42, -100), (0.38, 50)):
            units[np.hypot(1.3 * self.y, self.x) < radius] = level
        noise = np.random.default_rng(0).normal(0, 8, (7, size, size))
        self.soft = (np.rint(units + noise) + 1024).astype("<u2")

    def plane(self, index: int) -> bytes:
        """One slice."""
        stored = self.soft[index % len(self.soft)]
        depth_mm = (index - self.count / 2) * SLICE_MM
        if abs(depth_mm) > BONY_MM:
            return stored.tobytes()
        stored = stored.copy()
        for side in (-0.2, 0.2):
            stored[np.hypot(self.y - 0.05, self.x - side) < 0.04] += 750
        depth = depth_mm / (self.size * PIXEL_MM)
        stored[np.hypot(self.y + 0.12, self.x - 0.2) ** 2 + depth**2 < 0.07**2] += 400
        return stored.tobytes()


def slices(count: int, size: int) -> Iterator[Dataset]:
    """One CT image after another."""
    body = Body(count, size)
    for index in range(count):
        dataset = _header(size, CTImageStorage)
        dataset.InstanceNumber = index + 1
        dataset.ImagePositionPatient = [0, 0, index * SLICE_MM]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing = [PIXEL_MM, PIXEL_MM]
        dataset.SliceThickness = SLICE_MM
        dataset.PixelData = body.plane(index)
        yield dataset


def one_instance(count: int, size: int, file: Path) -> None:
    """All slices as the frames of one Enhanced CT, written frame by frame."""
    dataset = _header(size, EnhancedCTImageStorage)
    dataset.NumberOfFrames = count
    shared = Dataset()
    shared.PixelMeasuresSequence = [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = [PIXEL_MM, PIXEL_MM]
    shared.PixelMeasuresSequence[0].SliceThickness = SLICE_MM
    shared.PlaneOrientationSequence = [Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for index in range(count):
        frame = Dataset()
        frame.PlanePositionSequence = [Dataset()]
        frame.PlanePositionSequence[0].ImagePositionPatient = [0, 0, index * SLICE_MM]
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = frames
    dataset.save_as(file, enforce_file_format=True)
    body = Body(count, size)
    with file.open("ab") as written:
        length = count * size * size * 2
        written.write(b"\xe0\x7f\x10\x00OW\0\0" + length.to_bytes(4, "little"))
        for index in range(count):
            written.write(body.plane(index))


def _header(size: int, kind: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = kind
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.SOPClassUID, dataset.SOPInstanceUID = kind, dataset.file_meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, SERIES
    dataset.Modality, dataset.PatientPosition, dataset.KVP = "CT", "HFS", 120
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.Rows = dataset.Columns = size
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    dataset.RescaleIntercept, dataset.RescaleSlope = -1024, 1
    return dataset


def send(port: int, count: int, size: int, *, enhanced: bool, folder: Path) -> None:
    """Send it all in one association."""
    entity = AE("SENDER")
    entity.dimse_timeout = entity.network_timeout = 600
    kind = EnhancedCTImageStorage if enhanced else CTImageStorage
    entity.add_requested_context(kind, ExplicitVRLittleEndian)
    _config.STORE_SEND_CHUNKED_DATASET = True
    file = folder / "one.dcm"
    if enhanced:  # first: the node lets go of who says nothing for a minute
        one_instance(count, size, file)
    association = entity.associate("127.0.0.1", port, ae_title="CALCINOSIS")
    if not association.is_established:
        raise SystemExit("the node does not answer")
    for instance in [file] if enhanced else slices(count, size):
        status = association.send_c_store(instance).get("Status")
        if status != 0:
            raise SystemExit(f"the node answered with status {status}")
    association.release()
    file.unlink(missing_ok=True)


class Peaks:
    """Peak resident memory of a process and of each of its children, MB."""

    def __init__(self, process: int) -> None:
        self.process = process
        self.node = self.worker = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.node = max(self.node, _peak_mb(self.process))
            for task in Path(f"/proc/{self.process}/task").glob("*/children"):
                try:
                    children = task.read_text().split()
                except OSError:
                    continue
                self.worker = max([self.worker, *(_peak_mb(int(one)) for one in children)])
            time.sleep(0.2)


def _peak_mb(process: int) -> int:
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    return int(found[1]) // 1000 if found else 0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _until_listening(port: int) -> None:
    while True:
        with socket.socket() as peer:
            if peer.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.5)


def _until_ended(worklist: Worklist) -> str:
    while True:
        [entry] = worklist.studies()
        if entry.state in ("done", "failed"):
            return f"{entry.state}: {entry.error or f'{entry.instances} instances'}"
        time.sleep(0.5)


def main() -> None:
    """Start a node, send, wait, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=4000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--enhanced", action="store_true")
    parser.add_argument("serve", nargs="*", help="options of calcinosis serve, after --")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, port = Path(place), _free_port()
        worklist = open_worklist(folder / "data")
        command = [sys.executable, "-m", "calcinosis", "serve", "--data", str(folder / "data")]
        command += [f"--port={port}", f"--web-port={_free_port()}"]
        node = subprocess.Popen([*command, *asked.serve])
        try:
            _until_listening(port)
            peaks = Peaks(node.pid)
            time.sleep(1)
            print(f"node at rest {peaks.node} MB", flush=True)
            began = time.perf_counter()
            send(port, asked.slices, asked.size, enhanced=asked.enhanced, folder=folder)
            print(f"sent in {time.perf_counter() - began:.0f} s; node {peaks.node} MB", flush=True)
            began = time.perf_counter()
            print(f"{_until_ended(worklist)}, after {time.perf_counter() - began:.0f} s")
            print(f"peak of node {peaks.node} MB, of worker {peaks.worker} MB")
        finally:
            node.terminate()
            node.wait()


if __name__ == "__main__":
    main()
