"""Makes what setuptools has built the file that is published: the same bytes at any time and in any folder.

finish.py sdist SDIST
finish.py wheel WHEEL PREFIX

A wheel is told what is linked into it from PREFIX, where wheels/libcurl has installed it: licences, and the
parts as CycloneDX lists them. Its file gets a longer name where its platform has an older one, too.
SOURCE_DATE_EPOCH says what time it is.
"""

import base64
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
EPOCH = int(os.environ["SOURCE_DATE_EPOCH"])

# How Alpine names musl. The compiler has another name for it; musl takes both, auditwheel only this one.
MUSL = "libc.musl-{machine}.so.1"

# The platforms that have an older name, too. Where pip is told --platform manylinux2014_x86_64, as guides to
# functions in clouds advise, it looks for nothing else.
OLDER = {"manylinux_2_17_": "manylinux2014_"}


@dataclass(frozen=True)
class Part:
    """What is linked in, as licences and lists of weaknesses name it."""

    crate: str
    licence: str
    cpe: str


PARTS = {
    "zlib": Part("libz-sys", "Zlib", "zlib:zlib"),
    "nghttp2": Part("libnghttp2-sys", "MIT", "nghttp2:nghttp2"),
    "aws-lc": Part("aws-lc-sys", "Apache-2.0 AND ISC AND MIT", "amazon:aws_libcrypto"),
    "curl": Part("curl-sys", "curl AND ISC", "haxx:libcurl"),
}


def date_time():
    return time.gmtime(EPOCH)


# ---- The sdist


def finish_sdist(path):
    """Write an sdist again: sorted, of one time, and nobody's."""
    packed = io.BytesIO()
    with (
        tarfile.open(path) as old,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            content = old.extractfile(member)
            member.mtime, member.uid, member.gid, member.uname, member.gname = EPOCH, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, content)
    with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, EPOCH) as compressed:
        compressed.write(packed.getvalue())


# ---- The wheel


def parts_in(prefix):
    """The names and versions of what wheels/libcurl has built."""
    return dict(line.split() for line in (prefix / "parts").read_text().splitlines())


def mended_in(prefix):
    """Of parts that wheels/patches has mended, which holes: their names, by the part's."""
    found = {}
    if (place := prefix / "mended").exists():
        for name, hole in sorted(map(str.split, place.read_text().splitlines())):
            found.setdefault(name, []).append(hole)
    return found


def with_licences(metadata, parts, licences):
    """The wheel's METADATA, saying under which terms all of it is."""
    ours = re.search(r"^License-Expression: (.+)$", metadata, re.MULTILINE)[1]
    # Each licence once, though several parts have it.
    theirs = [licence for name in parts for licence in PARTS[name].licence.split(" AND ")]
    expression = " AND ".join(dict.fromkeys([ours, *theirs]))
    metadata = metadata.replace(f"License-Expression: {ours}", f"License-Expression: {expression}", 1)
    (last,) = re.findall(r"^License-File: .+\n(?!License-File)", metadata, re.MULTILINE)
    more = "".join(f"License-File: linked/{name}\n" for name in licences)
    return metadata.replace(last, last + more, 1)


def crates():
    """Each crate's version and SHA-256, from wheels/checksums."""
    lines = (HERE / "checksums").read_text().splitlines()
    return {crate: (version, digest) for digest, crate, version in map(str.split, lines)}


def pedigree(crate, holes):
    """Where a part's source came from, as CycloneDX has it, and what was mended in it here."""
    found = {"ancestors": [crate]}
    if holes:
        found["patches"] = [
            {"type": "backport", "resolves": [{"type": "security", "id": hole}]} for hole in holes
        ]
    return found


def component(name, version, holes):
    """A part as CycloneDX has it, with the crate that its source came in."""
    part = PARTS[name]
    crate_version, digest = crates()[part.crate]
    crate = {
        "type": "library",
        "name": part.crate,
        "version": crate_version,
        "purl": f"pkg:cargo/{part.crate}@{crate_version.replace('+', '%2B')}",
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }
    return {
        "type": "library",
        "bom-ref": f"pkg:generic/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:generic/{name}@{version}",
        "cpe": f"cpe:2.3:a:{part.cpe}:{version}:*:*:*:*:*:*:*",
        "licenses": [{"expression": part.licence}],
        "pedigree": pedigree(crate, holes),
    }


def bill_of_materials(name, version, platform, parts, mended):
    """What the wheel consists of, as CycloneDX 1.6."""
    package = f"pkg:pypi/{name}@{version}"
    components = [component(part, number, mended.get(part, [])) for part, number in parts.items()]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{package}?{platform}&{parts}')}",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", date_time()),
            "component": {
                "type": "library",
                "bom-ref": package,
                "name": name,
                "version": version,
                "purl": package,
            },
        },
        "components": components,
        "dependencies": [
            {"ref": package, "dependsOn": [part["bom-ref"] for part in components]},
            *({"ref": part["bom-ref"]} for part in components),
        ],
    }


def naming_musl(library, machine):
    """The extension module's bytes, with the C library by the name that musl's systems have for it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "library")
        path.write_bytes(library)
        names = ["libc.so", MUSL.format(machine=machine)]
        subprocess.run(["patchelf", "--replace-needed", *names, path], check=True)
        return path.read_bytes()


def platforms_of(tag):
    """A platform's names, sorted, as they stand in a file's name."""
    older = [tag.replace(name, OLDER[name]) for name in OLDER if tag.startswith(name)]
    return sorted([tag, *older])


def with_tags(wheel, platform, platforms):
    """The wheel's WHEEL, with a tag for each of its platform's names."""
    (tag,) = re.findall(rf"^Tag: .+-{platform}$", wheel, re.MULTILINE)
    return wheel.replace(tag, "\n".join(tag.replace(platform, name) for name in platforms))


def record(files, place):
    """The wheel's RECORD: each file's hash and size."""
    lines = []
    for name, (content, _) in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}\n")
    return "".join([*lines, f"{place},,\n"]).encode()


def write_wheel(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, (content, mode) in files.items():
            entry = zipfile.ZipInfo(name, date_time()[:6])
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compresslevel=9)


def finish_wheel(path, prefix):
    name, version, *_, platform = path.stem.split("-")
    platforms = platforms_of(platform)
    info = f"{name}-{version}.dist-info"
    parts = parts_in(prefix)
    licences = sorted(os.listdir(prefix / "licenses"))
    with zipfile.ZipFile(path) as archive:
        files = {
            entry.filename: (archive.read(entry), 0o100755 if entry.external_attr >> 16 & 0o100 else 0o100644)
            for entry in archive.infolist()
        }

    def add(place, content):
        files[place] = content, 0o100644

    add(f"{info}/METADATA", with_licences(files[f"{info}/METADATA"][0].decode(), parts, licences).encode())
    for licence in licences:
        add(f"{info}/licenses/linked/{licence}", (prefix / "licenses" / licence).read_bytes())
    if platforms != [platform]:
        add(f"{info}/WHEEL", with_tags(files[f"{info}/WHEEL"][0].decode(), platform, platforms).encode())
    bill = bill_of_materials(name, version, platform, parts, mended_in(prefix))
    add(f"{info}/sboms/{name}.cdx.json", (json.dumps(bill, indent=1) + "\n").encode())
    if platform.startswith("musllinux"):
        machine = platform.removeprefix("musllinux_1_2_")
        for place, (content, mode) in files.items():
            if place.endswith(".so"):
                files[place] = naming_musl(content, machine), mode

    place = f"{info}/RECORD"
    del files[place]
    files = dict(sorted(files.items()))
    add(place, record(files, place))
    path.unlink()
    write_wheel(path.with_name(path.name.replace(platform, ".".join(platforms))), files)


def main(kind, path, *prefix):
    if kind == "sdist":
        finish_sdist(Path(path))
    else:
        finish_wheel(Path(path), *map(Path, prefix))


main(*sys.argv[1:])
