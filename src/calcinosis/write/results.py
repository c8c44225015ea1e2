"""Everything an analysis leaves behind, in one folder."""

from dataclasses import replace
from pathlib import Path
from time import perf_counter

from calcinosis.analysis import Analysis
from calcinosis.write.deliver import write_deliverables
from calcinosis.write.files import result_folder
from calcinosis.write.nifti import write_label_map
from calcinosis.write.report import render_report
from calcinosis.write.result import result_json


def write_results(analysis: Analysis, output: Path, *, force: bool = False) -> None:
    """Write report, JSON, label map and, from DICOM, SEG, SR and FHIR into `output`; all or none.

    Raises:
        OutputError: `output` is a file, is not empty (without `force`), or cannot be written.
    """
    with result_folder(output, force=force) as folder:
        write_files(analysis, folder)


def write_files(analysis: Analysis, folder: Path) -> None:
    """Write the result files into an existing folder."""
    began = perf_counter()
    write_label_map(folder / "masses.nii.gz", analysis.measurement.labels, analysis.study)
    write_deliverables(folder, analysis.study, analysis.measurement)
    (folder / "report.html").write_text(render_report(analysis), encoding="utf-8")
    timings_s = {**analysis.timings_s, "write": perf_counter() - began}
    timed = replace(analysis, timings_s=timings_s)
    (folder / "result.json").write_text(result_json(timed), encoding="utf-8")
