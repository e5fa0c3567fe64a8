from pathlib import Path

import pytest

from freehold.config import Settings, SettingsError, folders, load
from freehold.engines.registry import EngineSpec
from freehold.storage.blobs.access import S3Access


def test_the_defaults_listen_on_loopback_only(tmp_path: Path) -> None:
    settings = load({}, None, tmp_path)
    assert settings == Settings()
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8000)


def test_the_later_source_wins(tmp_path: Path) -> None:
    (tmp_path / "freehold.toml").write_text('[server]\nport = 1\nhost = "a"\nmax_body = 2048\n')
    environ = {"FREEHOLD__SERVER__PORT": "2", "FREEHOLD__SERVER__HOST": "b"}
    server = load(environ, None, tmp_path, {"server": {"port": 3}}).server
    assert (server.port, server.host, server.max_body) == (3, "b", 2048)


def test_engines_and_aliases_are_read_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text('[[engines]]\nname = "local"\nmodels = ["a", "b"]\nslots = 4\n[aliases]\n"gpt-4.1" = "b"\n')
    settings = load({}, file, tmp_path)
    assert settings.engines == (EngineSpec(name="local", models=("a", "b"), slots=4),)
    assert settings.aliases == {"gpt-4.1": "b"}


def test_variables_reach_into_lists(tmp_path: Path) -> None:
    environ = {
        "FREEHOLD__ENGINES__0__NAME": "local",
        "FREEHOLD__ENGINES__0__MODELS": "a,b",
        "FREEHOLD__ENGINES__0__SLOTS": "3",
        "FREEHOLD__ENGINES__1__NAME": "second",
        "OTHER": "x",
    }
    assert load(environ, None, tmp_path).engines == (
        EngineSpec(name="local", models=("a", "b"), slots=3),
        EngineSpec(name="second"),
    )


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (
            "[server]\nprot = 1",
            r"Unknown setting server\.prot \(known here: host, port, max_body, drain_seconds, pepper\)",
        ),
        (
            "[sever]\nport = 1",
            r"Unknown setting sever \(known here: server, storage, s3, refusals, outbound, worker, search, engines, "
            r"embedders, aliases\)",
        ),
        ('[server]\nport = "many"', r"Wrong setting server\.port: expected `int`"),
        ("[server]\nport = 70000", r"Wrong setting server\.port: expected `int` <= 65535"),
        ('[[engines]]\nname = "x"\nslot = 1', r"Unknown setting engines\[0\]\.slot"),
        ("[[engines]]\nslots = 1", r"Missing setting engines\[0\]\.name"),
        ("server = 1", r"Wrong setting server: expected `object`"),
        ("[server", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_path(tmp_path: Path, toml: str, message: str) -> None:
    (tmp_path / "freehold.toml").write_text(toml)
    with pytest.raises(SettingsError, match=message):
        load({}, None, tmp_path, {"server": {}})


def test_the_tenth_engine_comes_after_the_second(tmp_path: Path) -> None:
    environ = {f"FREEHOLD__ENGINES__{i}__NAME": f"e{i}" for i in range(12)}
    assert [spec.name for spec in load(environ, None, tmp_path).engines] == [f"e{i}" for i in range(12)]


@pytest.mark.parametrize("name", ["FREEHOLD__SERVER__PROT", "FREEHOLD__NOTHING", "FREEHOLD__ENGINES__7__NAME"])
def test_a_wrong_variable_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="Unknown setting"):
        load({name: "1"}, None, tmp_path)


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load({}, tmp_path / "none.toml", tmp_path)


def test_the_folders_are_the_users_unless_they_are_named() -> None:
    plain = folders({"HOME": "/home/ann"})
    assert plain.data == Path("/home/ann/.local/share/freehold")
    assert plain.models == Path("/home/ann/.cache/freehold/models")
    named = folders({"HOME": "/home/ann", "FREEHOLD_MODELS": "/m", "FREEHOLD_DATA": "/d", "XDG_DATA_HOME": "/x"})
    assert (named.data, named.models) == (Path("/d"), Path("/m"))
    assert folders({"HOME": "/home/ann", "FREEHOLD_DATA": "/d"}, Path("/e")).data == Path("/e")


def test_a_bucket_is_found_by_the_settings_else_by_the_usual_variables(tmp_path: Path) -> None:
    environ = {
        "AWS_ENDPOINT_URL": "http://all",
        "AWS_ENDPOINT_URL_S3": "http://s3",
        "AWS_REGION": "",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
    }
    assert load(environ, None, tmp_path).s3 == S3Access(
        endpoint="http://s3",
        region="eu-north-1",
        access_key_id="id",
        secret_access_key="secret",
        session_token="token",
    )
    (tmp_path / "freehold.toml").write_text('[s3]\nendpoint = "http://file"\nregion = "file"\n')
    found = load({**environ, "FREEHOLD__S3__REGION": "variable"}, None, tmp_path).s3
    assert (found.endpoint, found.region, found.access_key_id) == ("http://file", "variable", "id")
    assert load({}, None, tmp_path / "none").s3 == S3Access()


def test_addresses_may_be_allowed(tmp_path: Path) -> None:
    (tmp_path / "freehold.toml").write_text('[outbound]\nallow = ["wiki.lan:8080"]\n')
    assert load({}, None, tmp_path).outbound.allow == ("wiki.lan:8080",)
    environ = {"FREEHOLD__OUTBOUND__ALLOW": "wiki.lan:8080,10.0.0.1:80"}
    assert load(environ, None, tmp_path).outbound.allow == ("wiki.lan:8080", "10.0.0.1:80")


@pytest.mark.parametrize("address", ["wiki.lan", "http://wiki.lan:80/", "wiki.lan:", "wiki lan:80", ""])
def test_an_address_needs_its_port(tmp_path: Path, address: str) -> None:
    (tmp_path / "freehold.toml").write_text(f'[outbound]\nallow = ["{address}"]\n')
    with pytest.raises(SettingsError, match=r"outbound\.allow"):
        load({}, None, tmp_path)
