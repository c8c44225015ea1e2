"""Cohorts for tests: the main path, and a stand-in for the worker that measures one study."""

import csv
import json
from pathlib import Path

from calcinosis.cohort.cohort import Settings
from calcinosis.cohort.progress import Shown
from calcinosis.cohort.run import run


class Measurer:
    """Stands in for the worker: knows what each study yields, and which it was asked for."""

    def __init__(self, results: list[str]) -> None:
        self.followed = {}
        self.days_without_mass: set[str] = set()
        self.results, self.asked, self.pairs, self.outcomes = results, [], [], {}

    def __call__(self, studies, folder, *, known, **_):
        if len(studies) == 2:
            return self.compared(studies, folder)
        name = studies[0].patient_id
        self.asked.append((name, known))
        state, reason = self.outcomes.get(name, ("measured", ""))
        if state == "stop":
            raise KeyboardInterrupt
        if state == "measured":
            folder.mkdir(parents=True, exist_ok=True)
            day = str(studies[0].subject.study_date)
            text = self.results["none" in name or day in self.days_without_mass]
            (folder / "result.json").write_text(text, encoding="utf-8")
            (folder / "report.html").write_text("a report", encoding="utf-8")
        return state, reason

    def compared(self, studies, folder):
        self.pairs.append([str(study.subject.study_date) for study in studies])
        if not self.followed:
            return "refused", "not the same patient"
        folder.mkdir(parents=True)
        for name, text in self.followed.items():
            (folder / name).write_text(text, encoding="utf-8")
        return "measured", ""

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.asked]


def measure(archive: Path, output: Path, *, deidentify: bool = False, **options):
    """Run the command's main path, and say nothing."""
    settings = Settings(options.pop("patient_position", None), deidentify)
    return run(archive, output, settings, shown=Shown(quiet=True), **options)


def record(output: Path) -> dict:
    return json.loads((output / "cohort.json").read_text(encoding="utf-8"))


def rows(output: Path, name: str) -> list[dict[str, str]]:
    with (output / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
