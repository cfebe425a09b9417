"""From a storyboard and a model to requests with seeds and keys. Pure: nothing here reads or writes."""

from localvid.planning.capabilities import capability_problems, check_request
from localvid.planning.continuity import continuing_shots
from localvid.planning.film import FilmPlan, plan_film
from localvid.planning.length import fit_durations, num_shots_for
from localvid.planning.motion import sampling_for
from localvid.planning.shots import ShotPlan, capabilities_of
from localvid.planning.steps import Step, StepKind, assign_seeds, derive_seed, step_key, storyboard_step
from localvid.planning.transitions import film_seconds

__all__ = [
    "FilmPlan",
    "ShotPlan",
    "Step",
    "StepKind",
    "assign_seeds",
    "capabilities_of",
    "capability_problems",
    "check_request",
    "continuing_shots",
    "derive_seed",
    "film_seconds",
    "fit_durations",
    "num_shots_for",
    "plan_film",
    "sampling_for",
    "step_key",
    "storyboard_step",
]
