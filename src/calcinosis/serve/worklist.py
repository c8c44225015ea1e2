"""The worklist: what people see of the studies, and what they can ask for.

For pages: make one `Worklist` per server (`open_worklist`), call it from any thread; every call is
one short transaction. `StudyEntry.id` is random and safe in URLs, file names and logs; the name of
the patient, the ID and the study date are for the page alone. A study whose id is not known raises
`UnknownStudyError`. Files to download are those in `results_folder(id)`, which is None until a
first analysis is done; while a study is analysed anew, the earlier results stay there.
"""

import json
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import quote

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    RowMapping,
    case,
    delete,
    func,
    insert,
    select,
    update,
)

from calcinosis.errors import InputError
from calcinosis.measure.mass import Point
from calcinosis.serve.database import connect, deliveries, prescriptions, seeds, studies
from calcinosis.serve.given import LabsKind, read_given_seeds
from calcinosis.serve.prescription_entry import check_given
from calcinosis.serve.store import Store
from calcinosis.write.measurement_file import NAME, measured_volume

State = Literal["receiving", "queued", "analysing", "done", "failed"]


class UnknownStudyError(InputError):
    """No study has this id; it may have been deleted."""


@dataclass(frozen=True)
class Delivery:
    """One result file on its way to one peer.

    Attributes:
        delivered_at: seconds since 1970; None while it is still to be sent.
        error: why the latest attempt failed.
    """

    peer: str
    file: str
    attempts: int
    error: str | None
    delivered_at: float | None


@dataclass(frozen=True)
class StudyEntry:
    """One line of the worklist.

    Attributes:
        id: random; the only name of a study in URLs, logs and on disk.
        state: receiving (more may come) → queued → analysing → done or failed.
        progress: 0 to 1 while analysing.
        error: one line without patient data, where it failed or is to be tried again.
        instances: how many DICOM instances were received.
        received_at: of the latest instance, seconds since 1970.
        finished_at: of the latest results, seconds since 1970.
        has_results: whether there are files to download.
        labs, labs_kind: as entered: text of a CSV table, or of a FHIR bundle or case file.
        prescription: as entered: JSON, see `prescription_entry`.
        seeds_lps_mm: points that were asked to be measured as masses.
        deliveries: one per result file and peer.
    """

    id: str
    state: State
    progress: float
    error: str | None
    patient_name: str
    patient_id: str
    study_date: str
    instances: int
    received_at: float
    finished_at: float | None
    has_results: bool
    labs: str | None
    labs_kind: LabsKind | None
    prescription: str | None
    seeds_lps_mm: tuple[Point, ...]
    deliveries: tuple[Delivery, ...] = ()


@dataclass(frozen=True)
class Worklist:
    """Studies of one node."""

    engine: Engine
    store: Store

    def count(self) -> int:
        """How many studies there are."""
        with self.engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(studies)).scalar_one()

    def studies(self, first: int = 0, most: int | None = None) -> list[StudyEntry]:
        """All studies, the latest received first; or at most `most` of them from the `first` on."""
        latest = studies.c.received_at.desc(), studies.c.id
        asked = WITH_GIVEN.order_by(*latest).offset(first).limit(most)
        with self.engine.connect() as connection:
            found = list(connection.execute(asked).mappings())
            theirs = select(deliveries)
            if most is not None:
                theirs = theirs.where(deliveries.c.study.in_([row["id"] for row in found]))
            sent = defaultdict(list)
            for one in connection.execute(theirs).mappings():
                sent[one["study"]].append(one)
        return [_entry(row, sent[row["id"]]) for row in found]

    def study(self, study: str) -> StudyEntry:
        """One study.

        Raises:
            UnknownStudyError: there is none.
        """
        with self.engine.connect() as connection:
            row = self._row(connection, study)
            sent = connection.execute(select(deliveries).where(deliveries.c.study == study))
            return _entry(row, list(sent.mappings()))

    def results_folder(self, study: str) -> Path | None:
        """Where the latest results lie; None where there are none yet."""
        with self.engine.connect() as connection:
            run = self._row(connection, study)["run"]
        return None if run is None else self.store.results(study, run)

    def set_labs(self, study: str, text: str, kind: LabsKind) -> None:
        """Enter laboratory results; explanation and forecast are made anew, the CT is not measured.

        Args:
            study: id of the study.
            text: CSV (``date,analyte,value,unit``), or JSON: a FHIR bundle or a case file. Empty
                takes entered results away.
            kind: which of both.

        Raises:
            InputError: names the row or field that cannot be used.
        """
        given: dict[str, Any] = {"labs": text, "labs_kind": kind} if text.strip() else _NO_LABS
        with self.engine.begin() as connection:
            row = self._locked_row(connection, study)
            check_given(given["labs"], given["labs_kind"], row["prescription"])
            want(connection, study, "explain", given)

    def set_prescription(self, study: str, text: str) -> None:
        """Enter today's prescription; the forecast is made anew, the CT is not measured.

        Args:
            study: id of the study.
            text: JSON, see `prescription_entry`. Empty takes it away: the usual one is assumed.

        Raises:
            InputError: names the field that cannot be used, or contradicts what was entered.
        """
        with self.engine.begin() as connection:
            row = self._locked_row(connection, study)
            check_given(row["labs"], row["labs_kind"], text)
            _keep(connection, study, prescriptions.c.prescription, text)

    def ask_for_mass(self, study: str, seed_lps_mm: Point) -> None:
        """Have a point measured as a mass; asked for again, it changes nothing.

        Raises:
            InputError: it lies outside the scan that was measured.
        """
        from calcinosis.measure.seed import check_inside

        with self.engine.begin() as connection:
            row = self._locked_row(connection, study)
            asked = read_given_seeds(row["seeds"])
            run = row["run"]
            volume = measured_volume(self.store.run(study, run) / NAME) if run else None
            if volume:
                check_inside(volume, seed_lps_mm)
            if seed_lps_mm not in asked:
                _keep(connection, study, seeds.c.seeds, json.dumps([*asked, seed_lps_mm]))

    def take_back(self, study: str, seed_lps_mm: Point) -> None:
        """No longer have a point measured as a mass; one that was not asked for changes nothing."""
        with self.engine.begin() as connection:
            asked = read_given_seeds(self._locked_row(connection, study)["seeds"])
            left = [seed for seed in asked if seed != seed_lps_mm]
            if len(left) < len(asked):
                _keep(connection, study, seeds.c.seeds, json.dumps(left) if left else "")

    def rerun(self, study: str) -> None:
        """Analyse a study anew, from its images."""
        with self.engine.begin() as connection:
            self._row(connection, study)
            want(connection, study, "measure", {})

    def delete(self, study: str) -> None:
        """Forget a study and drop its files; what peers have received stays there."""
        with self.engine.begin() as connection:
            row = self._row(connection, study)
            connection.execute(delete(studies).where(studies.c.id == study))
            compare_anew(connection, row)
        self.store.delete(study)

    def _locked_row(self, connection: Connection, study: str) -> RowMapping:
        """As `_row`; nobody else changes the study until the transaction ends."""
        own = select(studies.c.id).where(studies.c.id == study)
        connection.execute(own.with_for_update())
        return self._row(connection, study)

    def _row(self, connection: Connection, study: str) -> RowMapping:
        asked = WITH_GIVEN.where(studies.c.id == study)
        row = connection.execute(asked).mappings().first()
        if row is None:
            raise UnknownStudyError(f"study {study[:32]!r} is not in the worklist")
        return row


_BESIDE = (prescriptions.c.prescription, seeds.c.seeds)
WITH_GIVEN = select(studies, *_BESIDE).outerjoin(prescriptions).outerjoin(seeds)
_NO_LABS: dict[str, Any] = {"labs": None, "labs_kind": None}


def open_worklist(folder: Path, database: str | None = None) -> Worklist:
    """The worklist of a node.

    Args:
        folder: for files, made where missing; holds the SQLite file too, unless:
        database: a URL, see `database.connect`.

    Raises:
        OutputError: the folder cannot be used.
        InputError: the database cannot be used.
    """
    store = Store(folder.absolute())
    store.prepare()
    return Worklist(connect(database or _file_for(store)), store)


def _file_for(store: Store) -> str:
    """The URL of a SQLite file in the folder, for nobody else to read, whoever made the folder."""
    file = store.folder / "worklist.sqlite"
    with suppress(OSError):  # which opening it tells
        file.touch(mode=0o600)
    return f"sqlite:///{quote(str(file))}"


def want(connection: Connection, study: str, work: str, changes: dict[str, Any]) -> None:
    """Note work to be done on a study; a study in hand comes to it afterwards.

    Args:
        connection: in a transaction.
        study: its id.
        work: ``measure`` (the images, then all that follows) or ``explain`` (all that follows; the
            images, too, where the seeds are others than those they were measured with).
        changes: further columns to set.
    """
    measures = studies.c.wanted == "measure"
    busy = studies.c.state.in_(("analysing", "receiving"))
    connection.execute(
        update(studies)
        .where(studies.c.id == study)
        .values(
            wanted=case((measures, "measure"), else_=work),
            state=case((busy, studies.c.state), else_="queued"),
            attempts=0,
            not_before=0.0,
            error=None,
            **changes,
        )
    )


def compare_anew(connection: Connection, changed: RowMapping) -> None:
    """Have later scans of a patient compared anew, after this one changed or went."""
    if not (changed["patient_id"] and changed["study_date"]):
        return
    theirs = select(studies.c.id).where(
        studies.c.patient_id == changed["patient_id"],
        studies.c.study_date > changed["study_date"],
        studies.c.run.is_not(None),
        studies.c.state != "failed",
    )
    for later in connection.execute(theirs).scalars().all():
        want(connection, later, "explain", {})


def _keep(connection: Connection, study: str, column: Column[str], text: str) -> None:
    """Keep what was entered for a study in the table that is for it; empty takes it away."""
    table = column.table
    connection.execute(delete(table).where(table.c.study == study))
    if text:
        connection.execute(insert(table).values({"study": study, column.name: text}))
    want(connection, study, "explain", {})


def _entry(row: RowMapping, sent: list[RowMapping]) -> StudyEntry:
    return StudyEntry(
        id=row["id"],
        state=cast("State", row["state"]),
        progress=row["progress"] if row["state"] == "analysing" else 0.0,
        error=row["error"],
        patient_name=row["patient_name"],
        patient_id=row["patient_id"],
        study_date=row["study_date"],
        instances=row["instances"],
        received_at=row["received_at"],
        finished_at=row["finished_at"],
        has_results=row["run"] is not None,
        labs=row["labs"],
        labs_kind=row["labs_kind"],
        prescription=row["prescription"],
        seeds_lps_mm=read_given_seeds(row["seeds"]),
        deliveries=tuple(
            Delivery(one["peer"], one["file"], one["attempts"], one["error"], one["delivered_at"])
            for one in sent
        ),
    )
