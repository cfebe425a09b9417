"""Films as long as they are asked to be: frames shared out among shots, within what the model can make."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_planning import DIFFUSION, DRAWN, PAINTER, plan

from localvid.errors import InvalidRequestError, InvalidStoryboardError
from localvid.planning import FilmPlan, fit_durations, num_shots_for
from localvid.planning.length import shared
from localvid.schemas import Camera, FilmOptions, IntRange, ModelCapabilities, ModelManifest, Shot, Storyboard


def capabilities_of(video: ModelManifest) -> ModelCapabilities:
    assert video.capabilities is not None
    return video.capabilities


def options_of(duration: float, **changes: object) -> FilmOptions:
    return FilmOptions.model_validate({"duration_seconds": duration, "metadata": False, **changes})


def fitted(board: Storyboard, options: FilmOptions, video: ModelManifest) -> FilmPlan:
    return plan(fit_durations(board, options, capabilities_of(video)), options, video=video, painter=PAINTER)


def film_frames(film: FilmPlan) -> int:
    frames = sum(shot.clip_request.most_frames for shot in film.shots)
    return frames - sum(transition.overlap_frames(film.fps) for transition in film.transitions)


def board_of(*seconds: float, transition: str = "cut", written_by: str = "") -> Storyboard:
    shots = tuple(
        Shot(description=f"shot {number}", duration_seconds=each, transition=transition)
        for number, each in enumerate(seconds)
    )
    return Storyboard(shots=shots, written_by=written_by)


@given(st.data(), st.integers(min_value=0, max_value=3000))
@settings(max_examples=300, deadline=None)
def test_what_is_shared_out_adds_up_within_the_limits(data: st.DataObject, total: int) -> None:
    count = data.draw(st.integers(min_value=1, max_value=8))
    limits = [
        IntRange(minimum=low, maximum=low + data.draw(st.integers(min_value=0, max_value=300)))
        for low in data.draw(st.lists(st.integers(1, 50), min_size=count, max_size=count))
    ]
    weights = data.draw(st.lists(st.floats(0.25, 60), min_size=count, max_size=count))
    counts = shared(total, weights, limits)
    assert all(each in limit for each, limit in zip(counts, limits, strict=True))
    least, most = sum(limit.minimum for limit in limits), sum(limit.maximum for limit in limits)
    assert sum(counts) == min(max(total, least), most)


def test_shares_are_in_proportion_and_the_rest_goes_to_the_largest_remainders() -> None:
    free = [IntRange(minimum=1, maximum=999)] * 3
    assert shared(60, [1, 2, 3], free) == [10, 20, 30]
    assert shared(10, [1, 1, 1], free) == [4, 3, 3]
    assert shared(60, [1, 2, 3], [*free[:2], IntRange(minimum=1, maximum=24)]) == [12, 24, 24]


@pytest.mark.parametrize("seconds", [1.5, 7, 19.96, 20, 61.04])
@pytest.mark.parametrize("transition", ["cut", "crossfade:0.5", "fade_black:0.4"])
@pytest.mark.parametrize("written_by", ["", "a model"])
def test_a_drawn_film_is_exact_to_a_frame(seconds: float, transition: str, written_by: str) -> None:
    board = board_of(2, 4.5, 3, transition=transition, written_by=written_by)
    film = fitted(board, options_of(seconds), DRAWN)
    assert film_frames(film) == round(seconds * 24)
    assert not any("lasts" in note for note in film.notes)


_SHOTS = st.builds(
    Shot,
    description=st.just("a"),
    duration_seconds=st.floats(0.25, 60),
    transition=st.sampled_from(["cut", "crossfade:0.5", "crossfade:2", "fade_black:1", "crossfade:5"]),
    continue_from_previous=st.booleans(),
    camera=st.sampled_from(Camera),
)


@given(
    shots=st.lists(_SHOTS, min_size=1, max_size=9),
    seconds=st.floats(0.1, 200),
    fps=st.sampled_from([None, 1, 7, 24, 30]),
    video=st.sampled_from([DRAWN, DIFFUSION]),
)
@settings(max_examples=200, deadline=None)
def test_what_a_model_wrote_is_as_long_as_asked_or_it_is_said(
    shots: list[Shot], seconds: float, fps: int | None, video: ModelManifest
) -> None:
    first = shots[0].model_copy(update={"continue_from_previous": False})
    board = Storyboard(shots=(first, *shots[1:]), written_by="a model")
    film = fitted(board, options_of(seconds, fps=fps), video)
    exact = film_frames(film) == max(1, round(seconds * film.fps))
    said = any("the film lasts" in note for note in film.notes)
    assert exact is not said
    for shot in film.shots:
        if said and film_frames(film) < seconds * film.fps:
            longest = min(capabilities_of(video).num_frames.maximum, 60 * film.fps)
            assert shot.clip_request.most_frames >= longest - 1
        assert shot.clip_request.num_frames in capabilities_of(video).num_frames
        assert shot.clip_request.least_frames >= 1


def test_shots_keep_their_proportions() -> None:
    film = fitted(board_of(1, 2, 3), options_of(12), DRAWN)
    assert [shot.clip_request.num_frames for shot in film.shots] == [48, 96, 144]


def test_a_drawn_film_whose_shots_go_on_from_each_other_is_exact_too() -> None:
    board = (
        board_of(2, 2, 2).with_shot(1, continue_from_previous=True).with_shot(2, continue_from_previous=True)
    )
    assert film_frames(fitted(board, options_of(10), DRAWN)) == 240


def test_a_sampled_film_is_exact_where_its_shots_are_enough() -> None:
    film = fitted(board_of(*[4] * 6), options_of(20), DIFFUSION)
    assert film_frames(film) == 140
    assert sorted(shot.clip_request.num_frames for shot in film.shots) == [23] * 4 + [24] * 2
    assert not any("lasts" in note or "whatever duration" in note for note in film.notes)


def test_what_cannot_be_reached_is_as_near_as_can_be_and_said() -> None:
    film = fitted(board_of(4, 4, 4), options_of(20), DIFFUSION)
    assert [shot.clip_request.num_frames for shot in film.shots] == [25] * 3
    (note,) = (note for note in film.notes if "lasts" in note)
    assert note.startswith(
        "the film lasts 10.71 s, not 20 s: 3 shots, and local:diffusion makes 2 to 25 frames"
    )
    assert note.endswith("more shots or a lower --fps make it longer")
    film = fitted(board_of(4, 4, 4), options_of(0.4), DRAWN)
    assert film_frames(film) == 3 * 6  # a quarter of a second each
    assert any("fewer shots make it shorter" in note for note in film.notes)


def test_a_persons_transitions_are_never_cut_short_and_a_models_are() -> None:
    film = fitted(board_of(1, 3, transition="crossfade:2"), options_of(4), DRAWN)
    assert film_frames(film) == 96
    assert [transition.overlap_frames(24) for transition in film.transitions] == [48]
    assert film.shots[0].clip_request.num_frames >= 48
    film = fitted(board_of(1, 3, transition="crossfade:2", written_by="a model"), options_of(4), DRAWN)
    assert film_frames(film) == 96
    with pytest.raises(InvalidStoryboardError, match="transitions need"):
        fitted(board_of(4, 4, transition="crossfade:5"), options_of(4), DIFFUSION)


def test_fitting_twice_changes_nothing() -> None:
    options = options_of(17.3)
    once = fit_durations(board_of(2, 4.5, 3), options, capabilities_of(DRAWN))
    assert fit_durations(once, options, capabilities_of(DRAWN)) == once


def test_without_a_length_nothing_changes() -> None:
    board = board_of(2, 4.5, 3)
    assert fit_durations(board, FilmOptions(), capabilities_of(DIFFUSION)) is board


@pytest.mark.parametrize(
    ("seconds", "video", "expected"),
    [(0.5, DRAWN, 1), (8, DRAWN, 2), (20, DRAWN, 5), (90, DRAWN, 7), (3, DIFFUSION, 1), (20, DIFFUSION, 7)],
)
def test_a_writer_is_asked_for_so_many_shots_that_the_length_can_be_reached(
    seconds: float, video: ModelManifest, expected: int
) -> None:
    options = options_of(seconds)
    count = num_shots_for(options, capabilities_of(video))
    assert count == expected
    melting = board_of(*[4] * count, transition="crossfade:0.5", written_by="a model")
    assert film_frames(fitted(melting, options, video)) == round(seconds * (24 if video is DRAWN else 7))


def test_the_users_own_number_of_shots_is_kept() -> None:
    assert num_shots_for(options_of(20, max_shots=2), capabilities_of(DIFFUSION)) == 2
    assert num_shots_for(FilmOptions(), capabilities_of(DIFFUSION)) == 3


def test_a_length_and_frames_for_every_shot_are_refused_together() -> None:
    with pytest.raises(InvalidRequestError, match="both given"):
        plan(options=options_of(20, num_frames=5))
