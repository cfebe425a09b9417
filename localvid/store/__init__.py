"""Jobs, finished steps and their artifacts: rows in a database, files under their own sha256.

Importing this package imports SQLAlchemy, so it is imported where a workspace is opened and not before.
"""

from __future__ import annotations

from localvid.store.batch_films import BatchRows
from localvid.store.batches import NewEntry, Next
from localvid.store.checking import check_workspace
from localvid.store.due import Due
from localvid.store.lease import JobLease
from localvid.store.paid import Limits, MadeMeanwhileError
from localvid.store.places import IMAGES
from localvid.store.records import Amount, Checked, Cleaned, Fault, Finding, JobStep, Severity, Usage
from localvid.store.stage_times import StageRate
from localvid.store.store import Store

__all__ = [
    "IMAGES",
    "Amount",
    "BatchRows",
    "Checked",
    "Cleaned",
    "Due",
    "Fault",
    "Finding",
    "JobLease",
    "JobStep",
    "Limits",
    "MadeMeanwhileError",
    "NewEntry",
    "Next",
    "Severity",
    "StageRate",
    "Store",
    "Usage",
    "check_workspace",
]
