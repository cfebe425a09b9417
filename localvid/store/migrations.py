"""The history of the tables: numbered functions, applied in order, never changed once released.

Each is written in SQL that SQLite and PostgreSQL both read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, func, insert, inspect, select

from localvid.errors import WorkspaceError
from localvid.store.database import Database
from localvid.store.tables import schema_version


def migrate(database: Database, migrations: Sequence[Callable[[Connection], None]] | None = None) -> None:
    """Bring the tables up to date in one transaction; two processes may call it at once.

    Raises WorkspaceError if a newer localvid made them.
    """
    migrations = MIGRATIONS if migrations is None else migrations
    with database.read() as connection:
        if version(connection, len(migrations)) == len(migrations):
            return
    with database.write() as connection:
        for number in range(version(connection, len(migrations)) + 1, len(migrations) + 1):
            migrations[number - 1](connection)
            connection.execute(insert(schema_version).values(version=number))


def version(connection: Connection, known: int) -> int:
    """How many migrations were applied. Raises WorkspaceError if that is more than the `known` ones."""
    if not inspect(connection).has_table(schema_version.name):
        return 0
    applied: int = connection.execute(select(func.max(schema_version.c.version))).scalar() or 0
    if applied > known:
        raise WorkspaceError(
            f"the workspace was made by a newer localvid (schema {applied}, this one knows {known})",
            hint="update localvid, or choose another --workspace",
        )
    return applied


def _m001_jobs_steps_artifacts(connection: Connection) -> None:
    for statement in (
        "CREATE TABLE schema_version (version INTEGER PRIMARY KEY)",
        """CREATE TABLE jobs (
            id TEXT NOT NULL PRIMARY KEY,
            status TEXT NOT NULL,
            prompt TEXT NOT NULL,
            options TEXT NOT NULL,
            seed BIGINT NOT NULL,
            storyboard TEXT,
            output TEXT,
            error TEXT NOT NULL,
            hint TEXT NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
            lease_owner TEXT,
            lease_expires_at TIMESTAMP WITH TIME ZONE,
            cancel_requested BOOLEAN NOT NULL
        )""",
        "CREATE INDEX jobs_by_age ON jobs (created_at, id)",
        "CREATE INDEX jobs_by_status ON jobs (status, created_at, id)",
        "CREATE INDEX jobs_by_owner ON jobs (lease_owner)",
        """CREATE TABLE job_steps (
            job_id TEXT NOT NULL,
            position INTEGER NOT NULL,
            key TEXT NOT NULL,
            kind TEXT NOT NULL,
            label TEXT NOT NULL,
            PRIMARY KEY (job_id, position),
            FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE
        )""",
        "CREATE INDEX job_steps_by_key ON job_steps (key)",
        """CREATE TABLE artifacts (
            address TEXT NOT NULL PRIMARY KEY,
            bytes BIGINT NOT NULL
        )""",
        """CREATE TABLE steps (
            key TEXT NOT NULL PRIMARY KEY,
            kind TEXT NOT NULL,
            address TEXT NOT NULL,
            FOREIGN KEY (address) REFERENCES artifacts (address)
        )""",
        "CREATE INDEX steps_by_address ON steps (address)",
    ):
        connection.exec_driver_sql(statement)


def _m002_notices(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN notices TEXT NOT NULL DEFAULT '[]'")


def _m003_paid_calls(connection: Connection) -> None:
    for statement in (
        """CREATE TABLE paid_calls (
            id TEXT NOT NULL PRIMARY KEY,
            job_id TEXT NOT NULL,
            step_key TEXT NOT NULL,
            owner TEXT NOT NULL,
            host TEXT NOT NULL,
            model TEXT NOT NULL,
            version TEXT NOT NULL,
            inputs TEXT NOT NULL,
            state TEXT NOT NULL,
            run_id TEXT,
            estimated_usd FLOAT NOT NULL,
            cost_usd FLOAT,
            detail TEXT NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL
        )""",
        "CREATE INDEX paid_calls_by_step ON paid_calls (step_key)",
        "CREATE INDEX paid_calls_by_job ON paid_calls (job_id)",
        "CREATE INDEX paid_calls_by_age ON paid_calls (created_at)",
    ):
        connection.exec_driver_sql(statement)


def _m004_artifact_use(connection: Connection) -> None:
    """What was made before is as old as the job that last refers to it; what none refers to is oldest."""
    for statement in (
        """ALTER TABLE artifacts ADD COLUMN used_at TIMESTAMP WITH TIME ZONE NOT NULL
            DEFAULT '1970-01-01 00:00:00.000000'""",
        """UPDATE artifacts SET used_at = COALESCE(
            (SELECT MAX(jobs.updated_at) FROM steps
                JOIN job_steps ON job_steps.key = steps.key
                JOIN jobs ON jobs.id = job_steps.job_id
                WHERE steps.address = artifacts.address),
            used_at)""",
    ):
        connection.exec_driver_sql(statement)


def _m005_batches(connection: Connection) -> None:
    for statement in (
        """CREATE TABLE batches (
            id TEXT NOT NULL PRIMARY KEY,
            source TEXT NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE NOT NULL
        )""",
        "CREATE INDEX batches_by_age ON batches (created_at)",
        """CREATE TABLE batch_jobs (
            batch_id TEXT NOT NULL,
            number INTEGER NOT NULL,
            line INTEGER NOT NULL,
            job_id TEXT NOT NULL,
            state TEXT NOT NULL,
            stage INTEGER NOT NULL,
            model TEXT NOT NULL,
            units FLOAT NOT NULL,
            attempts INTEGER NOT NULL,
            not_before TIMESTAMP WITH TIME ZONE,
            seconds FLOAT NOT NULL,
            error TEXT NOT NULL,
            hint TEXT NOT NULL,
            updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
            PRIMARY KEY (batch_id, number),
            FOREIGN KEY (batch_id) REFERENCES batches (id) ON DELETE CASCADE,
            FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE
        )""",
        "CREATE INDEX batch_jobs_by_stage ON batch_jobs (batch_id, state, stage, model, number)",
        "CREATE INDEX batch_jobs_by_job ON batch_jobs (job_id)",
        """CREATE TABLE stage_times (
            id INTEGER NOT NULL PRIMARY KEY,
            stage TEXT NOT NULL,
            model TEXT NOT NULL,
            units FLOAT NOT NULL,
            seconds FLOAT NOT NULL
        )""",
        "CREATE INDEX stage_times_by_model ON stage_times (stage, model, id)",
        """CREATE TABLE activities (
            owner TEXT NOT NULL PRIMARY KEY,
            activity TEXT NOT NULL
        )""",
    ):
        connection.exec_driver_sql(statement)


def _m006_activities(connection: Connection) -> None:
    """Each process keeps what it does in a file of its own."""
    connection.exec_driver_sql("DROP TABLE activities")


def _m007_memory(connection: Connection) -> None:
    """Of films that were made before, nothing is known."""
    for column in ("host_bytes", "gpu_bytes"):
        connection.exec_driver_sql(f"ALTER TABLE batch_jobs ADD COLUMN {column} BIGINT")


def _m008_last_owner(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN last_owner TEXT")


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _m001_jobs_steps_artifacts,
    _m002_notices,
    _m003_paid_calls,
    _m004_artifact_use,
    _m005_batches,
    _m006_activities,
    _m007_memory,
    _m008_last_owner,
)
