"""TLS: certificates are checked, unless somebody says not to."""

import contextlib
import datetime
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hostile import TalkServer, messages, ok, streams

from gaechannel import TransportError, _core

pytestmark = pytest.mark.timeout(30)

PEER_FAILED_VERIFICATION = 60


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def authority_file(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def context_for(authority, *names, client_authority=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    if client_authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        client_authority.configure_trust(context)
    return context


@pytest.fixture
def served(authority):
    back = [ok(messages(1, "a")), streams(messages(2, "b"))]
    with TalkServer(back=back, tls=context_for(authority, "127.0.0.1")) as server:
        yield server


def test_a_certificate_of_an_unknown_authority_is_refused_at_once(client_of, served):
    with pytest.raises(TransportError) as caught:
        next(client_of(served).messages())
    assert caught.value.curl_code == PEER_FAILED_VERIFICATION
    assert served.requests == []
    # It may be sought in the system's directory first, and then in its file.
    assert served.connections <= 2


@pytest.mark.parametrize("form", [str, os.fspath, lambda path: path])
def test_a_file_of_authorities_is_believed(client_of, take, served, authority_file, form):
    assert take(client_of(served, verify=form(authority_file)), 2) == ["a", "b"]
    assert served.connections == 1


def test_the_environments_authorities_are_believed(client_of, take, served, authority_file, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    assert take(client_of(served), 2) == ["a", "b"]


VARIABLES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")


@pytest.fixture
def no_variables(monkeypatch):
    for variable in (*VARIABLES, "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("no_variables")
@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "useless"])
def test_authorities_that_the_environment_names_in_vain_are_named(
    client_of, served, monkeypatch, tmp_path, variable, content
):
    place = tmp_path / "place"
    if variable == "SSL_CERT_DIR":
        if content is not None:
            place.mkdir()
    elif content is not None:
        place.write_text(content)
    monkeypatch.setenv(variable, str(place))
    with pytest.raises(TransportError) as caught:
        next(client_of(served).messages())
    assert f"(the environment's authorities were tried: {variable}={place})" in str(caught.value)


@pytest.mark.usefixtures("no_variables")
def test_the_environment_is_not_named_where_it_says_nothing(
    client_of, served, authority, authority_file, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", "")
    with pytest.raises(TransportError) as caught:
        next(client_of(served).messages())
    assert "environment" not in str(caught.value)
    # Nor where its authorities are those that were needed.
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    with TalkServer(tls=context_for(authority, "example.com")) as server:
        with pytest.raises(TransportError) as caught:
            next(client_of(server).messages())
        assert "environment" not in str(caught.value)


@pytest.mark.usefixtures("no_variables")
def test_a_variable_of_others_is_named_as_one_that_is_not_read(
    client_of, take, served, authority_file, monkeypatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority_file))
    with pytest.raises(TransportError) as caught:
        next(client_of(served).messages())
    assert f" (REQUESTS_CA_BUNDLE={authority_file} is not read here: verify= and SSL_CERT_FILE are)" in str(
        caught.value
    )
    # Nor is it told of where it was not what was missing.
    assert take(client_of(served, verify=authority_file), 2) == ["a", "b"]
    monkeypatch.setenv("SSL_CERT_FILE", "/is/not/there.pem")
    with pytest.raises(TransportError) as caught:
        next(client_of(served).messages())
    assert "REQUESTS_CA_BUNDLE" not in str(caught.value)


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")


def hashed(folder, *files):
    """Fill a directory of authorities, under the names by which OpenSSL finds them."""
    for file in files:
        name = subprocess.check_output(["openssl", "x509", "-hash", "-noout", "-in", file], text=True).strip()
        shutil.copy(file, folder / f"{name}.0")
    return folder


@needs_openssl
def test_a_file_is_not_read_where_a_directory_is_enough(
    client_of, take, served, authority_file, monkeypatch, tmp_path
):
    # Each connection would keep all that is in it, and take long to read it.
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "unreadable.pem"))
    (tmp_path / "unreadable.pem").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_DIR", str(hashed(tmp_path, authority_file)))
    assert take(client_of(served), 2) == ["a", "b"]
    assert served.connections == 1


@needs_openssl
def test_a_file_is_read_where_a_directory_is_not_enough(
    client_of, take, served, authority_file, monkeypatch, tmp_path
):
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    monkeypatch.setenv("SSL_CERT_DIR", str(hashed(tmp_path, other)))
    assert take(client_of(served), 2) == ["a", "b"]
    # The first was given up; for all that follow both are known.
    assert served.connections == 2


@needs_openssl
def test_a_file_is_not_asked_about_a_certificate_of_another_host(
    client_of, authority, authority_file, monkeypatch, tmp_path
):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    monkeypatch.setenv("SSL_CERT_DIR", str(hashed(tmp_path, authority_file)))
    with TalkServer(tls=context_for(authority, "example.com")) as server:
        with pytest.raises(TransportError) as caught:
            next(client_of(server).messages())
        assert caught.value.curl_code == PEER_FAILED_VERIFICATION
        assert server.connections == 1


def test_a_directory_of_authorities_is_taken(client_of, served, tmp_path):
    # Without the names that OpenSSL looks for in it, it makes nobody known.
    with pytest.raises(TransportError):
        next(client_of(served, verify=tmp_path).messages())


def test_verify_false_believes_anybody(client_of, take, served):
    assert take(client_of(served, verify=False), 2) == ["a", "b"]


def test_a_certificate_for_another_host_is_refused(client_of, take, authority, authority_file):
    with TalkServer(
        back=streams(messages(1, "a")), tls=context_for(authority, "elsewhere.example", "127.0.0.2")
    ) as server:
        with pytest.raises(TransportError) as caught:
            next(client_of(server, verify=authority_file).messages())
        assert caught.value.curl_code == PEER_FAILED_VERIFICATION
        assert server.requests == []
        assert take(client_of(server, verify=False), 1) == ["a"]


def test_a_clients_certificate_is_shown(client_of, take, authority, authority_file, tmp_path):
    mine = trustme.CA()
    issued = mine.issue_cert("me@example.org")
    both, cert, key = tmp_path / "both.pem", tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(both)
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    context = context_for(authority, "127.0.0.1", client_authority=mine)
    with TalkServer(back=streams(messages(1, "a")), tls=context) as server:
        with pytest.raises(TransportError):
            next(client_of(server, verify=authority_file).messages())
        for given in (both, (str(cert), key)):
            assert take(client_of(server, verify=authority_file, cert=given), 1) == ["a"]


def _pem(key):
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


class Issuer:
    """An authority that signs what no public one would."""

    def __init__(self, folder, key=None):
        self._folder = folder
        self._key = key or rsa.generate_private_key(65537, 2048)
        self.file = folder / "issuer.pem"
        self.file.write_bytes(self._signed(self._key, "issuer", True))

    def _signed(self, key, name, is_authority, by=None):
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name.from_rfc4514_string(f"CN={name}"))
            .issuer_name(x509.Name.from_rfc4514_string(f"CN={name if by else 'issuer'}"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        )
        return builder.sign(by or self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def context(self, key, digest="sha256"):
        """A server's, for localhost, with a certificate for this key."""
        both = self._folder / "both.pem"
        if digest == "sha256":
            signed = self._signed(key, "localhost", False)
        else:
            # Python's modules sign nothing by SHA-1 any more, and the command signs what signs itself.
            its, mine = self._folder / "its.pem", self._folder / "issuer.key"
            its.write_bytes(self._signed(key, "localhost", False, by=key))
            mine.write_bytes(_pem(self._key))
            command = ["openssl", "x509", "-in", its, "-CA", self.file, "-CAkey", mine, "-set_serial", "2"]
            digest, _, padding = digest.partition(" by ")
            pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20"] if padding else []
            signed = subprocess.check_output([*command, f"-{digest}", *pss])
        both.write_bytes(_pem(key) + signed)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")  # whatever Python would not have
        context.load_cert_chain(both)
        return context


KEYS = {
    "RSA, 1024 bits": lambda: rsa.generate_private_key(65537, 1024),
    "RSA, 2048 bits": lambda: rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("key", list(KEYS)[1:])
def test_private_servers_keys_are_known(client_of, take, tmp_path, key, version):
    # No public authority signs Ed25519, and no browser takes it: AWS-LC must be told to.
    issuer = Issuer(tmp_path)
    context = issuer.context(KEYS[key]())
    context.minimum_version = context.maximum_version = version
    with TalkServer(back=streams(messages(1, "a")), tls=context) as server:
        url = f"https://localhost:{server.port}"
        assert take(client_of(url, verify=issuer.file), 1) == ["a"]


def test_a_server_that_has_one_curve_alone_is_reached(client_of, take, tmp_path):
    issuer = Issuer(tmp_path)
    context = issuer.context(KEYS["RSA, 2048 bits"]())
    context.set_ecdh_curve("secp521r1")
    with TalkServer(back=streams(messages(1, "a")), tls=context) as server:
        assert take(client_of(f"https://localhost:{server.port}", verify=issuer.file), 1) == ["a"]


@needs_openssl
@pytest.mark.parametrize(
    ("key", "issuers", "digest", "words"),
    [
        ("RSA, 1024 bits", "RSA, 2048 bits", "sha256", "too weak a key"),
        ("RSA, 2048 bits", "RSA, 1024 bits", "sha256", "too weak a key"),
        ("RSA, 2048 bits", "RSA, 2048 bits", "sha1", "too weak a signature"),
        ("RSA, 2048 bits", "RSA, 2048 bits", "sha1 by PSS", "too weak a signature"),
    ],
)
def test_weak_certificates_are_refused(client_of, tmp_path, key, issuers, digest, words):
    """AWS-LC believes whatever a known authority has signed, unless it is told to look."""
    issuer = Issuer(tmp_path, KEYS[issuers]())
    with TalkServer(back=streams(messages(1, "a")), tls=issuer.context(KEYS[key](), digest)) as server:
        with pytest.raises(TransportError, match=words) as caught:
            next(client_of(f"https://localhost:{server.port}", verify=issuer.file).messages())
        assert server.requests == []
    assert caught.value.curl_code == PEER_FAILED_VERIFICATION


# In a terminal of its own, in which nobody types.
ASKED = """
import pty, sys
sys.exit(pty.spawn([sys.executable, "-c", sys.argv[1], *sys.argv[2:]]) >> 8)
"""
WITH_A_CERTIFICATE = """
import sys
from gaechannel import Client, TransportError
try:
    next(Client("t", base_url=sys.argv[1], verify=False, cert=sys.argv[2]).messages())
except TransportError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("form", ["TraditionalOpenSSL", "PKCS8"])
def test_nobody_is_asked_for_a_keys_password(authority, tmp_path, form):
    issued = authority.issue_cert("me@example.org")
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        getattr(serialization.PrivateFormat, form),
        serialization.BestAvailableEncryption(b"secret"),
    )
    both = tmp_path / "both.pem"
    both.write_bytes(secret + issued.cert_chain_pems[0].bytes())
    with TalkServer(tls=context_for(authority, "127.0.0.1")) as server:
        command = [sys.executable, "-c", ASKED, WITH_A_CERTIFICATE, server.base_url, str(both)]
        done = subprocess.run(command, input="", capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout.startswith("refused:"), done
    assert "key" in done.stdout


def test_what_is_no_tls_is_a_transport_error(client_of):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = client_of(f"https://127.0.0.1:{listener.getsockname()[1]}/")

        def answer():
            connection, _ = listener.accept()
            with connection:
                # First read: where it is closed before, a connection is reset, and its answer lost.
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Speak plainly\r\n\r\n")
                with contextlib.suppress(OSError):  # the client may have gone by now
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(TransportError) as caught:
            next(client.messages())
        thread.join()
    assert caught.value.curl_code == 35
    if re.search("OpenSSL/|AWS-LC/", _core._libcurl_details()["version"]):
        assert "(what answers there speaks no TLS: is it a port of http://?) (https://" in str(caught.value)


@pytest.mark.parametrize("option", ["verify", "cert"])
def test_a_file_that_does_not_exist_is_said_so(client_of, option):
    with pytest.raises(FileNotFoundError, match=option):
        client_of("https://127.0.0.1", **{option: "/no/such/file.pem"})
