"""What `--dry-run` prints: the models chosen, size and speed, and every step, made already or to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from localvid.cli import output

if TYPE_CHECKING:
    from localvid.orchestrator import VideoOrchestrator
    from localvid.planning import FilmPlan, Step
    from localvid.schemas import FilmOptions, Storyboard


def print_preview(
    orchestrator: VideoOrchestrator,
    options: FilmOptions,
    *,
    prompt: str,
    storyboard: Storyboard | None = None,
    seed: int | None = None,
    as_json: bool,
) -> None:
    """Settle and plan everything that a film would need; run nothing and record no job."""
    resolved, plan = orchestrator.preview(storyboard, options, prompt=prompt, seed=seed)
    # The words are not written yet; how many steps of which kind there will be is known all the same.
    plan = plan or orchestrator.plan_unwritten(resolved)
    orchestrator.check_spend(resolved, plan)
    models = {"keyframes": resolved.keyframe_model, "clips": resolved.model}
    steps = [
        {"label": label, "made": storyboard is not None and orchestrator.is_made(step)}
        for label, step in _labelled(plan)
    ]
    if storyboard is None:
        models = {"storyboard": resolved.llm, **models}
        steps.insert(0, {"label": "writing the storyboard", "made": False})
    cost = _cost(orchestrator, resolved, plan, storyboard)
    film = _film(plan, timed=storyboard is not None or resolved.duration_seconds is not None)
    if as_json:
        output.print_json({"models": models, "film": film, **cost, "steps": steps, "notes": plan.notes})
        return
    console = output.console()
    output.print_facts(console, models | film | ({"cost": _cost_words(cost)} if cost else {}))
    console.print("\nsteps", style="bold")
    for made in steps:
        console.print(f"  {'made already' if made['made'] else 'to do       '}  {made['label']}")
    for note in plan.notes if storyboard else ():
        output.print_notice(note)


def _cost(
    orchestrator: VideoOrchestrator, options: FilmOptions, plan: FilmPlan, storyboard: Storyboard | None
) -> dict[str, float]:
    """What hosts would be paid if nothing were made already; with a fallback, if it had to make all shots."""
    if plan.cost_usd:
        return {"cost_usd": plan.cost_usd}
    if options.fallback is None:
        return {}
    everything = frozenset(range(len(plan.shots)))
    if storyboard is None:
        sent = orchestrator.plan_unwritten(options, sent=everything)
    else:
        sent = orchestrator.plan(storyboard, options, sent=everything)
    return {"cost_usd_at_most": sent.cost_usd}


def _cost_words(cost: dict[str, float]) -> str:
    from localvid.schemas import usd

    return " ".join(
        f"about {usd(amount)}" + (", if no shot can be made here" if name.endswith("most") else "")
        for name, amount in cost.items()
    )


def _labelled(plan: FilmPlan) -> Iterator[tuple[str, Step]]:
    """Every step with a label that names its shot."""
    for shot in plan.shots:
        name = f"shot {shot.index + 1}"
        for step in (shot.keyframe, shot.latents, shot.clip):
            if step is not None:
                yield step.label if name in step.label else f"{step.label} of {name}", step
    yield plan.film.label, plan.film


def _film(plan: FilmPlan, *, timed: bool) -> dict[str, Any]:
    """Size and speed; frames and seconds too where it is known how long each shot is, before a sharper frame
    ends one of them sooner."""
    facts: dict[str, Any] = {
        "size": f"{plan.width}x{plan.height}",
        "fps": plan.fps,
        "shots": len(plan.shots),
        "file": plan.container,
    }
    if timed:
        frames = sum(shot.clip_request.most_frames for shot in plan.shots)
        frames -= sum(transition.overlap_frames(plan.fps) for transition in plan.transitions)
        facts |= {"frames": frames, "seconds": round(frames / plan.fps, 2)}
    return facts
