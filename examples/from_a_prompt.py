"""One prompt becomes a film: python examples/from_a_prompt.py "A peaceful forest at dawn"."""

import sys

from localvid import VideoOrchestrator

prompt = sys.argv[1] if len(sys.argv) > 1 else "A peaceful forest at dawn"

orchestrator = VideoOrchestrator(on_notice=print)
job = orchestrator.create_job(prompt=prompt, max_shots=3)
job = orchestrator.execute_job(
    job_id=job.id,
    progress_callback=lambda step, percent, shot: print(f"{percent:5.1f} %  {shot or '-'}  {step}"),
)
print(job.output_video_path)
