"""What the doctor says about a machine, healthy or not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from localvid import doctor, gpu
from localvid.config import Settings
from localvid.doctor import Finding, Level, diagnose
from localvid.store import filesystems


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gpu, "LIBRARY", "libcuda-of-nobody.so.1")


@pytest.fixture
def settings(workspace: Path) -> Settings:
    return Settings(workspace=workspace, min_free_gib=0)


def find(settings: Settings, name: str) -> Finding:
    return next(finding for finding in diagnose(settings) if finding.name == name)


def test_a_machine_without_a_gpu_can_make_films(settings: Settings) -> None:
    findings = diagnose(settings)
    assert [finding for finding in findings if finding.level is Level.FAIL] == []
    assert len({finding.name for finding in findings}) == len(findings)
    levels = {finding.name: finding.level for finding in findings}
    assert levels["GPU"] is Level.WARN
    assert levels["encoders"] is Level.OK
    assert levels["language model"] is Level.OK
    assert find(settings, "video model").detail.startswith("local:animatic is used, because")
    assert find(settings, "storyboard model").detail == "llm:smollm2-135m"


def test_what_is_wrong_comes_with_a_remedy(settings: Settings) -> None:
    for finding in diagnose(settings):
        assert finding.level is Level.OK or finding.remedy


def test_a_gpu_is_described(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    found = gpu.Cuda(driver="12.8", gpus=(gpu.Gpu(name="A GPU", memory_gib=23.6),))
    monkeypatch.setattr(doctor, "detect_cuda", lambda: found)
    assert find(settings, "GPU 0").detail == "A GPU, 23.6 GiB, driver for CUDA 12.8"


def test_a_full_disk_is_a_failure(settings: Settings) -> None:
    finding = find(settings.model_copy(update={"min_free_gib": 1e9}), "workspace")
    assert finding.level is Level.FAIL
    assert "min_free_gib" in finding.remedy


def test_a_workspace_that_cannot_be_made_is_a_failure(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    finding = find(settings.model_copy(update={"workspace": tmp_path / "file" / "workspace"}), "workspace")
    assert finding.level is Level.FAIL
    assert str(tmp_path / "file") in finding.detail


def test_a_workspace_that_is_not_there_yet_is_fine_and_not_made(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet"
    assert find(settings.model_copy(update={"workspace": path}), "workspace").level is Level.OK
    assert not path.parent.exists()


def test_a_network_share_is_a_failure(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystems, "type_of", lambda _: "nfs4")
    finding = find(settings, "workspace")
    assert finding.level is Level.FAIL
    assert "nfs4" in finding.detail


def test_a_broken_manifest_is_a_finding(settings: Settings) -> None:
    folder = settings.workspace / "models"
    folder.mkdir()
    (folder / "bad.toml").write_text("id = ")
    finding = find(settings, "models")
    assert finding.level is Level.FAIL
    assert "bad.toml" in finding.detail


def test_a_model_that_is_named_in_the_settings_and_does_not_run_is_a_failure(settings: Settings) -> None:
    finding = find(settings.model_copy(update={"model": "svd-xt"}), "video model")
    assert finding.level is Level.FAIL
    assert "CUDA" in finding.detail
    assert finding.remedy


def test_missing_packages_name_the_extra(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: "" if name == "diffusers" else real(name))
    monkeypatch.setattr(doctor, "is_installed", lambda _: False)
    assert find(settings, "diffusion").remedy == '`pip install "localvid[diffusion]"`'
    assert find(settings, "language model").remedy == '`pip install "localvid[llm]"`'


def test_an_encoder_that_is_missing_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for absent, level in (("libx264", Level.FAIL), ("libvpx-vp9", Level.WARN)):
        monkeypatch.setattr(doctor, "_can_encode", lambda name, absent=absent: name != absent)
        finding = find(settings, "encoders")
        assert finding.level is level
        assert absent in finding.detail


def test_a_token_is_never_shown(settings: Settings) -> None:
    findings = diagnose(settings.model_copy(update={"hf_token": SecretStr("hf_secret")}))
    assert "a token is set" in next(finding.detail for finding in findings if finding.name == "hub")
    assert "hf_secret" not in str(findings)


def test_the_configuration_file_in_use_is_named(settings: Settings, tmp_path: Path) -> None:
    assert "no localvid.toml" in find(settings, "configuration").detail
    (tmp_path / "localvid.toml").write_text("")
    assert find(settings, "configuration").detail == str(tmp_path / "localvid.toml")


def test_torch_is_not_imported() -> None:
    code = """
import sys
from localvid.config import Settings
from localvid.doctor import diagnose
diagnose(Settings())
print([name for name in ("torch", "diffusers", "llama_cpp", "httpx") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_what_may_be_sent_to_hosts_is_said_without_the_token(settings: Settings) -> None:
    def said(**changes: object) -> str:
        return find(settings.model_copy(update=changes), "remote models").detail

    token = SecretStr("r8_canary")
    assert said() == "nothing is sent without --allow-remote; no token for replicate"
    assert said(allow_remote=True, offline=True, replicate_api_token=token) == (
        "nothing is sent offline; a token for replicate is set"
    )
    assert said(allow_remote=True, replicate_api_token=token) == (
        "allowed, at most $1.00 a job, $10.00 a month; a token for replicate is set"
    )
