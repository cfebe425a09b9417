"""What the README and `examples/` show, run as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from localvid.media import probe

REPOSITORY = Path(__file__).parents[2]


def run(script: Path, folder: Path) -> list[str]:
    """The lines that a script prints when it is run in an empty folder with a workspace of its own."""
    environment = {
        **os.environ,
        "LOCALVID_WORKSPACE": str(folder / "workspace"),
        "LOCALVID_MIN_FREE_GIB": "0",
    }
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def python_of_the_readme() -> str:
    found = re.search(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.S)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("source", ["README.md", "examples/from_a_prompt.py"])
def test_a_film_from_a_prompt(tmp_path: Path, source: str) -> None:
    script = REPOSITORY / source
    if source == "README.md":
        script = tmp_path / "readme.py"
        script.write_text(python_of_the_readme(), encoding="utf-8")
    film = probe(Path(run(script, tmp_path)[-1]))
    assert (film.width, film.height, film.codec) == (1024, 576, "h264")
    assert film.num_frames > 3 * 24


def test_a_film_from_an_own_storyboard(tmp_path: Path) -> None:
    lines = run(REPOSITORY / "examples" / "own_storyboard.py", tmp_path)
    assert [line.split(":")[0] for line in lines] == ["first", "again, with another second shot"]
    assert probe(tmp_path / "lighthouse.mp4").num_frames == 3 * 72 - 2 * 19


def test_the_readme_links_to_files_that_exist() -> None:
    for document in [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), f"{document.name} links to {target}"
