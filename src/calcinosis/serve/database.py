"""The tables of the node, on SQLite or PostgreSQL.

Times are seconds since 1970. Who the patient is stands in the table of studies, and nowhere else
outside the DICOM files themselves.
"""

from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from calcinosis.errors import InputError

BUSY_S = 60  # how long a writer waits for another one in SQLite
_SCHEMA_LOCK = 0xCA1C  # any number of our own: who starts first makes the tables

tables = MetaData()

studies = Table(
    "studies",
    tables,
    Column("id", String(32), primary_key=True),
    Column("study_instance_uid", String(64), nullable=False, unique=True),
    Column("patient_name", Text, nullable=False, default=""),
    Column("patient_id", Text, nullable=False, default=""),
    Column("study_date", String(8), nullable=False, default=""),
    Column("instances", Integer, nullable=False, default=0),
    Column("received_at", Float, nullable=False),
    Column("state", String(16), nullable=False),
    Column("wanted", String(16)),  # work that has come up: explain, measure, or none
    Column("doing", String(16)),  # work in hand
    Column("claim", String(32)),  # who has it in hand; names the folder of the run
    Column("lease_until", Float, nullable=False, default=0.0),
    Column("not_before", Float, nullable=False, default=0.0),
    Column("attempts", Integer, nullable=False, default=0),
    Column("progress", Float, nullable=False, default=0.0),
    Column("error", Text),
    Column("run", String(32)),  # folder of the latest results
    Column("finished_at", Float),
    Column("labs", Text),
    Column("labs_kind", String(8)),
    Index("studies_by_state", "state"),
)

# Tables of their own, so that a worklist made before them stays as it is.
prescriptions = Table(
    "prescriptions",
    tables,
    Column("study", ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True),
    Column("prescription", Text, nullable=False),
)

seeds = Table(
    "seeds",
    tables,
    Column("study", ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True),
    Column("seeds", Text, nullable=False),
)

instances = Table(
    "instances",
    tables,
    Column("study", ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True),
    Column("sop_instance_uid", String(64), primary_key=True),
)

deliveries = Table(
    "deliveries",
    tables,
    Column("study", ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True),
    Column("peer", String(64), primary_key=True),
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("run", String(32), nullable=False),
    Column("file", String(64), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("not_before", Float, nullable=False, default=0.0),
    Column("error", Text),
    Column("delivered_at", Float),
)


def connect(url: str) -> Engine:
    """Open the database and make its tables where they are missing.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``.

    Raises:
        InputError: the URL cannot be read, or the database cannot be reached.
    """
    unreadable = "--database cannot be read; expected sqlite:///FILE or postgresql://USER@HOST/NAME"
    if not url.startswith(("sqlite:///", "postgresql://")):
        raise InputError(unreadable)
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    try:
        if url.startswith("sqlite:"):
            # Connections stay open: on a full disk no new one could be opened, not even to read.
            engine = create_engine(url, max_overflow=-1, connect_args={"timeout": BUSY_S})
            event.listen(engine, "connect", _sqlite_connected)
            event.listen(engine, "begin", _sqlite_begins)
        else:
            engine = create_engine(url, pool_pre_ping=True)
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})"))
            tables.create_all(connection)
    except (ArgumentError, ValueError) as error:
        raise InputError(unreadable) from error
    except SQLAlchemyError as error:
        kind = type(getattr(error, "orig", None) or error).__name__
        raise InputError(f"--database cannot be used ({kind}); is it running and ours?") from error
    return engine


def insert_once(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row unless one with its key is there; True where it was new."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    once = insert(table).values(row).on_conflict_do_nothing()
    return connection.execute(once.returning(*table.primary_key)).first() is not None


def _sqlite_connected(connection: Any, _record: object) -> None:  # noqa: ANN401 - DBAPI's own
    """Leave transactions to us; wait for the disk, so that what was accepted stays."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begins(connection: Any) -> None:  # noqa: ANN401 - as the event gives it
    """Take the write lock at once: readers in one transaction never see another's half."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
