"""The shipped manifests, the user's own, names and their look-up."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from localvid.config import Settings
from localvid.errors import InvalidRequestError, InvalidSettingsError
from localvid.registry import load_manifests, read_manifest
from localvid.registry.catalogue import find_manifest, fingerprint, gguf_manifest
from localvid.schemas import ModelKind

IDS = {
    "local:animatic",
    "local:svd",
    "local:svd-xt",
    "local:svd-xt-1-1",
    "local:animatic-still",
    "keyframe:flux2-klein-4b",
    "keyframe:sd-turbo",
    "keyframe:sdxl-turbo",
    "keyframe:z-image-turbo",
    "llm:gemma-3-4b-it",
    "llm:outline",
    "llm:qwen3-4b-instruct-2507",
    "llm:smollm2-135m",
    "replicate:svd",
    "replicate:svd-xt",
}
OWN = """
id = "llm:mine"
kind = "storyboard"
title = "Mine"
adapter = "localvid.llm.llama.writer:LlamaWriter"
repo = "someone/mine-GGUF"
revision = "main"
licence = "MIT"

[[files]]
path = "mine.gguf"
"""


@pytest.fixture
def settings(workspace: Path) -> Settings:
    return Settings(workspace=workspace)


def own(settings: Settings, text: str, name: str = "mine.toml") -> Path:
    path = settings.workspace / "models" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_models(settings: Settings) -> None:
    assert set(load_manifests(settings)) == IDS


@pytest.mark.parametrize("model_id", sorted(IDS))
def test_a_shipped_manifest_is_complete(settings: Settings, model_id: str) -> None:
    manifest = load_manifests(settings)[model_id]
    assert manifest.licence
    assert manifest.revision
    if manifest.repo:
        assert re.fullmatch(r"[0-9a-f]{40}", manifest.revision), "shipped revisions are commits"
        assert manifest.licence_url
        assert len({file.path for file in manifest.files}) == len(manifest.files)
    if manifest.capabilities:
        capabilities = manifest.capabilities
        for value, allowed in (
            (capabilities.default_width, capabilities.width),
            (capabilities.default_height, capabilities.height),
            (capabilities.default_fps, capabilities.fps),
            (
                capabilities.default_num_frames or allowed_start(capabilities.num_frames),
                capabilities.num_frames,
            ),
        ):
            assert value in allowed
        assert capabilities.default_width % capabilities.size_multiple == 0
        assert capabilities.default_height % capabilities.size_multiple == 0
        samples_here = capabilities.sampling is not None and not capabilities.remote
        assert capabilities.stores_latents is samples_here
        assert (manifest.price is not None) is capabilities.remote


def allowed_start(allowed: object) -> int:
    return allowed.minimum  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("model_id", sorted(IDS))
def test_the_adapter_of_a_shipped_manifest_exists(settings: Settings, model_id: str) -> None:
    module, _, name = load_manifests(settings)[model_id].adapter.partition(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent if Path(spec.origin).name == "__init__.py" else Path(spec.origin)
    sources = package.glob("*.py") if package.is_dir() else [package]
    assert any(f"class {name}" in source.read_text(encoding="utf-8") for source in sources)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("licence = ", "license = "), "license: unknown key"),
        (('kind = "storyboard"', 'kind = "music"'), "kind: "),
        (("localvid.llm.llama.writer:", "os.path:"), "adapter: "),
        (("someone/mine-GGUF", "../../etc"), "repo: "),
        (('revision = "main"', 'revision = "../../x"'), "revision: "),
        (('path = "mine.gguf"', 'path = "../mine.gguf"'), "files.0.path: "),
        (('path = "mine.gguf"', 'path = "a/../../mine.gguf"'), "leaves the repository"),
        (('path = "mine.gguf"', 'path = "mine.ckpt"'), "files.0.path: mine.ckpt may be pickled"),
        (("[[files]]\npath", "[settings]\npath"), "a repository needs [[files]]"),
        (("title = ", "title "), "not valid TOML"),
    ],
)
def test_a_broken_manifest_is_one_line_with_the_file_and_the_key(
    settings: Settings, change: tuple[str, str], said: str
) -> None:
    path = own(settings, OWN.replace(*change))
    with pytest.raises(InvalidSettingsError) as caught:
        load_manifests(settings)
    assert caught.value.message.startswith(str(path))
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert "models/README.md" in caught.value.hint


def test_a_manifest_of_another_encoding_is_one_line(settings: Settings) -> None:
    path = own(settings, "")
    path.write_bytes(b"id = \xff\xfe")
    with pytest.raises(InvalidSettingsError, match="not valid TOML"):
        load_manifests(settings)


def test_a_manifest_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingsError, match="cannot be read"):
        read_manifest(tmp_path / "gone.toml")


def test_the_users_own_manifests_join_and_replace_the_shipped(settings: Settings) -> None:
    own(settings, OWN)
    own(settings, OWN.replace("llm:mine", "llm:outline"), "other.toml")
    manifests = load_manifests(settings)
    assert set(manifests) == IDS | {"llm:mine"}
    assert manifests["llm:outline"].repo == "someone/mine-GGUF"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model_paths": {"local:svdxt": "/x"}},
            "model_paths: there is no model 'local:svdxt'; did you mean local:svd-xt?",
        ),
        ({"model_paths": {"svdxt": "/x"}}, "model_paths: there is no model 'svdxt'; did you mean svd-xt?"),
        ({"model_paths": {"?": "/x"}}, "model_paths: there is no model '?'"),
        (
            {"clip_prices_usd": {"replicate:svd_xt": 0.1}},
            "clip_prices_usd: there is no remote model 'replicate:svd_xt'; did you mean replicate:svd-xt?",
        ),
        (
            {"clip_prices_usd": {"local:svd-xt": 0.1}},
            "clip_prices_usd: there is no remote model 'local:svd-xt'; did you mean replicate:svd-xt?",
        ),
    ],
)
def test_a_setting_for_a_model_that_is_not_there_is_refused(
    workspace: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        load_manifests(Settings.model_validate({"workspace": workspace, **changes}))
    assert caught.value.message == message


def test_settings_name_models_by_id_and_by_short_name_and_the_users_own(settings: Settings) -> None:
    own(settings, OWN)
    paths = {name: Path("/x") for name in ("local:svd-xt", "svd", "llm:mine", "mine")}
    prices = {"replicate:svd": 0.1}
    load_manifests(settings.model_copy(update={"model_paths": paths, "clip_prices_usd": prices}))


@pytest.mark.parametrize(
    "change",
    [
        ("llm:mine", "openai:mine"),
        ("localvid.llm.llama.writer:LlamaWriter", "localvid.llm.served.openai_writer:OpenAIWriter"),
    ],
)
def test_a_manifest_cannot_send_anything_to_a_server(settings: Settings, change: tuple[str, str]) -> None:
    own(settings, OWN.replace(*change))
    with pytest.raises(InvalidSettingsError, match="a model on a server needs no manifest"):
        load_manifests(settings)


def test_two_files_with_one_id_are_an_error(settings: Settings) -> None:
    first, second = own(settings, OWN, "a.toml"), own(settings, OWN, "b.toml")
    with pytest.raises(InvalidSettingsError, match="is taken by") as caught:
        load_manifests(settings)
    assert str(first) in caught.value.message
    assert str(second) in caught.value.message


def test_models_are_found_by_id_and_by_short_name(settings: Settings) -> None:
    manifests = load_manifests(settings).values()
    for name in ("local:svd-xt", "svd-xt", "SVD-XT"):
        assert find_manifest(name, manifests, ModelKind.VIDEO).id == "local:svd-xt"
    assert find_manifest("sd-turbo", manifests).id == "keyframe:sd-turbo"


def test_an_unknown_name_gets_the_closest(settings: Settings) -> None:
    manifests = load_manifests(settings).values()
    with pytest.raises(InvalidRequestError, match="no video model 'svdxt'") as caught:
        find_manifest("svdxt", manifests, ModelKind.VIDEO)
    assert "local:svd-xt" in caught.value.hint
    with pytest.raises(InvalidRequestError, match="no keyframe model"):
        find_manifest("local:svd-xt", manifests, ModelKind.KEYFRAME)


def test_a_short_name_of_two_models_is_refused(settings: Settings) -> None:
    own(settings, OWN.replace("llm:mine", "other:outline"))
    with pytest.raises(InvalidRequestError, match="several models") as caught:
        find_manifest("outline", load_manifests(settings).values())
    assert caught.value.hint == "use llm:outline or other:outline"


def test_any_gguf_file_gets_a_manifest(tmp_path: Path) -> None:
    path = tmp_path / "My Model_v2 (Q4).GGUF"
    path.write_bytes(b"GGUF" + bytes(1000))
    manifest = gguf_manifest(path)
    assert manifest.id == "llm:my-model-v2-q4"
    assert manifest.kind is ModelKind.STORYBOARD
    assert manifest.revision == fingerprint(path)


def test_a_gguf_file_without_a_latin_name_gets_a_manifest(tmp_path: Path) -> None:
    path = tmp_path / "模型.gguf"
    path.write_bytes(b"GGUF")
    assert gguf_manifest(path).id == "llm:model"


def test_garbage_a_folder_and_nothing_are_no_gguf(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.gguf"
    garbage.write_bytes(b"GG")
    with pytest.raises(InvalidRequestError, match="is not a GGUF file"):
        gguf_manifest(garbage)
    for path in (tmp_path / "gone.gguf", tmp_path):
        with pytest.raises(InvalidRequestError, match="cannot be read"):
            gguf_manifest(path)


def test_a_fingerprint_follows_contents_and_not_places(tmp_path: Path) -> None:
    first, copy, other, longer = (tmp_path / name for name in ("a.gguf", "b.gguf", "c.gguf", "d.gguf"))
    body = b"GGUF" + bytes(300_000)
    first.write_bytes(body)
    copy.write_bytes(body)
    other.write_bytes(body[:-1] + b"x")
    longer.write_bytes(body + b"\0")
    assert fingerprint(first) == fingerprint(copy)
    assert len({fingerprint(path) for path in (first, other, longer)}) == 3


def test_a_fingerprint_of_a_folder_knows_names(tmp_path: Path) -> None:
    for folder, name in (("one", "a.json"), ("two", "a.json"), ("three", "b.json")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text("{}")
    one, two, three = (fingerprint(tmp_path / folder) for folder in ("one", "two", "three"))
    assert one == two != three


def test_a_manifest_is_parsed_once_and_again_when_it_changes(settings: Settings) -> None:
    path = own(settings, OWN)
    first = load_manifests(settings)
    assert all(load_manifests(settings)[name] is manifest for name, manifest in first.items())
    path.write_text(OWN.replace('"Mine"', '"Ours"'), encoding="utf-8")
    assert load_manifests(settings)["llm:mine"].title == "Ours"
