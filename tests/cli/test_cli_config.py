"""`gaechannel serve --config`: the options in a TOML file."""

import pytest

from gaechannel.cli.arguments import CommandError
from gaechannel.cli.config import configured
from gaechannel.cli.main import _parser


@pytest.fixture
def parsed(tmp_path):
    """parsed(toml, *arguments): what `serve` is given."""

    def parse(toml, *arguments):
        file = tmp_path / "serve.toml"
        file.write_text(toml, encoding="utf-8")
        return configured(_parser(), ["serve", "--config", str(file), *arguments])

    return parse


def test_the_names_and_the_values_are_the_options(parsed):
    args = parsed(
        """
        host = "0.0.0.0"
        port = 9000
        key-file = "/var/lib/gaechannel/key"
        backchannel-seconds = 30
        unix-mode = "666"
        trust-proxy = ["127.0.0.1", "unix"]
        log-json = true
        """
    )
    assert (args.host, args.port, args.key_file) == ("0.0.0.0", 9000, "/var/lib/gaechannel/key")
    assert (args.backchannel_seconds, args.unix_mode, args.log_json) == (30.0, 0o666, True)
    assert args.trust_proxy == ["127.0.0.1", "unix"]
    assert args.access_log is None


def test_the_command_line_wins(parsed):
    toml = 'port = 9000\nhost = "::1"\ntrust-proxy = "10.0.0.0/8"'
    # Also where it says what would be so without it.
    args = parsed(toml, "--port", "8080", "--trust-proxy", "unix")
    assert (args.port, args.host, args.trust_proxy) == (8080, "::1", ["unix"])
    assert parsed(toml).trust_proxy == ["10.0.0.0/8"]


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("prot = 1", "there is no option 'prot'; did you mean 'port'?"),
        ("access_log = '-'", "there is no option 'access_log'; did you mean 'access-log'?"),
        ("zzz = 1", "there is no option 'zzz'; there are: access-log, "),
        ("config = 'x'", "there is no option 'config'"),
        ("help = true", "there is no option 'help'"),
        ("port = 99999", "port: '99999' is not a port"),
        ("port = true", "port: True is neither a string nor a number"),
        ("port = [1]", "port: [1] is neither a string nor a number"),
        ("host = 1", "host: 1 is no string"),
        ("unix-mode = 0o660", "unix-mode: 432 is no string"),
        ("log-json = 'yes'", "log-json: 'yes' is neither true nor false"),
        ("[server]\nport = 1", "there is no option 'server'"),
        ("port =", "Invalid value"),
    ],
)
def test_what_is_no_option_or_no_value_is_told_with_the_file(parsed, toml, words):
    with pytest.raises(CommandError) as caught:
        parsed(toml)
    assert words in str(caught.value)
    assert "serve.toml: " in str(caught.value)


def test_a_secret_that_others_can_read_is_warned_of(parsed, capsys, tmp_path):
    assert parsed('admin-token = "s3cret"').admin_token == "s3cret"
    file = tmp_path / "serve.toml"
    assert capsys.readouterr().err == (
        f"gaechannel: {file} holds a secret and can be read by others: chmod 600\n"
    )
    file.chmod(0o600)
    parsed('admin-token = "s3cret"')
    file.chmod(0o644)
    parsed('admin-token-file = "elsewhere"')
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_cannot_be_read_is_one_line_and_status_1(run, tmp_path, content):
    file = tmp_path / "serve.toml"
    if content is not None:
        file.write_bytes(content)
    status, out, err = run("serve", "--config", str(file))
    assert (status, out) == (1, "")
    assert err.startswith(f"gaechannel: --config: {file}: ")
    assert err.count("\n") == 1


def test_every_option_of_serve_can_stand_in_the_file(parsed):
    """So that whoever adds one of a new kind thinks of it here."""
    command = parsed("").parser
    for action in command._actions:
        name = action.option_strings[-1].removeprefix("--")
        if name in ("help", "config"):
            continue
        for value in ("true", "1", '"127.0.0.1:1"', '"660"', '"http://127.0.0.1:1"'):
            try:
                parsed(f"{name} = {value}")
            except CommandError:
                continue
            break
        else:
            raise AssertionError(f"no value of --{name} can be given by a file")
