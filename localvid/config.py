"""Settings: defaults < localvid.toml < `.env` < environment < flags. Only this module reads the environment.

The configuration file is `./localvid.toml`, else `$XDG_CONFIG_HOME/localvid/localvid.toml`
(`~/.config/localvid/localvid.toml`); `LOCALVID_CONFIG` names another. Variables are called as the
settings, in capitals and with the prefix `LOCALVID_`.
"""

from __future__ import annotations

import difflib
import io
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, SecretStr, TypeAdapter, ValidationError, field_validator

from localvid.errors import InvalidSettingsError
from localvid.files import expanded
from localvid.schemas import Frozen, explain

_PREFIX = "LOCALVID_"
_ACCOUNTS = (
    ("openai_base_url", "openai_api_key"),
    ("anthropic_base_url", "anthropic_api_key"),
    ("replicate_base_url", "replicate_api_token"),
)
"""Address and key of each server that other programs know by the same variables."""
_MAPPINGS = {"model_paths": '{"local:svd-xt": "/data/svd-xt"}', "clip_prices_usd": '{"replicate:svd": 0.05}'}
"""Settings that stand in a variable as JSON, with an example each."""
_TOKEN = re.compile(r"[!-~]*")
"""What a header can carry; a token with a line's end in it would also escape being redacted."""


class Settings(Frozen):
    """All settings, read once and passed on."""

    workspace: Path = Field(default_factory=lambda: _data_home() / "localvid")
    """Where jobs, artifacts and films are kept."""
    model: str = "auto"
    keyframe_model: str = "auto"
    llm: str = "auto"
    """"auto", "outline", a storyboard model's id, the path of a GGUF file, or a model on a server:
    "openai:MODEL", "anthropic:MODEL"."""
    device: Literal["auto", "cuda", "cpu"] = "auto"
    """"cpu" lets diffusion models run without a GPU: hours for a clip of full size."""
    model_paths: dict[str, Path] = Field(default_factory=dict)
    """Model id → a directory saved by `save_pretrained` or a GGUF file, used in place of the hub's copy."""
    hub_cache: Path | None = None
    """Hugging Face cache; None: the cache that other programs share (`HF_HUB_CACHE`, `HF_HOME`)."""
    hub_endpoint: str | None = None
    """Another host that speaks the hub's protocol, for mirrors."""
    hf_token: SecretStr | None = None
    """For gated models; `HF_TOKEN` serves too."""
    offline: bool = False
    """Refuse every download, and every host."""
    allow_remote: bool = False
    """The user's leave to send first frames to a host, and to pay for clips."""
    fallback: str | None = None
    """A remote model for the shots that cannot run here, or failed here."""
    max_cost_usd: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """Most that one job may spend on hosts."""
    max_cost_usd_per_month: float = Field(default=10.0, ge=0, allow_inf_nan=False)
    """Most that this workspace may spend on hosts in a calendar month, in UTC."""
    clip_prices_usd: dict[str, float] = Field(default_factory=dict)
    """Model id → what a clip costs, in place of the manifest's price."""
    replicate_api_token: SecretStr | None = None
    """`REPLICATE_API_TOKEN` and `REPLICATE_BASE_URL` serve, together, where neither setting is given."""
    replicate_base_url: str = "https://api.replicate.com/v1"
    remote_in_flight: int = Field(default=4, ge=1, le=64)
    """Most shots that a host is asked for at once."""
    remote_poll_seconds: float = Field(default=1.0, gt=0, le=60)
    """A host is asked how far it is this long after it was asked first, and then less and less often."""
    remote_grace_seconds: float = Field(default=60.0, gt=0, le=1800)
    """What a host does not list so long after it was sent was not created."""
    remote_timeout_seconds: float = Field(default=30.0, gt=0, le=600)
    """An answer of a host is waited for so long."""
    llm_context_tokens: int = Field(default=4096, ge=512, le=131_072)
    llm_gpu_layers: int = Field(default=-1, ge=-1)
    """-1: all that fit, where llama.cpp was built with CUDA."""
    llm_timeout_seconds: float = Field(default=300.0, gt=0)
    openai_base_url: str | None = Field(default=None, repr=False)
    """Where "openai:MODEL" is served; None: by OpenAI. Checked when it is used, so not shown before."""
    openai_api_key: SecretStr | None = None
    """`OPENAI_API_KEY` and `OPENAI_BASE_URL` serve, together, where neither setting is given."""
    anthropic_base_url: str | None = Field(default=None, repr=False)
    """Where "anthropic:MODEL" is served; None: by Anthropic."""
    anthropic_api_key: SecretStr | None = None
    """`ANTHROPIC_API_KEY` and `ANTHROPIC_BASE_URL` serve, together, where neither setting is given."""
    model_stall_seconds: float = Field(default=3600.0, gt=0)
    """The process of a diffusion model that reports no progress for so long has hung, and is replaced."""
    vram_gib: float | None = Field(default=None, gt=0)
    """GPU memory that a clip is planned for; None: what is free when it begins."""
    ram_gib: float | None = Field(default=None, gt=0)
    """Host memory that a clip is planned for; None: what is available when it begins."""
    attention: Literal["sdpa", "xformers"] = "sdpa"
    compile_models: bool = False
    """`torch.compile` of the UNet's blocks: a minute or more at the first step, less for each one after."""
    fp8_weights: bool = False
    """The UNet's weights in eight bits: half of their memory, and lossy."""
    threads: int | None = Field(default=None, ge=1, le=1024)
    """Processor threads for models on the CPU; None: all cores."""
    min_free_gib: float = Field(default=1.0, ge=0)
    """A step is not started with less free space in the workspace."""
    quota_gib: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Most that `localvid clean` lets the workspace hold; None: no limit."""

    def token_of(self, host: str) -> SecretStr | None:
        """The token for a remote model's host, as `ModelManifest.host` names it."""
        return {"replicate": self.replicate_api_token}.get(host)

    @field_validator("workspace", "hub_cache", mode="after")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return expanded(value) if value else value


def load_settings(**flags: Any) -> Settings:
    """Read the settings; a flag that is None was not given.

    Raises InvalidSettingsError for an unknown key, a bad value or a file that is not TOML, or no `.env`.
    """
    merged: dict[str, Any] = {}
    path = _config_file(os.environ)
    if path is not None:
        merged.update(_read_toml(path))
    dotenv = _read_dotenv(Path(".env"))
    merged.update(_from_variables(dotenv, ".env"))
    merged.update(_from_variables(os.environ, "the environment"))
    token = os.environ.get("HF_TOKEN") or dotenv.get("HF_TOKEN")
    if token and not (os.environ.get(f"{_PREFIX}HF_TOKEN") or dotenv.get(f"{_PREFIX}HF_TOKEN")):
        merged["hf_token"] = token
    for names in _ACCOUNTS:
        merged.update(_shared_account(names, merged, dotenv))
    merged.update({name: value for name, value in flags.items() if value is not None})
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise InvalidSettingsError(
            f"settings: {explain(error)}", hint="docs/configuration.md lists every setting and its values"
        ) from error


def is_token(text: str) -> bool:
    """Whether a request's header can carry the text."""
    return _TOKEN.fullmatch(text) is not None


def secret_names() -> set[str]:
    """The settings that no process is handed and nothing prints: each reads them where they are kept."""
    return {name for name, field in Settings.model_fields.items() if SecretStr in get_args(field.annotation)}


def config_file() -> Path | None:
    """The configuration file in use, if there is one."""
    return _config_file(os.environ)


def _data_home() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def _config_file(environment: Mapping[str, str]) -> Path | None:
    named = environment.get(f"{_PREFIX}CONFIG")
    if named:
        path = expanded(Path(named))
        if not path.is_file():
            raise InvalidSettingsError(
                f"{_PREFIX}CONFIG names {path}, which is not a file", hint=f"mend or unset {_PREFIX}CONFIG"
            )
        return path
    config_home = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    candidates = (Path("localvid.toml"), config_home / "localvid" / "localvid.toml")
    return next((path for path in candidates if path.is_file()), None)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(_read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettingsError(
            f"{path} is not valid TOML: {error}", hint="mend the file at that line"
        ) from error
    for name in values:
        _known(name, str(path))
    return values


def _read_dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # most runs have no .env
    from dotenv.parser import parse_stream

    text = _read_text(path)
    for binding in parse_stream(io.StringIO(text)):
        alone = binding.value is None and (binding.key or "").startswith(_PREFIX)
        if binding.error or alone:
            written = binding.original.string
            blank_lines = written[: len(written) - len(written.lstrip())].count("\n")
            raise InvalidSettingsError(
                f"{path}, line {binding.original.line + blank_lines}: not NAME=value",
                hint="mend that line (a quote that is opened must be closed), or put a # before it",
            )
    found = dotenv_values(stream=io.StringIO(text))
    return {name: value for name, value in found.items() if value is not None}


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
    except UnicodeDecodeError as error:
        raise InvalidSettingsError(
            f"{path} cannot be read: it is not UTF-8 text", hint="save the file as UTF-8"
        ) from error
    except OSError as error:
        raise InvalidSettingsError(
            f"{path} cannot be read: {error.strerror}", hint="check the file's permissions"
        ) from error


def _from_variables(variables: Mapping[str, str], origin: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for variable, text in variables.items():
        if not variable.startswith(_PREFIX) or variable == f"{_PREFIX}CONFIG" or not text:
            continue
        name = variable.removeprefix(_PREFIX).lower()
        _known(name, origin, shown=variable)
        found[name] = _mapping(text, variable) if name in _MAPPINGS else text
    return found


def _shared_account(
    names: tuple[str, str], settings: Mapping[str, Any], dotenv: Mapping[str, str]
) -> dict[str, str]:
    """A server's address and key out of the variables that other programs read too.

    They are taken as a pair, from one place, and only where localvid's own settings name neither: a key
    that was set for one address must not be sent to another, which a folder's file names.
    """
    if any(settings.get(name) for name in names):
        return {}
    for place in (os.environ, dotenv):
        if found := {name: place[name.upper()] for name in names if place.get(name.upper())}:
            return found
    return {}


def _mapping(text: str, variable: str) -> dict[str, Any]:
    """A mapping stands in a variable as JSON."""
    try:
        return TypeAdapter(dict[str, Any]).validate_json(text)
    except ValidationError as error:
        example = _MAPPINGS[variable.removeprefix(_PREFIX).lower()]
        raise InvalidSettingsError(
            f"{variable} is not a JSON object", hint=f"for example {example}"
        ) from error


def _known(name: str, origin: str, *, shown: str | None = None) -> None:
    if name in Settings.model_fields:
        return
    close = difflib.get_close_matches(name, Settings.model_fields, n=1)
    meant = f"; did you mean {_PREFIX + close[0].upper() if shown else close[0]}?" if close else ""
    raise InvalidSettingsError(
        f"unknown setting {shown or name} in {origin}{meant}",
        hint="docs/configuration.md lists every setting",
    )
