"""What is said when TLS fails, by whichever TLS library: what is wrong, whose certificate, which file."""

import datetime
import os
import re
import socket
import ssl
import subprocess
import threading

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from hostile import TalkServer
from test_client_tls import KEYS, Issuer, context_for, needs_openssl

from gaechannel import TransportError, _core

pytestmark = pytest.mark.timeout(30)

SSL_CONNECT_ERROR, CERTIFICATE_PROBLEM, PEER_FAILED_VERIFICATION, AUTHORITIES_UNREADABLE = 35, 58, 60, 77

IS_AWS_LC = "AWS-LC/" in _core._libcurl_details()["version"]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def why(client_of):
    """why(server, code, **options): the words of the TransportError with that code."""

    def fail(server, code, **options):
        with pytest.raises(TransportError) as caught:
            next(client_of(server, **options).messages())
        assert caught.value.curl_code == code
        return str(caught.value)

    return fail


# ---- A handshake that is broken off ----


@pytest.fixture(params=["closes", "resets"])
def hangs_up(request):
    """The port of one who closes the connection, when what a client says first is read, or before."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536 if request.param == "closes" else 1)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_a_server_that_hangs_up_in_the_handshake_is_said_to(why, hangs_up):
    words = why(f"https://127.0.0.1:{hangs_up}", SSL_CONNECT_ERROR)
    assert words.startswith("the server closed the connection during the TLS handshake (")


def test_a_proxy_that_hangs_up_in_the_handshake_is_said_to(why, hangs_up):
    words = why("https://talk.invalid", SSL_CONNECT_ERROR, proxy=f"https://127.0.0.1:{hangs_up}")
    assert words.startswith("the proxy closed the connection during the TLS handshake (through the proxy ")


@pytest.fixture
def asking():
    """A server that wants a client's certificate, of an authority of its own."""
    context = context_for(trustme.CA(), "127.0.0.1", client_authority=trustme.CA())
    # Over TLS 1.3 a client takes the handshake for done, and may meet a closed connection first.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with TalkServer(tls=context) as server:
        yield server


def test_a_server_that_wants_a_certificate_is_said_to(why, asking):
    words = why(asking, SSL_CONNECT_ERROR, verify=False)
    assert "(the server may want a client's certificate, by cert=, or a cipher that is not here)" in words


def test_a_server_that_does_not_know_the_authority_of_a_certificate_is_said_not_to(why, asking, tmp_path):
    file = tmp_path / "mine.pem"
    trustme.CA().issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(file)
    words = why(asking, SSL_CONNECT_ERROR, verify=False, cert=file)
    assert "(the server does not know the authority of the certificate in cert=)" in words


# ---- The client's own certificate ----


def _pem(key, password=None, form="PKCS8"):
    encryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    return key.private_bytes(
        serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), encryption
    )


class Mine:
    """A client's certificate and key, in forms that cannot be used."""

    def __init__(self):
        authority = trustme.CA()
        issued, other = authority.issue_cert("me@example.org"), authority.issue_cert("you@example.org")
        self.cert = issued.cert_chain_pems[0].bytes()
        self.key = issued.private_key_pem.bytes()
        self.other_key = other.private_key_pem.bytes()
        self.loaded = x509.load_pem_x509_certificate(self.cert)
        self._key = serialization.load_pem_private_key(self.key, None)

    def locked(self, form):
        return _pem(self._key, b"secret", form)

    def der(self):
        return self.loaded.public_bytes(serialization.Encoding.DER)

    def der_key(self):
        form = serialization.PrivateFormat.PKCS8
        return self._key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())

    def pkcs12(self):
        none = serialization.NoEncryption()
        return pkcs12.serialize_key_and_certificates(b"me", self._key, self.loaded, None, none)


LOCKED = "{key} holds a key that wants a password, which cannot be given: "
IN_DER = " is in DER, and not in PEM: "
# What the certificate's file and the key's hold (None: one file), and what is said.
UNUSABLE = {
    "a key with a password": (lambda me: (me.locked("PKCS8") + me.cert, None), LOCKED),
    "a key with a password, of old": (lambda me: (me.locked("TraditionalOpenSSL") + me.cert, None), LOCKED),
    "a key with a password apart": (lambda me: (me.cert, me.locked("PKCS8")), LOCKED),
    "another's key": (
        lambda me: (me.cert, me.other_key),
        "the key in {key} does not fit the certificate in {cert}, or is damaged",
    ),
    "no key": (lambda me: (me.cert, None), "{key} holds no private key in PEM"),
    "no certificate": (lambda me: (me.key, None), "{cert} holds a key, and no certificate"),
    "text": (lambda me: (b"0 is no sequence", None), "{cert} holds no certificate in PEM"),
    "nothing": (lambda me: (b"", None), "{cert} is empty"),
    "DER": (lambda me: (me.der(), me.key), "{cert}" + IN_DER),
    "a key in DER": (lambda me: (me.cert, me.der_key()), "{key}" + IN_DER),
    "PKCS #12": (lambda me: (me.pkcs12(), None), "{cert} is in PKCS #12, and not in PEM: "),
}


@pytest.mark.parametrize(("make", "said"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_clients_certificate_that_cannot_be_used_is_said_why(why, tmp_path, make, said):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    contents = make(Mine())
    for file, content in zip((cert, key), contents, strict=True):
        if content is not None:
            file.write_bytes(content)
    given = cert if contents[1] is None else (cert, key)
    with TalkServer(tls=context_for(trustme.CA(), "127.0.0.1")) as server:
        words = why(server, CERTIFICATE_PROBLEM, verify=False, cert=given)
        assert server.requests == []
    assert words.startswith("cert: " + said.format(cert=cert, key=key if contents[1] is not None else cert))


def test_a_clients_certificate_that_has_gone_is_said_to(why, tmp_path):
    file = tmp_path / "mine.pem"
    with TalkServer(tls=context_for(trustme.CA(), "127.0.0.1")) as server:
        file.write_bytes(Mine().cert)

        def token():
            file.unlink()
            return "token"

        words = why(server, CERTIFICATE_PROBLEM, verify=False, cert=file, token=token)
    assert words.startswith(f"cert: {file} is not there")


# ---- Files of authorities ----

DAMAGED = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
NO_AUTHORITIES = {
    "DER": (lambda me: me.der(), "the authorities' file {file}" + IN_DER),
    "nothing": (lambda me: b"", "the authorities' file {file} is empty"),
    "text": (lambda me: b"no certificate", "the authorities' file {file} holds no certificate in PEM"),
    "a key": (lambda me: me.key, "the authorities' file {file} holds a key, and no certificate"),
    "damaged": (lambda me: DAMAGED, "a certificate in the authorities' file is damaged: {file}"),
}


@pytest.mark.parametrize("by", ["verify", "SSL_CERT_FILE"])
@pytest.mark.parametrize(("make", "said"), NO_AUTHORITIES.values(), ids=NO_AUTHORITIES)
def test_a_file_that_holds_no_authorities_is_said_why(why, tmp_path, monkeypatch, make, said, by):
    file = tmp_path / "ca.pem"
    file.write_bytes(make(Mine()))
    options = {"verify": file} if by == "verify" else {}
    # Over a directory, the file would only be looked at where that does not know an authority.
    monkeypatch.setenv(by, str(file))
    with TalkServer(tls=context_for(trustme.CA(), "127.0.0.1")) as server:
        words = why(server, AUTHORITIES_UNREADABLE, **options)
    assert words.startswith(said.format(file=file))
    assert ("(the environment's authorities were tried: " in words) == (by != "verify")


def test_a_directory_in_the_place_of_a_file_is_said_to_be_one(why, tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path))
    with TalkServer(tls=context_for(trustme.CA(), "127.0.0.1")) as server:
        words = why(server, AUTHORITIES_UNREADABLE)
    assert words.startswith(f"the authorities' file {tmp_path} is a directory (")


def test_a_directory_in_which_nothing_is_found_is_said_to_have_no_such_names(why, tmp_path):
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    advice = f"(in {tmp_path} there are no names as `openssl rehash` makes them)"
    with TalkServer(tls=context_for(trustme.CA(), "127.0.0.1")) as server:
        assert advice in why(server, PEER_FAILED_VERIFICATION, verify=tmp_path)
        (tmp_path / "ca.pem").rename(tmp_path / "0123abcd.0")
        assert advice not in why(server, PEER_FAILED_VERIFICATION, verify=tmp_path)


@pytest.mark.parametrize("option", ["verify", "cert"])
def test_an_empty_path_is_refused(client_of, option):
    with pytest.raises(ValueError, match=f"{option} must be .*, not empty"):
        client_of("https://127.0.0.1", **{option: ""})


# ---- Certificates that are not believed ----


def test_an_unknown_authority_is_said_in_the_same_words_by_each_library(why):
    with TalkServer(tls=context_for(trustme.CA(), "127.0.0.1")) as server:
        words = why(server, PEER_FAILED_VERIFICATION)
    assert words.startswith("SSL certificate problem: unable to get local issuer certificate (https://")


@pytest.mark.parametrize(
    ("days", "said"),
    [((-9, -1), "has expired"), ((1, 9), "is not yet valid(?: or the system clock is incorrect)?")],
    ids=["expired", "early"],
)
def test_authorities_are_not_named_where_others_would_not_do(why, tmp_path, monkeypatch, days, said):
    authority, file, now = trustme.CA(), tmp_path / "ca.pem", datetime.datetime.now(datetime.UTC)
    authority.cert_pem.write_to_path(file)
    begin, end = (now + datetime.timedelta(days=number) for number in days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", not_before=begin, not_after=end).configure_cert(context)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/of/requests.pem")
    with TalkServer(tls=context) as server:
        by_option = why(server, PEER_FAILED_VERIFICATION, verify=file)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        by_environment = why(server, PEER_FAILED_VERIFICATION)
    for words in by_option, by_environment:
        assert re.search(rf"certificate {said} \(https://", words)  # OpenSSL 4 says more of one that is early
        assert "authorit" not in words
        assert str(tmp_path) not in words


WEAK = {
    "key": (("RSA, 1024 bits", "RSA, 2048 bits", "sha256"), "has too weak a key"),
    "authority's key": (
        ("RSA, 2048 bits", "RSA, 1024 bits", "sha256"),
        "is signed by one that has too weak a key",
    ),
    "SHA-1": (("RSA, 2048 bits", "RSA, 2048 bits", "sha1"), "has too weak a signature"),
    "MD5": (("RSA, 2048 bits", "RSA, 2048 bits", "md5"), "has too weak a signature"),
}


@needs_openssl
@pytest.mark.parametrize(("made", "said"), WEAK.values(), ids=WEAK)
def test_it_is_said_whose_certificate_is_weak(why, tmp_path, monkeypatch, made, said):
    key, issuers, digest = made
    issuer = Issuer(tmp_path, KEYS[issuers]())
    monkeypatch.setenv("SSL_CERT_FILE", str(issuer.file))
    with TalkServer(tls=issuer.context(KEYS[key](), digest)) as server:
        words = why(f"https://localhost:{server.port}", PEER_FAILED_VERIFICATION)
    # OpenSSL does not tell a server's signature from those above it.
    either = "" if IS_AWS_LC or "signature" not in said else ", or one that it is signed by,"
    assert words.startswith(f"the server's certificate{either} {said}: ")
    assert "environment" not in words


@needs_openssl
def test_a_weak_signature_above_the_servers_certificate_is_said_to_be_there(why, tmp_path):
    root, middle, leaf = (tmp_path / name for name in ("root", "middle", "leaf"))

    def openssl(*words):
        subprocess.run(["openssl", *map(os.fspath, words)], check=True, capture_output=True)

    def make(who, by, digest, *more):
        asked = ["-nodes", "-keyout", f"{who}.key", "-out", f"{who}.csr", "-subj", f"/CN={who.name}"]
        openssl("req", "-newkey", "rsa:2048", *asked)
        (tmp_path / "extensions").write_text("\n".join(more))
        signer = ["-signkey", f"{who}.key"] if by is None else ["-CA", f"{by}.pem", "-CAkey", f"{by}.key"]
        signed = ["-set_serial", "7", "-days", "2", f"-{digest}", "-extfile", tmp_path / "extensions"]
        openssl("x509", "-req", "-in", f"{who}.csr", *signer, *signed, "-out", f"{who}.pem")

    is_authority = "basicConstraints=critical,CA:true"
    make(root, None, "sha256", is_authority)
    make(middle, root, "sha1", is_authority)
    make(leaf, middle, "sha256", "subjectAltName=DNS:localhost")
    chain = tmp_path / "chain.pem"
    chain.write_bytes(b"".join((tmp_path / f"{name}.pem").read_bytes() for name in ("leaf", "middle")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(chain, f"{leaf}.key")
    with TalkServer(tls=context) as server:
        words = why(f"https://localhost:{server.port}", PEER_FAILED_VERIFICATION, verify=f"{root}.pem")
    said = "is signed by one that has" if IS_AWS_LC else ", or one that it is signed by, has"
    assert f"the server's certificate{' ' * IS_AWS_LC}{said} too weak a signature: " in words
