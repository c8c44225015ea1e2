"""What goes back to the PACS and into the record: SEG, SR and FHIR."""

import json
import warnings
from pathlib import Path

from calcinosis.analysis import Analysis
from calcinosis.write.dicom_source import source_images
from calcinosis.write.fhir import bundle
from calcinosis.write.seg import SegmentationType, Segments, segmentation
from calcinosis.write.sr import structured_report
from calcinosis.write.told import told_of

SEGMENTATION_FILE = "masses.seg.dcm"
REPORT_FILE = "measurements.sr.dcm"
BUNDLE_FILE = "bundle.fhir.json"


def write_deliverables(
    folder: Path,
    analysis: Analysis,
    *,
    deidentify: bool = False,
    segments: Segments = "masses",
    seg_type: SegmentationType = "bitmap",
) -> None:
    """Write `masses.seg.dcm`, `measurements.sr.dcm` and `bundle.fhir.json`.

    Without a segment there is no segmentation (DICOM knows no empty one); report and bundle say
    that there is no mass.
    Nothing is written for a study that was not read from DICOM.

    Args:
        folder: exists.
        analysis: the source files of its study must still be there.
        deidentify: say nowhere who the patient is; UIDs are mapped, alike in all three files.
        segments: ``all`` adds the skeleton and other calcifications, by kind, to the segmentation.
        seg_type: ``labelmap`` writes the segmentation as LABELMAP with RLE compression.
    """
    study, measurement, told = analysis.study, analysis.measurement, told_of(analysis)
    source = source_images(study, deidentify=deidentify)
    if source is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they would print the patient's name
        masses = segmentation(source, study, measurement, segments=segments, kind=seg_type)
        if masses is not None:
            masses.save_as(folder / SEGMENTATION_FILE)
        report = structured_report(source, measurement, masses, told)
        report.save_as(folder / REPORT_FILE)
    resources = bundle(source, measurement, told, analysis.patient)
    text = json.dumps(resources, indent=2, ensure_ascii=False)
    (folder / BUNDLE_FILE).write_text(text + "\n", encoding="utf-8")
