"""``verify=PATH`` pins: what the system trusts is not trusted beside it.

The system's own store is made one that knows our authority, in a mount namespace of the child process's own.
"""

import os
import shutil
import subprocess
import sys
import textwrap

import pytest
import trustme
from hostile import TalkServer, messages, streams
from test_client_tls import context_for

pytestmark = pytest.mark.timeout(60)

STORE = "/etc/ssl/certs"

READ = textwrap.dedent("""
    import sys
    from gaechannel import Client, TransportError
    url, proxy, verify = sys.argv[1:]
    try:
        client = Client("token", base_url=url, proxy=proxy, verify=verify or True)
        print(next(client.messages()))
        client.close()
    except TransportError as error:
        print(error.curl_code)
""")


@pytest.fixture
def namespace():
    """A command that runs another where what is mounted is seen by nobody else."""
    command = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody make a mount namespace (unshare --mount)")
    if shutil.which("openssl") is None or not os.path.isdir(STORE):
        pytest.skip(f"needs the command openssl, and {STORE}")
    return command


@pytest.mark.parametrize("tls_speaker", ["server", "proxy"])
def test_what_the_system_trusts_is_not_trusted_beside_a_place_that_is_named(namespace, tmp_path, tls_speaker):
    known, other = trustme.CA(), trustme.CA()
    store = tmp_path / "store"
    pinned = tmp_path / "pinned"
    for folder in (store, pinned):
        folder.mkdir()
    known.cert_pem.write_to_path(store / "ca-certificates.crt")
    known.cert_pem.write_to_path(store / "known.pem")
    other.cert_pem.write_to_path(pinned / "other.pem")
    known.cert_pem.write_to_path(tmp_path / "known.pem")
    for folder in (store, pinned):
        subprocess.run(["openssl", "rehash", folder], check=True)
    with TalkServer(back=streams(messages(1, "a")), tls=context_for(known, "127.0.0.1")) as server:

        def read(verify):
            inside = f'mount --bind "{store}" {STORE} && exec "$@"'
            url, proxy = server.base_url, ""
            if tls_speaker == "proxy":
                url, proxy = "http://talk.invalid/talkgadget", server.url
            program = [sys.executable, "-c", READ, url, proxy, str(verify)]
            command = [*namespace, "sh", "-c", inside, "sh", *program]
            clean = {name: value for name, value in os.environ.items() if not name.startswith("SSL_CERT_")}
            return subprocess.run(
                command, capture_output=True, text=True, check=True, env=clean
            ).stdout.strip()

        # The store is the one that libcurl reads, as the file and as the directory.
        assert read("") == "a"
        assert read(tmp_path / "known.pem") == "a"
        assert read(pinned / "other.pem") == "60"
        assert read(pinned) == "60"
