"""Several real processes on one workspace; signals, a real full disk, a real trace of system calls."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import calls_of, stand_still_outside_transactions

from localvid.errors import JobBusyError
from localvid.schemas import FilmOptions, JobStatus
from localvid.store import Fault, Store, check_workspace

PRELUDE = """
import hashlib, os, sys, time
from pathlib import Path
from localvid.errors import LocalvidError
from localvid.schemas import FilmOptions
from localvid.store import Store
workspace = Path(sys.argv[1])

def say(text):
    print(text, flush=True)

def publish(store, lease, key, content):
    partial = store.temporary(".bin")
    partial.write_bytes(content)
    return lease.publish(key, "clip", partial)
"""


def _command(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", PRELUDE + textwrap.dedent(code), *map(str, arguments)]


def _run(code: str, *arguments: object) -> str:
    done = subprocess.run(_command(code, *arguments), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def _process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        _command(code, *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _tell(process: subprocess.Popen[str], text: str = "go") -> None:
    assert process.stdin is not None
    process.stdin.write(text + "\n")
    process.stdin.flush()


def _job(workspace: Path) -> str:
    with Store(workspace) as store:
        return store.create_job(prompt="x", options=FilmOptions(), seed=1).id


HOLD = """
with Store(workspace) as store, store.lease(sys.argv[2], lease_seconds=float(sys.argv[3]),
                                            heartbeat_seconds=0.1) as lease:
    store.temporary(".bin").write_bytes(b"half")
    say(store.owner)
    for line in sys.stdin:
        try:
            say(publish(store, lease, line.strip(), b"from the child").name)
        except LocalvidError as error:
            say(f"{type(error).__name__}: {error}")
"""


def test_four_processes_create_publish_and_list_at_once(tmp_path: Path) -> None:
    """Each makes jobs of its own and a step that all share; the workspace is new to all of them."""
    code = """
    sys.stdin.readline()
    with Store(workspace) as store:
        for number in range(12):
            job = store.create_job(prompt=sys.argv[2], options=FilmOptions(), seed=number)
            with store.lease(job.id) as lease:
                publish(store, lease, f"{sys.argv[2]}-{number}", os.urandom(1000))
                publish(store, lease, f"shared-{number}", os.urandom(1000))
                assert any(found.id == job.id for found in store.list_jobs())
                lease.finish(store.films / "x.mp4")
    say("done")
    """
    workspace = tmp_path / "workspace"
    with (
        _process(code, workspace, "a") as a,
        _process(code, workspace, "b") as b,
        _process(code, workspace, "c") as c,
        _process(code, workspace, "d") as d,
    ):
        for process in (a, b, c, d):
            _tell(process)
        assert [_line(process) for process in (a, b, c, d)] == ["done"] * 4
    with Store(workspace) as store:
        jobs = store.list_jobs(limit=100)
        assert len(jobs) == len({job.id for job in jobs}) == 48
        assert {job.status for job in jobs} == {JobStatus.DONE}
        keys = [f"{name}-{number}" for name in ("a", "b", "c", "d", "shared") for number in range(12)]
        assert all(store.find(key) is not None for key in keys)
        assert store.usage().artifacts["clip"].count == 60
        assert store.usage().reclaimable_bytes == 0
        assert store.clean().total_bytes == 0
    files = [path for path in (workspace / "artifacts").rglob("*") if path.is_file()]
    assert len(files) == 60
    assert all(path.stem == hashlib.sha256(path.read_bytes()).hexdigest() for path in files)


def test_a_job_in_another_process_is_busy_until_that_is_killed(tmp_path: Path) -> None:
    job_id = _job(tmp_path)
    with _process(HOLD, tmp_path, job_id, 3600) as child:
        owner = _line(child)
        with Store(tmp_path) as store:
            with pytest.raises(JobBusyError, match=f"process {child.pid} on"):
                store.lease(job_id)
            assert store.get_job(job_id).status is JobStatus.RUNNING
            assert len(list((tmp_path / "tmp" / owner).iterdir())) == 1
            child.kill()
            child.wait()
            assert store.get_job(job_id).status is JobStatus.INTERRUPTED
            started = time.monotonic()
            with store.lease(job_id) as lease:
                lease.finish(store.films / "x.mp4")
            assert time.monotonic() - started < 30  # the dead one's lease had an hour to run
        with Store(tmp_path):
            assert not (tmp_path / "tmp" / owner).exists()


def test_a_check_tells_a_job_at_work_from_one_whose_process_was_killed(tmp_path: Path) -> None:
    job_id = _job(tmp_path)
    with _process(HOLD, tmp_path, job_id, 1) as child:
        owner = _line(child)
        _tell(child, "key")
        assert _line(child).endswith(".bin")
        assert check_workspace(tmp_path, read_data=True).findings == ()
        stand_still_outside_transactions(child.pid, tmp_path)
        time.sleep(1.1)  # past its lease, and alive
        assert check_workspace(tmp_path).findings == ()
        child.kill()
        child.wait()
    findings = check_workspace(tmp_path).findings
    assert {(found.fault, found.subject) for found in findings} == {
        (Fault.LEASE, job_id),
        (Fault.TEMPORARY, owner),
    }
    with Store(tmp_path) as store:
        assert all(store.mend(finding).mended for finding in findings)
    assert check_workspace(tmp_path, read_data=True).findings == ()


def test_an_owner_that_stood_still_past_its_lease_commits_nothing(tmp_path: Path) -> None:
    job_id = _job(tmp_path)
    with _process(HOLD, tmp_path, job_id, 1) as child:
        owner = _line(child)
        _tell(child, "first")
        assert _line(child).endswith(".bin")
        stand_still_outside_transactions(child.pid, tmp_path)
        time.sleep(1.3)
        with Store(tmp_path) as store, store.lease(job_id) as lease:
            partial = store.temporary(".bin")
            partial.write_bytes(b"from the new owner")
            path = lease.publish("second", "clip", partial)
            assert list((tmp_path / "tmp" / owner).iterdir()), "a live owner's temporaries are not swept"
            os.kill(child.pid, signal.SIGCONT)
            for key in ("second", "third"):
                _tell(child, key)
                assert _line(child).startswith("JobBusyError: lost the lease")
            assert store.find("first") is not None
            assert store.find("second") == path
            assert store.find("third") is None
            lease.finish(store.films / "x.mp4")
            _tell(child, "fourth")
            assert _line(child).startswith("JobBusyError")
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(30) == 0
    with Store(tmp_path) as store:
        assert store.get_job(job_id).status is JobStatus.DONE
        assert store.find("fourth") is None


def test_a_cancellation_reaches_another_process(tmp_path: Path) -> None:
    code = """
    with Store(workspace) as store, store.lease(sys.argv[2]) as lease:
        say("working")
        while not lease.cancel_requested():
            time.sleep(0.05)
        lease.cancel()
    """
    job_id = _job(tmp_path)
    with _process(code, tmp_path, job_id) as child, Store(tmp_path) as store:
        assert _line(child) == "working"
        assert store.request_cancel(job_id) is JobStatus.RUNNING
        assert child.wait(30) == 0
        assert store.get_job(job_id).status is JobStatus.CANCELLED


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_kernel_sees_bytes_then_name_then_folder_then_commit(tmp_path: Path) -> None:
    job_id = _job(tmp_path / "w")
    trace = tmp_path / "trace"
    code = """
    with Store(workspace) as store, store.lease(sys.argv[2]) as lease:
        publish(store, lease, "key", b"content")
    """
    traced = [
        "strace",
        "-f",
        "-y",
        "-s",
        "9",
        "-e",
        "trace=fsync,fdatasync,rename,renameat,renameat2,ftruncate",
    ]
    done = subprocess.run(
        [*traced, "-o", str(trace), *_command(code, tmp_path / "w", job_id)], capture_output=True, text=True
    )
    if "ptrace" in done.stderr or "PTRACE" in done.stderr:
        pytest.skip("tracing is not allowed here")
    assert done.returncode == 0, done.stderr
    lines = list(calls_of(trace.read_text()))
    digest = hashlib.sha256(b"content").hexdigest()
    renamed = next(
        number for number, line in enumerate(lines) if "rename" in line and f"{digest}.bin" in line
    )
    partial = re.findall(r"[0-9a-f]{12}\.part\.bin", lines[renamed])[0]
    before = [line for line in lines[:renamed] if "sync(" in line]
    after = [line for line in lines[renamed:] if "sync(" in line]
    assert any(partial in line for line in before)
    assert f"artifacts/{digest[:2]}>" in after[0]
    assert "artifacts>" in after[1]
    assert "localvid.sqlite3" in after[2]


FULL_DISK = """
import json, shutil
from localvid.errors import DiskFullError
from localvid.store import space
space._ROOM_FOR_BALLAST_BYTES = 2 * space.BALLAST_BYTES
found = {}
with Store(workspace) as store:
    job_id = store.create_job(prompt="x", options=FilmOptions(), seed=1).id
    found["reserve"] = (workspace / "ballast").exists()
    with store.lease(job_id) as lease:
        publish(store, lease, "kept", b"kept")
        filler = (workspace / "filler").open("wb", buffering=0)
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass
        filler.close()
        try:
            lease.set_plan([(f"key {n}", "clip", "label" * 50) for n in range(2000)])
        except DiskFullError as error:
            found["plan"] = str(error)
            lease.fail(error.message, error.hint)
    found["spent"] = not (workspace / "ballast").exists()
with Store(workspace) as store:
    job = store.get_job(job_id)
    found["status"], found["error"], found["kept"] = job.status, job.error, store.find("kept") is not None
    found["listed"] = len(store.list_jobs())
    found["freed"] = store.delete_job(job_id)
(workspace / "filler").unlink()
with Store(workspace) as store:
    found["after"] = len(store.list_jobs())
    found["reserve again"] = (workspace / "ballast").exists()
say(json.dumps(found))
"""


def test_a_full_disk_is_recorded_and_cleaning_still_works(tmp_path: Path) -> None:
    """On a real file system of 6 MiB, mounted where this process may make namespaces of its own."""
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f"mount -t tmpfs -o size=6m none {tmp_path}"
    if shutil.which("unshare") is None or subprocess.run([*alone, "sh", "-c", mount]).returncode:
        pytest.skip("no mount namespaces for this user here")
    script = tmp_path.with_name("full_disk.py")
    script.write_text(PRELUDE + FULL_DISK)
    command = f'{mount} && exec "{sys.executable}" "{script}" "{tmp_path}"'
    done = subprocess.run([*alone, "sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "no space left for the rows" in found.pop("plan")
    assert "no space left" in found.pop("error")
    assert found == {
        "reserve": True,
        "spent": True,
        "status": "failed",
        "kept": True,
        "listed": 1,
        "freed": 4,
        "after": 0,
        "reserve again": True,
    }


def test_a_workspace_that_may_not_be_written_is_one_line(tmp_path: Path) -> None:
    """Root may write everywhere, so the folder is mounted read-only; what was there is left alone."""
    job_id = _job(tmp_path / "w")
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,bind,ro {tmp_path}"
    if shutil.which("unshare") is None or subprocess.run([*alone, "sh", "-c", mount]).returncode:
        pytest.skip("no mount namespaces for this user here")
    script = tmp_path.with_name("read_only.py")
    script.write_text(
        PRELUDE
        + textwrap.dedent("""
        for folder in (workspace / "w", workspace / "new"):
            try:
                with Store(folder) as store:
                    store.create_job(prompt="x", options=FilmOptions(), seed=1)
            except LocalvidError as error:
                say(f"{type(error).__name__}: {error} | {error.hint}")
        """)
    )
    command = f'{mount} && exec "{sys.executable}" "{script}" "{tmp_path}"'
    done = subprocess.run([*alone, "sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    used, new = done.stdout.splitlines()
    assert used.startswith("WorkspaceError: ")
    assert "permissions" in used
    assert new.startswith("WorkspaceError: cannot write")
    with Store(tmp_path / "w") as store:
        assert store.get_job(job_id).status is JobStatus.PENDING
