"""What the command says about itself, and about arguments that make no sense."""

import re

import pytest

import gaechannel


def test_version_names_this_package_libcurl_and_its_tls_library(run):
    status, out, err = run("--version")
    assert (status, err) == (0, "")
    words = rf"gaechannel {gaechannel.__version__}, libcurl \d+\.\d+\.\d+ with (OpenSSL|AWS-LC|GnuTLS)/\S+\n"
    assert re.fullmatch(words, out)


@pytest.mark.parametrize("command", ["demo", "serve", "create", "send", "listen", "decode", "doctor"])
def test_every_command_has_help(run, command):
    assert command in run("--help")[1]
    status, out, err = run(command, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"usage: gaechannel {command}")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "COMMAND"),
        (("dance",), "dance"),
        (("create",), "CLIENT_ID"),
        (("create", "me", "--minutes", "0"), "--minutes"),
        (("create", "me", "--minutes", "soon"), "--minutes"),
        (("create", "me", "--admin", "ftp://example.org"), "--admin"),
        (("create", "me", "--admin", "8081"), "--admin"),
        (("create", "me", "--admin", "http://example.org:8081"), "https alone"),
        (("create", "me", "--admin-token", "x", "--admin-token-file", "y"), "--admin-token"),
        (("listen", "token", "--base-url", "ftp://example.org"), "--base-url"),
        (("serve", "--admin", "0.0.0.0:0"), "it needs TLS"),
        (("serve", "--admin", "8081"), "HOST:PORT"),
        (("create", "me"), "GAECHANNEL_ADMIN_TOKEN"),
        (("send", "me"), "TEXT"),
        (("send", "me", "text"), "GAECHANNEL_ADMIN_TOKEN"),
        (("listen",), "TOKEN"),
        (("listen", ""), "TOKEN"),
        (("listen", "token", "--count", "0"), "--count"),
        (("serve", "--port", "65536"), "--port"),
        (("serve", "--port", "http"), "--port"),
        (("serve", "--backchannel-seconds", "0"), "--backchannel-seconds"),
        (("serve", "--presence-url", "localhost:8080"), "--presence-url"),
        (("serve", "--presence-url", "http://localhost:x"), "--presence-url"),
        (("serve", "--backchannel-seconds", "nan"), "--backchannel-seconds"),
        (("serve", "--channels", "-1"), "--channels"),
        (("serve", "--max-body", "0"), "--max-body"),
        (("serve", "--idle-seconds", "0"), "--idle-seconds"),
        (("serve", "--allow-origin", "example.org"), "is no origin"),
        (("serve", "--host-name", "a b"), "is no host name"),
    ],
)
def test_wrong_arguments_are_status_2_and_are_named(run, arguments, word):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("usage: gaechannel")
    assert word in err.splitlines()[-1]


def test_a_senseless_address_in_the_environment_is_status_2(run, environ):
    environ["GAECHANNEL_BASE_URL"] = "nonsense"
    status, _, err = run("listen", "token")
    assert status == 2
    assert "error: the environment's GAECHANNEL_BASE_URL must be http" in err
    assert "--base-url:" not in err
    environ["GAECHANNEL_ADMIN"] = "nonsense"
    status, _, err = run("create", "me", "--admin-token", "secret")
    assert status == 2
    assert "error: the environment's GAECHANNEL_ADMIN: 'nonsense' is neither HOST:PORT nor a URL" in err
    assert "--admin:" not in err
    assert run("create", "--help")[0] == 0
