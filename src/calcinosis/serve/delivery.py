"""The outbox: each result goes to each peer once, tried until it is there.

What is to go where is noted in the transaction that finishes a study, one line per peer and SOP
Instance UID. A process killed between a peer's answer and our note sends again: results have the
same UIDs each time, so the peer holds one.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event
from time import time

from sqlalchemy import RowMapping, and_, select, update

from calcinosis.errors import InputError
from calcinosis.serve.database import deliveries
from calcinosis.serve.peers import DeliveryError, Peer
from calcinosis.serve.queue import back_off_s
from calcinosis.serve.worklist import Worklist

LOG = logging.getLogger(__name__)
IDLE_S, TROUBLE_S = 1.0, 5.0
LEASE_S = 300.0  # longer than a delivery may take


@dataclass(frozen=True)
class Outbox:
    """What delivers the results of a worklist.

    Attributes:
        peers: by name.
        ae_title: ours.
    """

    worklist: Worklist
    peers: Mapping[str, Peer]
    ae_title: str

    def run(self, stop: Event) -> None:
        """Deliver until told to stop."""
        while not stop.is_set():
            try:
                if not self.step():
                    stop.wait(IDLE_S)
            except Exception as error:  # noqa: BLE001 - a node without this thread only seems alive
                LOG.error("the outbox cannot be worked on (%s)", type(error).__name__)  # noqa: TRY400 - a traceback would quote the patient
                stop.wait(TROUBLE_S)

    def step(self) -> bool:
        """Try the delivery that waits longest; False where none is due."""
        due = self._take()
        if due is None:
            return False
        results = self.worklist.store.results(due["study"], due["run"])
        error = None
        try:
            self.peers[due["peer"]].send(results / due["file"], self.ae_title)
        except (DeliveryError, InputError) as failure:
            error = str(failure)
        except FileNotFoundError:  # newer results have taken its place, with a line of their own
            error = "the file is no longer there"
        self._note(due, error)
        return True

    def _take(self) -> RowMapping | None:
        """The next line, kept from others while we try."""
        now = time()
        ready = and_(
            deliveries.c.delivered_at.is_(None),
            deliveries.c.not_before <= now,
            deliveries.c.peer.in_(list(self.peers)),
        )
        first = select(deliveries).where(ready).order_by(deliveries.c.not_before).limit(1)
        with self.worklist.engine.begin() as connection:
            row = connection.execute(first.with_for_update(skip_locked=True)).mappings().first()
            if row is not None:
                values = {"attempts": row["attempts"] + 1, "not_before": now + LEASE_S}
                connection.execute(update(deliveries).where(_line(row)).values(values))
        return row

    def _note(self, due: RowMapping, error: str | None) -> None:
        attempts = due["attempts"] + 1
        values = (
            {"delivered_at": time(), "error": None}
            if error is None
            else {"error": error, "not_before": time() + back_off_s(attempts)}
        )
        with self.worklist.engine.begin() as connection:
            connection.execute(update(deliveries).where(_line(due)).values(values))
        if error is None:
            LOG.info("study %s: %s delivered to %s", due["study"], due["file"], due["peer"])
        else:
            LOG.warning("study %s: not delivered to %s, %s", due["study"], due["peer"], error)


def _line(row: RowMapping):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a clause of SQLAlchemy
    key = ("study", "peer", "sop_instance_uid")
    return and_(*(deliveries.c[name] == row[name] for name in key))
