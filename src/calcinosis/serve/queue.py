"""Who does which study: claims with a lease, so that work of a killed process is done again.

A claim is one transaction: ``FOR UPDATE SKIP LOCKED`` on PostgreSQL, the write lock of SQLite. Only
the holder of a claim can finish it, so a study is done once though two processes may try.
"""

from dataclasses import dataclass
from time import time
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, delete, or_, select, update

from calcinosis.serve.database import deliveries, insert_once, studies
from calcinosis.serve.earlier_scans import MOST_EARLIER, EarlierScan
from calcinosis.serve.given import LabsKind
from calcinosis.serve.store import Store, opaque
from calcinosis.serve.worklist import WITH_GIVEN, Worklist, compare_anew

LEASE_S = 20.0  # without a sign of life for so long, a study is taken over
MOST_ATTEMPTS = 5
KILLED = f"the analysis was killed {MOST_ATTEMPTS} times; the study may need more memory"
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 3600.0


@dataclass(frozen=True)
class Claim:
    """One study in hand.

    Attributes:
        study: its id.
        run: random; the claim's own name and that of the folder it may write.
        work: ``measure`` or ``explain``.
        last_run: name of the latest results' folder, whose measurement `explain` starts from.
        earlier_scans: measured studies of the same patient, the latest first.
        attempt: 1 for the first.
    """

    study: str
    run: str
    work: str
    last_run: str | None
    earlier_scans: tuple[EarlierScan, ...]
    attempt: int
    labs: str | None
    labs_kind: LabsKind | None
    prescription: str | None
    seeds: str | None


@dataclass(frozen=True)
class ResultFile:
    """A DICOM instance to deliver: its name in the results folder and its SOP Instance UID."""

    name: str
    sop_instance_uid: str


def back_off_s(attempts: int) -> float:
    """How long to wait after so many failed attempts, seconds."""
    return float(min(FIRST_WAIT_S * 2 ** (attempts - 1), LONGEST_WAIT_S))


def queue_quiet(worklist: Worklist, quiet_s: float) -> list[str]:
    """Queue studies to which nothing was added for `quiet_s` seconds; their ids."""
    rested = and_(studies.c.state == "receiving", studies.c.received_at <= time() - quiet_s)
    with worklist.engine.begin() as connection:
        queued = update(studies).where(rested).values(state="queued").returning(studies.c.id)
        return list(connection.execute(queued).scalars())


def claim(worklist: Worklist, *, lease_s: float = LEASE_S) -> Claim | None:
    """Take the study that waits longest; None where there is nothing to do."""
    now = time()
    killed = and_(studies.c.state == "analysing", studies.c.lease_until < now)
    due = or_(and_(studies.c.state == "queued", studies.c.not_before <= now), killed)
    oldest = select(studies).where(due).order_by(studies.c.received_at).limit(1)
    with worklist.engine.begin() as connection:
        row = connection.execute(oldest.with_for_update(skip_locked=True)).mappings().first()
        if row is None:
            return None
        changes: dict[str, Any] = {
            "state": "analysing",
            "wanted": None,
            "doing": _most(row["wanted"], row["doing"]),
            "claim": opaque(),
            "attempts": row["attempts"] + 1,
            "lease_until": now + lease_s,
            "progress": 0.0,
        }
        if row["attempts"] >= MOST_ATTEMPTS:
            changes |= _released(None, "failed") | {"error": KILLED}
        connection.execute(update(studies).where(studies.c.id == row["id"]).values(changes))
        held = connection.execute(WITH_GIVEN.where(studies.c.id == row["id"])).mappings().one()
        earlier = _earlier_scans(connection, worklist.store, held)
    worklist.store.drop_run(row["id"], row["claim"])
    if changes["state"] == "failed":
        return claim(worklist, lease_s=lease_s)
    return Claim(
        held["id"],
        held["claim"],
        held["doing"],
        held["run"],
        earlier,
        held["attempts"],
        held["labs"],
        held["labs_kind"],
        held["prescription"],
        held["seeds"],
    )


def _earlier_scans(
    connection: Connection, store: Store, held: RowMapping
) -> tuple[EarlierScan, ...]:
    """Of the same patient, dated, on an earlier day, with results."""
    if not (held["patient_id"] and held["study_date"]):
        return ()
    theirs = and_(
        studies.c.patient_id == held["patient_id"],
        studies.c.study_date < held["study_date"],
        studies.c.study_date != "",
        studies.c.run.is_not(None),
    )
    latest = WITH_GIVEN.where(theirs).order_by(studies.c.study_date.desc(), studies.c.id)
    return tuple(
        EarlierScan(
            row["study_date"],
            str(store.instances(row["id"])),
            str(store.run(row["id"], row["run"])),
            row["seeds"],
        )
        for row in connection.execute(latest.limit(MOST_EARLIER)).mappings()
    )


def still_ours(
    worklist: Worklist, held: Claim, progress: float, *, lease_s: float = LEASE_S
) -> bool:
    """Show life and progress (0 to 1); False where the study was deleted or taken over."""
    with worklist.engine.begin() as connection:
        values = {"lease_until": time() + lease_s, "progress": progress}
        done = connection.execute(update(studies).where(_of(held)).values(values))
        return done.rowcount == 1


def finish(
    worklist: Worklist,
    held: Claim,
    files: list[ResultFile],
    peers: tuple[str, ...],
    *,
    measured: bool = True,
) -> bool:
    """Make a run's results the study's, and note what each peer is to get; False if not ours.

    An instance that a peer has got, or is to get, is not noted twice. Of a study that was deleted
    or taken over in the meantime nothing is left.

    Args:
        worklist: of the node.
        held: the claim.
        files: what to deliver.
        peers: to whom.
        measured: whether the scan was measured anew, so that later ones are compared with it anew.
    """
    ours = _finished(worklist, held, files, peers, measured=measured)
    worklist.store.drop_run(held.study, held.last_run if ours else held.run)
    return ours


def _finished(
    worklist: Worklist,
    held: Claim,
    files: list[ResultFile],
    peers: tuple[str, ...],
    *,
    measured: bool,
) -> bool:
    with worklist.engine.begin() as connection:
        row = _row(connection, held)
        if row is None:
            return False
        values = {"run": held.run, "finished_at": time(), "error": None, "attempts": 0}
        connection.execute(
            update(studies).where(_of(held)).values(values | _released(row["wanted"], "done"))
        )
        if measured:
            compare_anew(connection, row)
        unsent = and_(deliveries.c.study == held.study, deliveries.c.delivered_at.is_(None))
        connection.execute(delete(deliveries).where(unsent))
        for file in files:
            for peer in peers:
                note = {"study": held.study, "peer": peer, "run": held.run, "file": file.name}
                note["sop_instance_uid"] = file.sop_instance_uid
                insert_once(connection, deliveries, note)
    return True


def fail(worklist: Worklist, held: Claim, error: str, *, again: bool) -> bool:
    """Note why a run failed, and let it be tried again where that may help; False if not ours.

    Args:
        worklist: of the node.
        held: the claim.
        error: one line without patient data.
        again: whether another attempt may end otherwise.
    """
    worklist.store.drop_run(held.study, held.run)
    with worklist.engine.begin() as connection:
        row = _row(connection, held)
        if row is None:
            return False
        values = {"error": error, **_released(row["wanted"], "failed")}
        if again and held.attempt < MOST_ATTEMPTS:
            values["wanted"] = _most(row["wanted"], held.work)
            values["not_before"] = time() + back_off_s(held.attempt)
            if values["state"] == "failed":
                values["state"] = "queued"
        connection.execute(update(studies).where(_of(held)).values(values))
    return True


def give_back(
    worklist: Worklist, held: Claim, error: str | None = None, wait_s: float = 0.0
) -> None:
    """Lay down a study undone, for whoever comes next; it does not count as an attempt.

    Args:
        worklist: of the node.
        held: the claim.
        error: one line without patient data: what it waits for.
        wait_s: seconds until it may be taken up.
    """
    worklist.store.drop_run(held.study, held.run)
    with worklist.engine.begin() as connection:
        row = _row(connection, held)
        if row is not None:
            values = {
                **_released(row["wanted"], "queued"),
                "wanted": _most(row["wanted"], held.work),
            }
            values |= {"attempts": held.attempt - 1, "error": error}
            values["not_before"] = time() + wait_s
            connection.execute(update(studies).where(_of(held)).values(values))


def _most(*works: str | None) -> str:
    """To measure is to explain as well."""
    return "measure" if "measure" in works else "explain"


def _released(wanted: str | None, otherwise: str) -> dict[str, Any]:
    """No longer in hand: wait for more images, be queued anew, or rest."""
    state = {"measure": "receiving", "explain": "queued"}.get(wanted or "", otherwise)
    return {"state": state, "doing": None, "claim": None}


def _row(connection: Connection, held: Claim) -> RowMapping | None:
    mine = select(studies).where(_of(held)).with_for_update()
    return connection.execute(mine).mappings().first()


def _of(held: Claim) -> Any:  # noqa: ANN401 - a clause of SQLAlchemy
    return and_(studies.c.id == held.study, studies.c.claim == held.run)
