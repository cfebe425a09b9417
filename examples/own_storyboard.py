"""A storyboard written in Python, rendered, and then one shot of it made anew.

The second film costs one shot: whatever did not change is taken from the workspace.
"""

from pathlib import Path

from localvid import Camera, FilmOptions, Shot, Storyboard, Transition, TransitionKind, VideoOrchestrator

fade = Transition(kind=TransitionKind.CROSSFADE, duration_seconds=0.8)
storyboard = Storyboard(
    title="The lighthouse",
    style="woodcut, muted colours",
    shots=(
        Shot(
            description="A lighthouse on a cliff above the sea at dusk",
            camera=Camera.TRUCK_RIGHT,
            duration_seconds=3,
            transition=fade,
        ),
        Shot(
            description="A small boat on the stormy sea at night",
            camera=Camera.STATIC,
            energy=0.9,
            duration_seconds=3,
            transition=fade,
        ),
        Shot(description="The sea at sunrise, gulls in the sky", camera=Camera.TILT_UP, duration_seconds=3),
    ),
)

with VideoOrchestrator() as orchestrator:
    options = FilmOptions(captions=True, output=Path("lighthouse.mp4"))
    job = orchestrator.create_job(storyboard=storyboard, options=options)
    job = orchestrator.execute_job(job.id)
    print("first:", job.output_video_path)

    orchestrator.redo(job.id, shot=2, description="A small boat on the sea in heavy rain at night")
    job = orchestrator.execute_job(job.id)
    print("again, with another second shot:", job.output_video_path)
