"""`gaechannel doctor`: what a report of a fault needs, and nothing that its reader must not know."""

import pathlib
import platform
import ssl
import sysconfig

import pytest
import trustme
from tls import certified

import gaechannel
from gaechannel import _core
from gaechannel.server import LocalServer

MACHINE = [
    "gaechannel",
    "Python",
    "built",
    "system",
    "texts",
    "libcurl",
    "with",
    "proxies",
    "environment",
    "files",
]
NAMES = [*MACHINE, "certificates", "connection"]


@pytest.fixture
def authorities(environ, tmp_path):
    """One authority's file, which the environment names."""
    file = tmp_path / "authority.pem"
    trustme.CA().cert_pem.write_to_path(file)
    environ.update(SSL_CERT_FILE=str(file), CURL_CA_BUNDLE="", SSL_CERT_DIR="", REQUESTS_CA_BUNDLE="")
    environ.update(dict.fromkeys(["https_proxy", "http_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"], ""))
    return file


def lines_of(out):
    """What stands behind each name."""
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert list(lines) == NAMES
    return lines


# What the fastest way to read a text needs, the largest first, in the words of /proc/cpuinfo.
EXTENSIONS = {
    "AVX-512": {
        "avx512f",
        "avx512bw",
        "avx512vl",
        "avx512vbmi",
        "avx512_vbmi2",
        "avx2",
        "bmi1",
        "bmi2",
        "popcnt",
    },
    "AVX2": {"avx2", "popcnt"},
    "SSSE3": {"ssse3", "popcnt"},
}


@pytest.fixture
def processor_flags():
    """What Linux says that an x86-64 can do."""
    if platform.machine() != "x86_64":
        pytest.skip("only an x86-64 chooses at run time")
    try:
        words = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        pytest.skip("nothing but Linux tells a program what its processor can do")
    flags = [line for line in words.splitlines() if line.startswith("flags")]
    if not flags:
        pytest.skip("the processor is another one, which runs this by a translation")
    return set(flags[0].split())


def test_texts_are_read_by_the_best_that_the_processor_has(run, authorities, processor_flags):
    having = (name for name, needed in EXTENSIONS.items() if needed <= processor_flags)
    best = next(having, "nothing that is faster than a character at a time")
    _, out, _ = run("doctor")
    made = "written in place" if _core.writes_in_place else "made by the stable ABI"
    assert lines_of(out)["texts"] == f"read by {best}, {made}"


def test_it_says_what_there_is_and_receives_a_message(run, authorities):
    status, out, err = run("doctor")
    lines = lines_of(out)
    assert (status, err) == (0, "")
    assert lines["gaechannel"] == gaechannel.__version__
    assert platform.python_version() in lines["Python"]
    one = sysconfig.get_config_var("EXT_SUFFIX") in _core.__file__
    assert lines["built"] == ("for this CPython alone" if one else "for any CPython from 3.11 on")
    assert lines["libcurl"].startswith(f"libcurl/{_core.libcurl_version} ")
    assert " HTTP2" in lines["libcurl"]
    assert " SSL" in lines["libcurl"]
    assert "aiohttp" in lines["with"]
    assert lines["certificates"] == f"{authorities} (1), as the environment says"
    assert lines["connection"].startswith("a message on this machine, after ")


def test_no_secret_and_no_home_is_shown(run, environ, authorities, tmp_path):
    environ.update(
        HOME=str(tmp_path),
        http_proxy="http://mallory:s3cret@127.0.0.1:9/s3cret?s3cret",
        all_proxy="s3cret@127.0.0.1:9",
        no_proxy="localhost,\x1b[31mexample.org",
        GAECHANNEL_BASE_URL="http://mallory:s3cret@127.0.0.1:8/s3cret",
        GAECHANNEL_ADMIN=f"{tmp_path}/admin.sock",
        GAECHANNEL_ADMIN_TOKEN="s3cret",
        GAECHANNEL_STABLE_ABI="1",
        REQUESTS_CA_BUNDLE=f"{tmp_path}/company.pem",
    )
    status, out, err = run("doctor", "http://127.0.0.1:1/s3cret")
    lines = lines_of(out)
    assert (status, err) == (1, "")
    assert "s3cret" not in out
    assert "mallory" not in out
    assert str(tmp_path) not in out
    assert lines["proxies"].split(", ") == [
        "http_proxy=http://***@127.0.0.1:9",
        "all_proxy=***@127.0.0.1:9",
        "no_proxy=localhost,\\x1b[31mexample.org",
    ]
    assert lines["environment"].split(", ") == [
        "GAECHANNEL_BASE_URL=http://***@127.0.0.1:8",
        "GAECHANNEL_ADMIN=~/admin.sock",
        "GAECHANNEL_ADMIN_TOKEN is set",
        "GAECHANNEL_STABLE_ABI is set",
        "SSL_CERT_FILE=~/authority.pem",
        "REQUESTS_CA_BUNDLE=~/company.pem (not read: SSL_CERT_FILE is)",
    ]
    assert lines["connection"].startswith(
        "WRONG: http://127.0.0.1:1: TransportError 7: Failed to connect to 127.0.0.1"
    )


@pytest.mark.parametrize("dialect", ["webchannel", "browserchannel"])
def test_a_session_at_a_url_is_opened_and_ended(run, authorities, server, dialect):
    path = {"webchannel": "/webchannel", "browserchannel": "/channel"}[dialect]
    status, out, _ = run("doctor", "--dialect", dialect, server.url + path)
    assert status == 0
    assert lines_of(out)["connection"].startswith(f"{server.url}: a session, after ")
    assert not server.mounts[path].sessions


def test_who_answers_and_is_no_channel_is_told_from_who_does_not_answer(run, authorities, server):
    status, out, _ = run("doctor", f"{server.url}/nowhere")
    assert status == 1
    words = lines_of(out)["connection"]
    assert words.startswith(f"WRONG: {server.url}: reached after ")
    assert words.endswith(
        " ms, which answers 404 Not Found: no channel of the dialect webchannel, or not for us;"
        " --dialect browserchannel, for one, asks for another"
    )
    status, out, _ = run("doctor", "--dialect", "webchannel", f"{server.url}/nowhere")
    assert lines_of(out)["connection"].endswith(": no channel of the dialect webchannel, or not for us")
    status, out, _ = run("doctor", "http://127.0.0.1:1")
    assert status == 1
    assert ": TransportError 7: Failed to connect" in lines_of(out)["connection"]


DAMAGED = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b"no certificate", "holds no certificate in PEM"),
        (b"\x30\x82\x01\x00", "is in DER, and not in PEM: …"),
        (b"-----BEGIN EC PRIVATE KEY-----\n", "holds a key, and no certificate"),
        (DAMAGED, "cannot be read: …"),
    ],
    ids=["missing", "empty", "text", "DER", "key", "damaged"],
)
def test_authorities_that_are_none_are_wrong(run, authorities, content, said):
    authorities.unlink()
    if content is not None:
        authorities.write_bytes(content)
    status, out, _ = run("doctor")
    assert status == 1
    begin, _, end = f"WRONG: {authorities} ({said}), as the environment says".partition("…")
    words = lines_of(out)["certificates"]
    assert words.startswith(begin)
    assert words.endswith(end)


def test_a_directory_of_authorities_that_openssl_would_not_find_is_wrong(run, environ, authorities, tmp_path):
    environ.update(SSL_CERT_FILE="", SSL_CERT_DIR=str(tmp_path))
    status, out, _ = run("doctor")
    assert status == 1
    assert lines_of(out)["certificates"].startswith(
        f"WRONG: {tmp_path} (no names as `openssl rehash` makes them)"
    )
    authorities.rename(tmp_path / "0123abcd.0")
    status, out, _ = run("doctor")
    assert lines_of(out)["certificates"] == f"{tmp_path} (1), as the environment says"


def test_without_aiohttp_it_says_how_to_test_a_connection(run, environ, authorities, tmp_path):
    (tmp_path / "aiohttp.py").write_text("raise ImportError")
    environ["PYTHONPATH"] = str(tmp_path)
    status, out, _ = run("doctor")
    assert status == 0
    assert lines_of(out)["connection"].startswith("not tested: `doctor URL`")


def test_a_server_of_the_channel_api_is_known_by_its_url(run, authorities, server):
    status, out, err = run("doctor", server.base_url)
    assert (status, err) == (0, "")
    words = lines_of(out)["connection"]
    assert words.startswith(f"{server.url}: a server of the Channel API, which wants a token, after ")
    assert not server.service.sessions


def test_a_url_that_is_no_server_of_the_channel_api_is_wrong(run, authorities, server):
    status, out, err = run("doctor", f"{server.url}/elsewhere/talkgadget")
    assert (status, err) == (1, "")
    assert "which answers 404 Not Found" in lines_of(out)["connection"]


def test_an_authority_of_ones_own_is_named_by_an_option(run, environ, authorities, tmp_path):
    certified(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with LocalServer(ssl_context=context) as secure:
        url = f"{secure.url}/webchannel"
        assert run("doctor", url)[0] == 1
        status, out, _ = run("doctor", url, "--verify", str(tmp_path / "ca.pem"))
    assert status == 0
    lines = lines_of(out)
    assert lines["certificates"] == f"{tmp_path}/ca.pem (1), as --verify says"
    assert lines["connection"].startswith(f"{secure.url}: a session, after ")


def test_options_of_a_connection_are_nothing_without_one(run, authorities):
    status, _, err = run("doctor", "--proxy", "http://127.0.0.1:1")
    assert status == 2
    assert "--verify, --cert and --proxy are nothing without a URL" in err


def test_a_senseless_proxy_is_a_wrong_argument(run, authorities):
    status, _, err = run("doctor", "http://127.0.0.1:1/channel", "--proxy", "ftp://x")
    assert status == 2
    assert "error: proxy must be the URL of a proxy" in err
