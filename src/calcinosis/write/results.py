"""Everything an analysis leaves behind, in one folder."""

from dataclasses import replace
from pathlib import Path
from time import perf_counter

from calcinosis.analysis import Analysis
from calcinosis.write.deidentify import without_identity
from calcinosis.write.deliver import write_deliverables
from calcinosis.write.files import result_folder
from calcinosis.write.nifti import write_label_map
from calcinosis.write.report import render_report
from calcinosis.write.result import result_json
from calcinosis.write.seg import SegmentationType, Segments


def write_results(
    analysis: Analysis,
    output: Path | str,
    *,
    force: bool = False,
    deidentify: bool = False,
    segments: Segments = "masses",
    seg_type: SegmentationType = "bitmap",
) -> None:
    """Write report, JSON, label map and, from DICOM, SEG, SR and FHIR into `output`; all or none.

    Args:
        analysis: what to write.
        output: a new or empty folder.
        force: `output` may hold files; results of an earlier run are replaced.
        deidentify: say nowhere who the patient is; UIDs are mapped, alike in all files.
        segments: ``all`` adds the skeleton and other calcifications, by kind, to the SEG.
        seg_type: ``labelmap`` writes a SEG of that type, with RLE compression.

    Raises:
        OutputError: `output` is a file, is not empty (without `force`), or cannot be written.
    """
    with result_folder(Path(output), force=force) as folder:
        write_files(analysis, folder, deidentify=deidentify, segments=segments, seg_type=seg_type)


def write_files(
    analysis: Analysis,
    folder: Path,
    *,
    deidentify: bool = False,
    segments: Segments = "masses",
    seg_type: SegmentationType = "bitmap",
) -> None:
    """Write the result files into an existing folder."""
    began = perf_counter()
    if deidentify:
        analysis = without_identity(analysis)
    (folder / "report.html").write_text(render_report(analysis), encoding="utf-8")
    write_label_map(folder / "masses.nii.gz", analysis.measurement.labels, analysis.study)
    write_deliverables(
        folder, analysis, deidentify=deidentify, segments=segments, seg_type=seg_type
    )
    if analysis.outlook:
        from calcinosis.write.forecast_page.files import as_csv

        (folder / "forecast.csv").write_text(as_csv(analysis.outlook), encoding="utf-8")
    timings_s = {**analysis.timings_s, "write": perf_counter() - began}
    timed = replace(analysis, timings_s=timings_s)
    (folder / "result.json").write_text(result_json(timed), encoding="utf-8")
