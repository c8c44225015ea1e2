"""Studies fetched from a DICOMweb server, where it cannot push: QIDO finds them, WADO brings them.

Asked for are CT studies. The query of the URL narrows them, as QIDO has it
(``https://pacs/dicom-web?StudyDate=20260101-&PatientID=…``); without a StudyDate in it, those of
today and yesterday.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from requests import HTTPError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from calcinosis.errors import InputError
from calcinosis.serve.database import instances, studies
from calcinosis.serve.intake import header_of, take_in
from calcinosis.serve.peers import web_client
from calcinosis.serve.spool import SPARE_BYTES, Spool
from calcinosis.serve.tls import Tls
from calcinosis.serve.worklist import Worklist
from calcinosis.write.deidentified_copy import deidentify_file
from calcinosis.write.dicom_source import deidentified_uid

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient

LOG = logging.getLogger(__name__)
EVERY_S = 60.0
_STUDY, _SERIES, _INSTANCE = "0020000D", "0020000E", "00080018"


@dataclass(frozen=True)
class Source:
    """A DICOMweb server that is looked at for new studies."""

    worklist: Worklist
    url: SplitResult
    deidentify: bool = False
    tls: Tls = field(default_factory=Tls)
    spare_bytes: int = SPARE_BYTES

    def run(self, stop: Event) -> None:
        """Look now and then until told to stop."""
        while not stop.is_set():
            try:
                self.fetch(stop)
            except Exception as error:  # noqa: BLE001 - whatever a server's answer does to a parser
                LOG.warning("the DICOMweb source cannot be read (%s)", type(error).__name__)
            stop.wait(EVERY_S)

    def fetch(self, stop: Event) -> int:
        """Fetch what is new; how many instances that were."""
        client, fetched, failed = web_client(self.url, self.tls), 0, 0
        for uids in self._missing(client):
            if stop.is_set():
                break
            if self._take(client, uids):
                fetched += 1
            else:
                failed += 1
        if fetched:
            LOG.info("fetched %d instances by DICOMweb", fetched)
        if failed:
            LOG.warning("%d instances cannot be had by DICOMweb", failed)
        return fetched

    def _take(self, client: "DICOMwebClient", uids: tuple[str, str, str]) -> bool:
        """Fetch one instance; one that cannot be had or read must not hold up the others."""
        try:
            dataset = client.retrieve_instance(*uids)
            with Spool(self.worklist.store.incoming, self.spare_bytes) as spool:
                dataset.save_as(spool.path, enforce_file_format=True, overwrite=True)
                if self.deidentify:
                    deidentify_file(spool.path)
                take_in(self.worklist, spool.complete(), header_of(spool.path))
        except HTTPError:  # the server answered, but not with this instance
            return False
        except (OSError, SQLAlchemyError):  # server, disk or worklist: none will come now
            raise
        except Exception:  # noqa: BLE001 - foreign bytes
            return False
        return True

    def _missing(self, client: "DICOMwebClient") -> Iterator[tuple[str, str, str]]:
        """Study, series and instance UID of every CT instance that is not here."""
        every_study = partial(client.search_for_studies, search_filters=self._filters())
        for study in _uids(every_study, _STUDY):
            known = self._known(self._as_kept(study))
            every_series = partial(
                client.search_for_series, study, search_filters={"Modality": "CT"}
            )
            for series in _uids(every_series, _SERIES):
                for image in _uids(partial(client.search_for_instances, study, series), _INSTANCE):
                    if self._as_kept(image) not in known:
                        yield study, series, image

    def _as_kept(self, uid: str) -> str:
        return deidentified_uid(uid) if self.deidentify else uid

    def _known(self, study: str) -> set[str]:
        held = (
            select(instances.c.sop_instance_uid)
            .join(studies)
            .where(studies.c.study_instance_uid == study)
        )
        with self.worklist.engine.connect() as connection:
            return set(connection.execute(held).scalars())

    def _filters(self) -> dict[str, str]:
        yesterday = date.today() - timedelta(days=1)  # noqa: DTZ011 - the hospital's day
        asked = {"StudyDate": f"{yesterday:%Y%m%d}-", **dict(parse_qsl(self.url.query))}
        return {"ModalitiesInStudy": "CT", **asked}


def source_url(text: str) -> SplitResult:
    """Read ``--dicomweb URL``.

    Raises:
        InputError: it is no web address.
    """
    try:
        url = urlsplit(text)
        known = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:  # a port or an address in brackets that is none
        known = False
    if not known:
        raise InputError("--dicomweb cannot be read; expected https://HOST/PATH")
    return url


def _uids(search: Callable[..., list[dict[str, Any]]], tag: str) -> Iterator[str]:
    """The UIDs of all that a search finds, though a server may tell but so many at once.

    It is asked for the rest until nothing new comes: some know no offset and repeat themselves.
    """
    told: set[str] = set()
    while portion := [uid for uid in _in(search(offset=len(told)), tag) if uid not in told]:
        told.update(portion)
        yield from portion


def _in(found: list[dict[str, Any]], tag: str) -> list[str]:
    return [str(one.get(tag, {}).get("Value", [""])[0]) for one in found]
