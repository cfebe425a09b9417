"""Storyboards of every kind, for property tests."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from localvid.schemas import Camera, CameraSpeed, Shot, Storyboard, Transition, TransitionKind

TRICKY = (
    "on", "no", "~", "null", "2024-01-01", "1984", "0x10", "1e3", "- a", "a: b", "a #b", "#a", "&a", "*a",
    "!a", "%a", "@a", "`a", '"a"', "'a'", "{a}", "[a, b]", "a, b", "a\nb", "a\tb", "a  b", ">-", "|", "?",
    "---", "...", "\u2028", "\x85a", "\x7f", "\ufeffa", "<<", "true", "é", "海と灯台", "غابة", "🦊", "a\\b",
    ":", "a:", "-", "=",
)  # fmt: skip

texts = st.one_of(
    st.sampled_from(TRICKY),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=40),
    st.lists(st.sampled_from(("fox", "a", "the: forest", "#1", "'tis", "leaps,")), max_size=14).map(" ".join),
)
seconds = st.floats(min_value=0.01, max_value=5)
shots = st.builds(
    Shot,
    description=texts.filter(str.strip),
    camera=st.sampled_from(Camera),
    camera_speed=st.sampled_from(CameraSpeed),
    energy=st.floats(min_value=0, max_value=1),
    duration_seconds=st.floats(min_value=0.25, max_value=60),
    transition=st.builds(Transition, kind=st.sampled_from(TransitionKind), duration_seconds=seconds),
    reference_image=st.none() | st.sampled_from(("a.png", "on", "c d/#1.png", "~/x.webp")).map(Path),
    seed=st.none() | st.integers(min_value=0, max_value=2**32 - 1),
)
boards = st.builds(
    Storyboard,
    title=texts,
    prompt=texts,
    style=texts,
    characters=texts,
    setting=texts,
    written_by=texts,
    shots=st.lists(shots, min_size=1, max_size=5).map(tuple),
)
