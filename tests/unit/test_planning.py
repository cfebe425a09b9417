import re
from itertools import pairwise
from pathlib import Path

import pytest

from localvid.errors import CapabilityError, InvalidStoryboardError
from localvid.planning import FilmPlan, StepKind, assign_seeds, plan_film, sampling_for
from localvid.planning.moves import crop_path
from localvid.schemas import (
    Camera,
    CameraSpeed,
    FilmOptions,
    IntRange,
    ModelCapabilities,
    ModelKind,
    ModelManifest,
    SamplingSettings,
    Shot,
    Storyboard,
)

SAMPLING = SamplingSettings(
    num_inference_steps=25,
    motion_bucket_id=127,
    noise_aug_strength=0.02,
    min_guidance_scale=1,
    max_guidance_scale=3,
    conditioning_fps=7,
    decode_chunk_size=4,
)
SIZES = {"width": IntRange(minimum=64, maximum=2048), "height": IntRange(minimum=64, maximum=2048)}
DIFFUSION = ModelManifest(
    id="local:diffusion",
    kind=ModelKind.VIDEO,
    title="reads no words, stores latents",
    adapter="localvid.pipelines.svd.adapter:StableVideoDiffusion",
    licence="none",
    revision="1",
    capabilities=ModelCapabilities(
        **SIZES,
        size_multiple=8,
        num_frames=IntRange(minimum=2, maximum=25),
        fps=IntRange(minimum=1, maximum=30),
        default_width=1024,
        default_height=576,
        default_num_frames=25,
        default_fps=7,
        needs_first_frame=True,
        stores_latents=True,
        sampling=SAMPLING,
    ),
)
DRAWN = ModelManifest(
    id="local:drawn",
    kind=ModelKind.VIDEO,
    title="draws words, no sampling",
    adapter="localvid.pipelines.animatic:Animatic",
    licence="none",
    revision="1",
    capabilities=ModelCapabilities(
        **SIZES,
        size_multiple=2,
        num_frames=IntRange(minimum=1, maximum=1500),
        fps=IntRange(minimum=1, maximum=60),
        default_width=1024,
        default_height=576,
        default_fps=24,
        takes_text=True,
        takes_camera=True,
        draws_captions=True,
    ),
)
PAINTER = ModelManifest(
    id="keyframe:painter",
    kind=ModelKind.KEYFRAME,
    title="paints",
    adapter="localvid.pipelines.keyframe:DiffusersPainter",
    licence="none",
    revision="1",
)
BOARD = Storyboard(
    shots=(
        Shot(description="a forest", transition="crossfade:0.5"),
        Shot(description="a stag"),
        Shot(description="a forest"),
    )
)

PLAIN = FilmOptions(metadata=False)


def plan(
    storyboard: Storyboard = BOARD,
    options: FilmOptions = PLAIN,
    *,
    video: ModelManifest = DRAWN,
    painter: ModelManifest | None = None,
    digests: dict[Path, str] | None = None,
    seed: int = 1,
) -> FilmPlan:
    return plan_film(
        assign_seeds(storyboard, seed),
        options,
        prompt="p",
        video=video,
        painter=painter,
        writer=None,
        image_digests=digests or {},
        version="0",
    )


def keys(film: FilmPlan) -> list[str]:
    return [step.key for step in film.steps()]


def changed(before: FilmPlan, after: FilmPlan) -> list[tuple[StepKind, int]]:
    """Kind and place of every step that would run in `after` once `before` was made."""
    made = set(keys(before))
    return [(step.kind, index) for index, step in enumerate(after.steps()) if step.key not in made]


def test_the_same_request_has_the_same_keys_and_another_seed_has_others() -> None:
    assert keys(plan()) == keys(plan())
    assert not set(keys(plan())) & set(keys(plan(seed=2)))


def test_equal_words_get_different_seeds_and_moving_a_shot_keeps_its_seed() -> None:
    seeds = [shot.seed for shot in assign_seeds(BOARD, 5).shots]
    assert len(set(seeds)) == 3
    moved = BOARD.model_copy(update={"shots": (BOARD.shots[1], BOARD.shots[0], BOARD.shots[2])})
    assert [shot.seed for shot in assign_seeds(moved, 5).shots] == [seeds[1], seeds[0], seeds[2]]


def test_a_seed_of_the_users_own_is_kept() -> None:
    assert assign_seeds(BOARD.with_shot(1, seed=42), 5).shots[1].seed == 42


def test_changing_a_transition_runs_the_join_alone() -> None:
    assert changed(plan(), plan(BOARD.with_shot(0, transition="cut"))) == [(StepKind.FILM, 3)]


def test_changing_the_order_runs_the_join_alone() -> None:
    moved = BOARD.model_copy(update={"shots": tuple(reversed(BOARD.shots))})
    before = plan(assign_seeds(BOARD, 1))
    after = plan(moved.model_copy(update={"shots": tuple(reversed(assign_seeds(BOARD, 1).shots))}))
    assert changed(before, after) == [(StepKind.FILM, 3)]


def test_redoing_one_shot_runs_that_shot_and_the_join() -> None:
    board = assign_seeds(BOARD, 1)
    again = changed(
        plan(board, video=DIFFUSION, painter=PAINTER),
        plan(board.with_shot(1, seed=9), video=DIFFUSION, painter=PAINTER),
    )
    assert [kind for kind, _ in again] == [StepKind.KEYFRAME, StepKind.LATENTS, StepKind.CLIP, StepKind.FILM]


def test_the_size_of_decoded_chunks_never_costs_the_sampling_again() -> None:
    options = FilmOptions(metadata=False, decode_chunk_size=1)
    again = changed(
        plan(video=DIFFUSION, painter=PAINTER), plan(options=options, video=DIFFUSION, painter=PAINTER)
    )
    assert [kind for kind, _ in again] == [StepKind.CLIP] * 3 + [StepKind.FILM]


def test_words_mean_nothing_to_the_latents_of_a_model_that_reads_none() -> None:
    image = Path("a.png")
    options = FilmOptions(metadata=False, reference_image=image)
    board = assign_seeds(BOARD, 1)
    before = plan(board, options, video=DIFFUSION, digests={image: "0" * 64})
    after = plan(
        board.with_shot(1, description="other words"), options, video=DIFFUSION, digests={image: "0" * 64}
    )
    assert changed(before, after) == []


def test_the_image_counts_by_its_bytes_not_by_its_name() -> None:
    def with_image(name: str, digest: str) -> FilmPlan:
        options = FilmOptions(metadata=False, reference_image=Path(name))
        return plan(options=options, video=DIFFUSION, digests={Path(name): digest})

    assert keys(with_image("a.png", "0" * 64)) == keys(with_image("b.png", "0" * 64))
    assert not set(keys(with_image("a.png", "0" * 64))) & set(keys(with_image("a.png", "1" * 64)))


def test_a_shot_that_continues_takes_the_frame_before_and_follows_its_change() -> None:
    board = assign_seeds(BOARD.with_shot(1, continue_from_previous=True), 1)
    film = plan(board)
    keyframe = film.shots[1].keyframe
    assert keyframe is not None
    assert (keyframe.kind, film.shots[1].keyframe_request) == (StepKind.LAST_FRAME, None)
    assert [plan.clip_request.hand_over is not None for plan in film.shots] == [True, False, False]
    after = plan(board.with_shot(0, seed=9))
    assert [kind for kind, _ in changed(film, after)] == [
        StepKind.CLIP, StepKind.LAST_FRAME, StepKind.CLIP, StepKind.FILM,
    ]  # fmt: skip


def test_a_model_that_needs_a_first_frame_gets_one_or_is_refused() -> None:
    with pytest.raises(CapabilityError, match="needs a first frame"):
        plan(video=DIFFUSION)
    assert plan(video=DIFFUSION, painter=PAINTER).shots[0].keyframe_request is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 100}, "width 100 is not a multiple of 8"),
        ({"width": 4096}, "width 4096 is outside 64 to 2048"),
        ({"num_frames": 26}, "num_frames 26 is outside 2 to 25"),
        ({"fps": 60}, "fps 60 is outside"),
        ({"captions": True}, "draws no captions"),
    ],
)
def test_what_the_model_cannot_do_is_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(CapabilityError, match=message) as caught:
        plan(options=FilmOptions(metadata=False, **options), video=DIFFUSION, painter=PAINTER)
    # The list names models and no sizes: those stand in the message.
    assert (
        caught.value.hint
        == "ask for what it can make, or for another model: `localvid list-models` shows all"
    )


def test_an_option_that_would_be_ignored_is_refused() -> None:
    with pytest.raises(CapabilityError, match="--motion-bucket-id"):
        plan(options=FilmOptions(motion_bucket_id=90))


def test_transitions_that_do_not_fit_are_refused_with_the_shot() -> None:
    board = BOARD.with_shot(1, duration_seconds=0.5, transition="crossfade:0.5")
    with pytest.raises(
        InvalidStoryboardError, match="shot 2 has 12 frames and its transitions need 24"
    ) as raised:
        plan(board)
    assert raised.value.hint is not None
    offered = raised.value.hint.rpartition(" ")[2]
    plan(board, FilmOptions(transition=offered))
    assert offered == "crossfade:0.25"


@pytest.mark.parametrize("num_frames", [1, 2, 3, 12, 96])
@pytest.mark.parametrize("transition", ["cut", "crossfade:0.5", "fade_black:3"])
def test_transitions_that_a_model_wrote_are_made_to_fit_and_it_is_said(
    num_frames: int, transition: str
) -> None:
    board = BOARD.with_shot(0, transition=transition).with_shot(1, transition=transition)
    written = board.model_copy(update={"written_by": "a model"})
    film = plan(written, FilmOptions(metadata=False, num_frames=num_frames))
    sides = [planned.side_frames(24) for planned in film.transitions]
    asked = board.shots[0].transition.side_frames(24)
    assert sides == [min(asked, num_frames // 2)] * 2
    assert ("shortened" in " ".join(film.notes)) is (asked > num_frames // 2)


def test_a_duration_becomes_frames_where_the_model_is_free_and_is_said_where_it_is_not() -> None:
    board = BOARD.with_shot(0, duration_seconds=2.5)
    assert plan(board).shots[0].clip_request.num_frames == 60
    assert plan(board).notes == ()
    notes = plan(board, video=DIFFUSION, painter=PAINTER).notes
    assert any("25 frames a shot: 3.6 s" in note for note in notes)


def test_a_shot_longer_than_the_model_can_make_is_said() -> None:
    most = DRAWN.capabilities.num_frames.maximum if DRAWN.capabilities else 0
    board = BOARD.with_shot(1, duration_seconds=60)
    film = plan(board, FilmOptions(metadata=False, fps=60))
    assert film.shots[1].clip_request.num_frames == most < 60 * 60
    assert any(f"shot 2 lasts {most / 60:g} s, not 60 s" in note for note in film.notes)


def test_films_made_before_keep_their_keys() -> None:
    """Computed before there were camera speeds, crops and lengths: what says nothing of them is in no key."""
    drawn = plan(BOARD.with_shot(1, camera="pan_left"), FilmOptions())
    assert [key[:12] for key in keys(drawn)] == [
        "14ef5474a9cf", "6174d93449d3", "cb66b7ffbc35", "da189c7df112",
    ]  # fmt: skip
    sampled = plan(options=FilmOptions(), video=DIFFUSION, painter=PAINTER)
    assert [key[:12] for key in keys(sampled)] == [
        "fd965cfecc96", "80a83222f04a", "b81234f45e2a", "d4ec865f973e", "94b0a0e1928e",
        "fc6d9cc4ba95", "50ad712c5b7b", "be7fd8cffd4d", "7c81a5c54054", "945c27300524",
    ]  # fmt: skip


class TestAMoveMadeByACrop:
    MODEL = DIFFUSION.model_copy(
        update={
            "capabilities": ModelCapabilities.model_validate(
                {**DIFFUSION.model_dump()["capabilities"], "takes_crop_path": True}
            )
        }
    )

    def of(self, **changes: object) -> FilmPlan:
        return plan(assign_seeds(BOARD, 1).with_shot(1, **changes), video=self.MODEL, painter=PAINTER)

    def test_another_camera_or_speed_decodes_and_joins_and_samples_nothing(self) -> None:
        ways: list[dict[str, object]] = [
            {},
            {"camera": "pan_left"},
            {"camera": "pan_left", "camera_speed": "fast"},
            {"camera": "zoom_out"},
        ]
        for before, after in pairwise(ways):
            again = changed(self.of(**before), self.of(**after))
            assert [kind for kind, _ in again] == [StepKind.CLIP, StepKind.FILM]

    def test_the_path_is_that_of_the_clip_as_it_is_shown(self) -> None:
        request = self.of(camera="tilt_up", camera_speed="slow").shots[1].clip_request
        assert request.crop_path == crop_path(
            Camera.TILT_UP, CameraSpeed.SLOW, seconds=25 / 7, width=1024, height=576, continues=False
        )

    def test_what_is_done_is_said_and_what_it_only_resembles(self) -> None:
        (note,) = (note for note in self.of(camera="pan_left").notes if "camera" in note)
        assert "made after sampling by a crop, which enlarges the picture up to 1.12 times" in note
        assert note.endswith("shot 2 pan_left")
        (note,) = (note for note in self.of(camera="orbit_left").notes if "camera" in note)
        assert note.endswith("shot 2 orbit_left (as a pan: no parallax)")
        assert not any("camera" in note for note in self.of().notes)

    def test_a_shot_that_goes_on_begins_with_the_whole_picture_and_shows_no_more_than_that(self) -> None:
        path = self.of(camera="pan_left", continue_from_previous=True).shots[1].clip_request.crop_path
        assert path is not None
        assert path.start.size == 1
        film = self.of(camera="zoom_out", continue_from_previous=True)
        assert film.shots[1].clip_request.crop_path is None
        assert any("shot 2: its camera stands still: zoom_out" in note for note in film.notes)


class TestGoingOn:
    @staticmethod
    def of(*continues: bool, video: ModelManifest = DRAWN, **options: object) -> FilmPlan:
        shots = [
            Shot(description=f"shot {number}", duration_seconds=1, continue_from_previous=following)
            for number, following in enumerate(continues, start=1)
        ]
        options_ = FilmOptions(metadata=False, **options)
        return plan(Storyboard(shots=tuple(shots)), options_, video=video, painter=PAINTER)

    def test_four_in_a_row_and_the_fifth_begins_anew(self) -> None:
        film = self.of(False, *(7 * [True]))
        kinds = [shot.keyframe.kind if shot.keyframe else None for shot in film.shots]
        before, own = StepKind.LAST_FRAME, StepKind.KEYFRAME
        assert kinds == [own, before, before, before, before, own, before, before]
        assert film.shots[5].keyframe_request is not None
        (note,) = (note for note in film.notes if "keyframe of its own" in note)
        assert note.startswith("shot 6 ")

    def test_a_drawn_shot_is_as_long_as_ever_and_hands_over_the_frame_after(self) -> None:
        requests = [shot.clip_request for shot in self.of(False, True).shots]
        assert [(request.num_frames, request.most_frames) for request in requests] == [(25, 24), (24, 24)]
        assert requests[0].least_frames == 24

    @pytest.mark.parametrize(("num_frames", "late"), [(25, 4), (5, 4), (4, 3), (2, 1)])
    def test_a_sampled_one_ends_with_the_frame_before_a_late_one(self, num_frames: int, late: int) -> None:
        film = self.of(False, True, video=DIFFUSION, num_frames=num_frames)
        request = film.shots[0].clip_request
        assert request.num_frames == num_frames
        assert (request.least_frames, request.most_frames) == (num_frames - late, num_frames - 1)
        assert any("frames shorter" in note for note in film.notes) is (late > 1)

    def test_a_transition_must_fit_into_what_is_surely_left(self) -> None:
        board = Storyboard(
            shots=(
                Shot(description="a", transition="crossfade:3"),
                Shot(description="b", continue_from_previous=True),
            )
        )
        with pytest.raises(InvalidStoryboardError, match="shot 1 has 6 frames"):
            plan(board, FilmOptions(num_frames=10), video=DIFFUSION, painter=PAINTER)


def test_a_camera_move_that_the_model_cannot_make_is_said() -> None:
    board = BOARD.with_shot(0, camera="pan_left")
    assert any("no camera move" in note for note in plan(board, video=DIFFUSION, painter=PAINTER).notes)


def test_the_record_tells_no_path_and_no_output(tmp_path: Path) -> None:
    image = tmp_path / "secret" / "me.png"
    options = FilmOptions(
        reference_image=image, output=tmp_path / "secret" / "film.webm", llm="/secret/x.gguf"
    )
    film = plan(options=options, digests={image: "0" * 64})
    assert film.record is not None
    assert "secret" not in film.record.model_dump_json()
    assert film.record.options.reference_image == Path("me.png")
    assert film.container == ".webm"


class TestMotionOfAModelThatReadsNoWords:
    @staticmethod
    def of(energy: float, camera: Camera = Camera.PAN_LEFT, **options: int) -> SamplingSettings:
        return sampling_for(
            Shot(description="a", energy=energy, camera=camera), SAMPLING, FilmOptions(**options)
        )

    def test_the_documented_points(self) -> None:
        assert [self.of(energy).motion_bucket_id for energy in (0, 0.5, 1)] == [42, 127, 178]
        assert [self.of(energy).noise_aug_strength for energy in (0, 0.5, 1)] == [0.02, 0.02, 0.06]
        assert self.of(0.5, Camera.STATIC).motion_bucket_id == 114

    def test_the_documents_table_is_what_is_planned(self) -> None:
        document = (Path(__file__).parents[2] / "docs" / "motion.md").read_text(encoding="utf-8")
        rows = re.findall(r"^\| ([\d.]+) \| (\d+) \| ([\d.]+) \|", document, re.MULTILINE)
        assert len(rows) == 5
        for energy, bucket, noise in rows:
            planned = self.of(float(energy), Camera.STATIC)
            assert (planned.motion_bucket_id, planned.noise_aug_strength) == (int(bucket), float(noise))

    def test_more_energy_is_never_less_motion(self) -> None:
        buckets = [self.of(step / 20).motion_bucket_id for step in range(21)]
        assert buckets == sorted(buckets)

    def test_what_the_user_says_is_used_as_it_is(self) -> None:
        chosen = self.of(1, motion_bucket_id=5, num_inference_steps=3, fps=12)
        assert (chosen.motion_bucket_id, chosen.num_inference_steps, chosen.conditioning_fps) == (5, 3, 12)


def test_a_manifests_settings_are_part_of_the_keys() -> None:
    quick = PAINTER.model_copy(update={"settings": {"num_inference_steps": 1}})
    made = changed(plan(video=DIFFUSION, painter=PAINTER), plan(video=DIFFUSION, painter=quick))
    assert [kind for kind, _ in made].count(StepKind.KEYFRAME) == 3


def test_the_characters_and_the_setting_are_carried_into_every_shot_that_needs_them() -> None:
    shots = (Shot(description="The fox wakes."), Shot(description="An empty clearing at night."))
    board = Storyboard(shots=shots, characters="a red fox with a torn ear", setting="at night", style="ink")
    film = plan(board, video=DIFFUSION, painter=PAINTER)
    looks = [shot.keyframe_request.style for shot in film.shots if shot.keyframe_request is not None]
    assert looks == ["a red fox with a torn ear, at night, ink", "ink"]
