"""Many films in one go: stage by stage over all of them, so that each model is loaded once.

    file → rows → jobs ┐
                       ├ storyboards of all → keyframes of all → clips of all
                       └ each film joined beside the next one's clips

What comes next for each film stands in the database. So a batch goes on after whatever ended it, any number
of processes share it without a broker, and anybody can look on.
"""

from __future__ import annotations

from localvid.batch.crew import Crew
from localvid.batch.plan import BatchPlan, plan_batch
from localvid.batch.run import begin_batch
from localvid.batch.terms import BatchTerms
from localvid.batch.worker import Worker

__all__ = ["BatchPlan", "BatchTerms", "Crew", "Worker", "begin_batch", "plan_batch"]
