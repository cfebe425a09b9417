from pathlib import Path

import pytest

from localvid.config import Settings, load_settings
from localvid.errors import InvalidSettingsError

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("LOCALVID_CONFIG", "LOCALVID_DEVICE", "LOCALVID_THREADS", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_each_place_wins_over_the_ones_before(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().threads is None
    (empty_folder / "localvid.toml").write_text("threads = 1")
    assert load_settings().threads == 1
    (empty_folder / ".env").write_text("LOCALVID_THREADS=2\nUNRELATED=x\n")
    assert load_settings().threads == 2
    monkeypatch.setenv("LOCALVID_THREADS", "3")
    assert load_settings().threads == 3
    assert load_settings(threads=4).threads == 4
    assert load_settings(threads=None).threads == 3


def test_the_users_own_folder_is_read_where_the_current_one_has_no_file(empty_folder: Path) -> None:
    file = empty_folder / "config" / "localvid" / "localvid.toml"
    file.parent.mkdir(parents=True)
    file.write_text('device = "cpu"')
    assert load_settings().device == "cpu"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("devise = 'cpu'", "did you mean device"),
        ("device = 'gpu'", "device"),
        ("threads = 0", "threads"),
        ("device = ", "not valid TOML"),
        ("[model_paths]\n'local:svd' = 3", "model_paths"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_with_a_hint(empty_folder: Path, text: str, message: str) -> None:
    (empty_folder / "localvid.toml").write_text(text)
    with pytest.raises(InvalidSettingsError, match=message) as caught:
        load_settings()
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_a_file_that_is_not_text_is_one_line(empty_folder: Path) -> None:
    (empty_folder / "localvid.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidSettingsError, match="is not UTF-8 text") as caught:
        load_settings()
    assert caught.value.message == "localvid.toml cannot be read: it is not UTF-8 text"
    assert caught.value.hint == "save the file as UTF-8"


def test_a_file_may_begin_with_a_byte_order_mark(empty_folder: Path) -> None:
    (empty_folder / "localvid.toml").write_text("threads = 1", encoding="utf-8-sig")
    assert load_settings().threads == 1
    (empty_folder / ".env").write_text("LOCALVID_THREADS=2", encoding="utf-8-sig")
    assert load_settings().threads == 2


def test_a_variable_with_a_typo_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALVID_DEVISE", "cpu")
    with pytest.raises(InvalidSettingsError, match="did you mean LOCALVID_DEVICE"):
        load_settings()


def test_model_paths_stand_in_a_variable_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALVID_MODEL_PATHS", '{"local:svd": "/data/svd"}')
    assert load_settings().model_paths == {"local:svd": Path("/data/svd")}
    monkeypatch.setenv("LOCALVID_MODEL_PATHS", "svd=/data")
    with pytest.raises(InvalidSettingsError, match="JSON"):
        load_settings()


def test_the_token_is_read_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    settings = load_settings()
    assert settings.hf_token is not None
    assert settings.hf_token.get_secret_value() == "hf_canary"
    assert "hf_canary" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_the_shells_token_wins_over_the_file(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_folder / "localvid.toml").write_text('hf_token = "hf_file"')
    monkeypatch.setenv("HF_TOKEN", "hf_shell")
    settings = load_settings()
    assert settings.hf_token is not None
    assert settings.hf_token.get_secret_value() == "hf_shell"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
class TestAccounts:
    """Keys and addresses of servers that write storyboards."""

    def account(self, provider: str) -> tuple[str | None, str | None]:
        settings = load_settings()
        key = getattr(settings, f"{provider}_api_key")
        return getattr(settings, f"{provider}_base_url"), key and key.get_secret_value()

    def test_the_variables_of_other_programs_serve(
        self, provider: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(f"{provider.upper()}_API_KEY", "sk-shared")
        assert self.account(provider) == (None, "sk-shared")
        monkeypatch.setenv(f"{provider.upper()}_BASE_URL", "https://gateway.example/v1")
        assert self.account(provider) == ("https://gateway.example/v1", "sk-shared")

    def test_a_key_of_theirs_is_not_for_an_address_of_ours(
        self, provider: str, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(f"{provider.upper()}_API_KEY", "sk-shared")
        (empty_folder / "localvid.toml").write_text(f'{provider}_base_url = "https://other.example/v1"')
        assert self.account(provider) == ("https://other.example/v1", None)

    def test_nor_is_a_key_of_ours_for_an_address_of_theirs(
        self, provider: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(f"{provider.upper()}_BASE_URL", "https://other.example/v1")
        monkeypatch.setenv(f"LOCALVID_{provider.upper()}_API_KEY", "sk-own")
        assert self.account(provider) == (None, "sk-own")

    def test_nor_is_the_shells_key_for_an_address_in_a_folders_file(
        self, provider: str, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (empty_folder / ".env").write_text(f"{provider.upper()}_BASE_URL=https://other.example/v1\n")
        assert self.account(provider) == ("https://other.example/v1", None)
        monkeypatch.setenv(f"{provider.upper()}_API_KEY", "sk-shared")
        assert self.account(provider) == (None, "sk-shared")

    def test_a_key_is_never_shown(self, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(f"LOCALVID_{provider.upper()}_API_KEY", "sk-canary")
        monkeypatch.setenv(f"LOCALVID_{provider.upper()}_BASE_URL", "https://u:sk-canary@example.org")
        assert "sk-canary" not in repr(load_settings()) + str(load_settings())


def test_a_hosts_token_goes_with_its_address(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8_canary")
    settings = load_settings()
    assert settings.replicate_api_token is not None
    assert settings.replicate_api_token.get_secret_value() == "r8_canary"
    assert settings.replicate_base_url == "https://api.replicate.com/v1"
    assert "r8_canary" not in repr(settings) + str(settings) + settings.model_dump_json()

    (empty_folder / ".env").write_text("REPLICATE_BASE_URL=https://elsewhere.example/v1")
    assert load_settings().replicate_base_url == "https://api.replicate.com/v1"
    (empty_folder / "localvid.toml").write_text('replicate_base_url = "https://elsewhere.example/v1"')
    assert load_settings().replicate_api_token is None
    monkeypatch.setenv("LOCALVID_REPLICATE_API_TOKEN", "r8_of_elsewhere")
    assert load_settings().replicate_api_token is not None


def test_a_dotenv_that_is_not_text_is_one_line(empty_folder: Path) -> None:
    (empty_folder / ".env").write_bytes(b"\xff\xfe=\xff")
    with pytest.raises(InvalidSettingsError, match="cannot be read"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("no name and value;\n", 1),
        ("# a note\nLOCALVID_THREADS=2\n\n\nLOCALVID DEVICE=cpu\n", 5),
        ("LOCALVID_THREADS=2\nHF_TOKEN='hf_canary\n", 2),
        ("NAME_ALONE\nLOCALVID_DEVICE\n", 2),
    ],
)
def test_a_dotenv_with_a_line_that_says_nothing_is_one_line(
    empty_folder: Path, text: str, line: int, caplog: pytest.LogCaptureFixture
) -> None:
    (empty_folder / ".env").write_text(text)
    with pytest.raises(InvalidSettingsError) as caught:
        load_settings()
    assert caught.value.message == f".env, line {line}: not NAME=value"
    assert "mend that line" in caught.value.hint
    assert caplog.records == []


def test_a_dotenv_may_use_what_other_programs_understand(empty_folder: Path) -> None:
    (empty_folder / ".env").write_text(
        "# a note\nNAME_ALONE\nexport CORES=2  # of this machine\nLOCALVID_THREADS=${CORES}\n"
        "TEXT='two\nlines'\n"
    )
    assert load_settings().threads == 2


@pytest.mark.parametrize("document", ["docs/configuration.md", "localvid.toml"])
def test_every_setting_is_documented(document: str) -> None:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    secret: set[str] = set()
    if document.endswith(".toml"):
        secret = {"hf_token", "openai_api_key", "anthropic_api_key", "replicate_api_token"}
    assert [name for name in Settings.model_fields if name not in text and name not in secret] == []


def test_the_shipped_file_is_valid_with_every_line_switched_on(empty_folder: Path) -> None:
    lines = (REPOSITORY / "localvid.toml").read_text(encoding="utf-8").splitlines()
    (empty_folder / "localvid.toml").write_text(
        "\n".join(line[1:] if line.startswith("#") and not line.startswith("# ") else line for line in lines)
    )
    assert load_settings().threads == 8
