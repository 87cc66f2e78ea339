"""Where the certificates of authorities are, when nobody has said so by ``verify``."""

import os
import re

# One file is the best form: libcurl reads it once for all connections.
FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch, Gentoo, NixOS, Void
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, which has no other since 43; RHEL
    "/var/lib/ca-certificates/ca-bundle.pem",  # SUSE
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine without ca-certificates, OpenWrt, OpenBSD, FreeBSD, macOS
    "/etc/pki/tls/certs/ca-bundle.crt",  # older Fedora and RHEL
    "/etc/ssl/certs/ca-bundle.crt",  # NixOS
    "/usr/local/etc/ssl/cert.pem",  # FreeBSD
    "/usr/local/share/certs/ca-root-nss.crt",  # FreeBSD, DragonFly
    "/etc/openssl/certs/ca-certificates.crt",  # NetBSD
    "/data/data/com.termux/files/usr/etc/tls/cert.pem",  # Termux
)
DIRECTORIES = (
    "/etc/ssl/certs",  # nearly everywhere; FreeBSD's only place since 12
    "/etc/pki/tls/certs",  # Fedora
    "/etc/openssl/certs",  # NetBSD
    "/system/etc/security/cacerts",  # Android
)

# By such names OpenSSL looks for an authority; it overlooks all others in a directory.
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+\Z")


def _has_content(path: str) -> bool:
    """Whether the path is of a file that holds anything: an unfinished installation leaves an empty one."""
    try:
        return os.path.isfile(path) and os.path.getsize(path) > 0
    except OSError:
        return False


def _has_authorities(directory: str) -> bool:
    try:
        return any(_HASHED.match(name) for name in os.listdir(directory))
    except OSError:
        return False


def known_authorities(root: str = "/") -> dict[str, str | None]:
    """Look where systems keep them: the file that each system's own programs read, then a directory.

    Args:
        root: what stands for the root directory ("/").
    """
    for path in FILES:
        if _has_content(path := os.path.join(root, path[1:])):
            return {"ca_file": path}
    for path in DIRECTORIES:
        if _has_authorities(path := os.path.join(root, path[1:])):
            return {"ca_path": path}
    return {}


def _certifis_authorities() -> dict[str, str | None]:
    try:
        import certifi
    except ImportError:
        return {}
    return {"ca_file": certifi.where()}


def found_authorities() -> dict[str, str | None]:
    """Return where they are, as ``_core.Channel`` takes it; nothing, where libcurl knows or there are none.

    In this order: the environment's ``SSL_CERT_FILE``, ``CURL_CA_BUNDLE`` and ``SSL_CERT_DIR``; where libcurl
    looks by itself, if it was built for this system; else where systems keep them; and certifi, if it is
    there.
    """
    # The curl program reads these; libcurl does not.
    file = os.environ.get("SSL_CERT_FILE") or os.environ.get("CURL_CA_BUNDLE")
    directory = os.environ.get("SSL_CERT_DIR")
    if file or directory:
        return {"ca_file": file or None, "ca_path": directory or None}

    from gaechannel import _core  # only now: this loads libcurl

    return {} if _core.finds_authorities else known_authorities() or _certifis_authorities()
