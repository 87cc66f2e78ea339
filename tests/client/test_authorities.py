"""Where certificates of authorities are looked for, on each system, by a libcurl that does not know."""

import os
import sys
import types

import pytest

from gaechannel import _authorities, _core
from gaechannel._authorities import found_authorities, known_authorities

SYSTEMS = {
    "Debian and Ubuntu": "etc/ssl/certs/ca-certificates.crt",
    "Fedora 43": "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "RHEL 8": "etc/pki/tls/certs/ca-bundle.crt",
    "SUSE": "var/lib/ca-certificates/ca-bundle.pem",
    "Alpine": "etc/ssl/cert.pem",
    "NixOS": "etc/ssl/certs/ca-bundle.crt",
    "FreeBSD with ca_root_nss": "usr/local/share/certs/ca-root-nss.crt",
    "NetBSD": "etc/openssl/certs/ca-certificates.crt",
}
VARIABLES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")


@pytest.fixture
def write(tmp_path):
    def write(place, text="a certificate"):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture
def clean(monkeypatch):
    """No variables, and a libcurl that was built for no system."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_core, "finds_authorities", False)


@pytest.fixture
def certifi(monkeypatch):
    """A package certifi, whether the real one is installed or not."""
    module = types.ModuleType("certifi")
    module.where = lambda: "/somewhere/cacert.pem"
    monkeypatch.setitem(sys.modules, "certifi", module)


@pytest.mark.parametrize("place", SYSTEMS.values(), ids=SYSTEMS)
def test_each_systems_file_is_found(write, tmp_path, place):
    path = write(place)
    assert known_authorities(str(tmp_path)) == {"ca_file": path}


def test_a_directory_is_taken_where_there_is_no_file(write, tmp_path):
    write("etc/ssl/certs/2e5ac55d.0")
    assert known_authorities(str(tmp_path)) == {"ca_path": str(tmp_path / "etc/ssl/certs")}


def test_a_file_is_preferred_to_a_directory(write, tmp_path):
    write("etc/ssl/certs/2e5ac55d.0")
    path = write("etc/ssl/ca-bundle.pem")
    assert known_authorities(str(tmp_path)) == {"ca_file": path}


def test_an_empty_file_a_directory_without_hashes_and_a_dangling_link_are_passed_over(write, tmp_path):
    write("etc/ssl/certs/ca-certificates.crt", "")
    write("etc/ssl/certs/README")
    os.symlink("/nowhere", tmp_path / "etc/ssl/cert.pem")
    assert known_authorities(str(tmp_path)) == {}


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "CURL_CA_BUNDLE"])
def test_the_environments_file_comes_first(clean, certifi, monkeypatch, name):
    monkeypatch.setenv(name, "/mine.pem")
    assert found_authorities() == {"ca_file": "/mine.pem", "ca_path": None}


def test_ssl_cert_file_comes_before_curl_ca_bundle(clean, monkeypatch):
    monkeypatch.setenv("CURL_CA_BUNDLE", "/curls.pem")
    monkeypatch.setenv("SSL_CERT_FILE", "/mine.pem")
    assert found_authorities()["ca_file"] == "/mine.pem"


def test_the_environments_directory_comes_before_the_systems(clean, monkeypatch):
    monkeypatch.setenv("SSL_CERT_DIR", "/mine")
    assert found_authorities() == {"ca_file": None, "ca_path": "/mine"}


def test_libcurls_own_places_come_before_a_search(clean, certifi, monkeypatch):
    monkeypatch.setattr(_core, "finds_authorities", True)
    monkeypatch.setattr(_authorities, "known_authorities", lambda: pytest.fail("searched"))
    assert found_authorities() == {}


def test_the_systems_come_before_certifis(clean, certifi, monkeypatch):
    monkeypatch.setattr(_authorities, "known_authorities", lambda: {"ca_file": "/system.pem"})
    assert found_authorities() == {"ca_file": "/system.pem"}


def test_certifis_are_the_last(clean, certifi, monkeypatch):
    monkeypatch.setattr(_authorities, "known_authorities", dict)
    assert found_authorities() == {"ca_file": "/somewhere/cacert.pem"}


def test_there_may_be_none(clean, monkeypatch):
    monkeypatch.setattr(_authorities, "known_authorities", dict)
    monkeypatch.setitem(sys.modules, "certifi", None)
    assert found_authorities() == {}
