"""The artificial patient of ``calcinosis demo``: a scan, a case file and laboratory results."""

import json
from dataclasses import dataclass
from pathlib import Path

# Invented, as a patient with long haemodialysis, severe hyperparathyroidism and a high product
# would bring it; fields as in docs/diagnose.md.
CASE = {
    "age_years": 52,
    "sex": "M",
    "ckd": "dialysis_hd",
    "dialysis_vintage_years": 9,
    "family_history": False,
    "sites": ["hip"],
    "symptom_duration_months": 14,
    "symptoms": {"pain": False, "limited_motion": True, "fever": False},
}
LABS = """date,analyte,value,unit
2019-03-10,calcium,2.55,mmol/L
2019-03-10,albumin,38,g/L
2019-03-10,phosphate,2.30,mmol/L
2019-03-10,pth,1180,pg/mL
2019-09-08,calcium,10.6,mg/dL
2019-09-08,albumin,3.7,g/dL
2019-09-08,phosphate,7.6,mg/dL
2019-09-08,pth,1460,pg/mL
2019-09-08,alp,312,U/L
"""


@dataclass(frozen=True)
class DemoFiles:
    """Where the patient was written."""

    dicom: Path
    patient: Path
    labs: Path


def write_demo_patient(folder: Path) -> DemoFiles:
    """Write the patient as the files a user would have."""
    from calcinosis.phantom.dicom import write_series
    from calcinosis.phantom.patient import demo_phantom

    files = DemoFiles(folder / "dicom", folder / "patient.json", folder / "labs.csv")
    write_series(demo_phantom(), files.dicom)
    files.patient.write_text(json.dumps(CASE, indent=2) + "\n", encoding="utf-8")
    files.labs.write_text(LABS, encoding="utf-8")
    return files
