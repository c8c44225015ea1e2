"""Photograph the worklist for the manual: `python docs/worklist.py RESULTS PICTURE.png`.

RESULTS is a folder of results, as the demo leaves it; the patients are invented.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

from picture import photograph
from sqlalchemy import insert
from starlette.testclient import TestClient

from calcinosis.serve.access import Access
from calcinosis.serve.database import studies
from calcinosis.serve.store import opaque
from calcinosis.serve.web import web_app
from calcinosis.serve.worklist import Worklist, open_worklist
from calcinosis.write.files import RESULT_FILES

HEIGHT_PX = 730
PATIENTS = (
    {"patient_name": "Doe^Jane", "patient_id": "1001", "instances": 38, "state": "receiving"},
    {"patient_name": "Roe^Richard", "patient_id": "1002", "instances": 412, "state": "queued"},
    {
        "patient_name": "Specimen^Ada",
        "patient_id": "1003",
        "instances": 240,
        "state": "analysing",
        "progress": 0.62,
    },
    {"patient_name": "Example^Otto", "patient_id": "1004", "instances": 130, "state": "done"},
    {
        "patient_name": "Sample^Eve",
        "patient_id": "1005",
        "instances": 2,
        "state": "failed",
        "error": "2 slices do not make a volume; expected at least 3",
    },
)


def fill(worklist: Worklist, results: Path) -> None:
    """One study in each state; the one that is done has the demo's results."""
    for number, patient in enumerate(PATIENTS):
        run = opaque() if patient["state"] == "done" else None
        row = {
            "id": opaque(),
            "study_instance_uid": f"1.2.{number}",
            "study_date": "20250301",
            "received_at": time.time() - 240 * number,
            "run": run,
            **patient,
        }
        with worklist.engine.begin() as connection:
            connection.execute(insert(studies).values(row))
        if run:
            folder = worklist.store.results(row["id"], run)
            folder.mkdir(parents=True)
            for name in RESULT_FILES:
                if (results / name).exists():
                    shutil.copy(results / name, folder / name)


def main(results: Path, picture: Path) -> None:
    """Render the page with its style inside, and photograph it."""
    with tempfile.TemporaryDirectory() as folder:
        worklist = open_worklist(Path(folder) / "data")
        fill(worklist, results)
        access = Access("for the picture alone")
        client = TestClient(web_app(worklist, access), cookies={access.cookie: access.session()})
        link = '<link rel="stylesheet" href="/static/style.css">'
        style = f"<style>{client.get('/static/style.css').text}</style>"
        page = Path(folder) / "worklist.html"
        page.write_text(client.get("/").text.replace(link, style), encoding="utf-8")
        worklist.engine.dispose()
        photograph(page, picture, HEIGHT_PX)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
