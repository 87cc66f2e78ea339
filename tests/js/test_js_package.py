"""What npm would publish."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

TREE = Path(__file__).parents[2]


def test_the_package_has_the_version_of_this_one_and_no_dependency(packed):
    package = json.loads((packed / "node_modules/@gaechannel/client/package.json").read_text())
    version = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]["version"]
    assert re.sub(r"[-.]", "", package["version"]) == version.replace(".", "")
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[a-z]+\.\d+)?", package["version"])
    assert package.get("dependencies") is None
    assert all(re.fullmatch(r"[\d.]+", exact) for exact in package["devDependencies"].values())


def test_it_holds_modules_types_and_licences_alone(packed):
    folder = packed / "node_modules/@gaechannel/client"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"LICENSE", "COPYING", "README.md", "package.json", "dist/index.js", "dist/index.d.ts"} <= names
    assert all(re.search(r"\.(js|d\.ts)$", name) for name in names if name.startswith("dist/"))
    assert "dist/jsapi.js" not in names


def test_types_say_what_may_be_done(packed, tmp_path):
    (tmp_path / "node_modules").symlink_to(packed / "node_modules")
    (tmp_path / "types.ts").write_text((TREE / "tests/js/types.ts").read_text())
    (tmp_path / "package.json").write_text('{"type": "module"}')
    compiler = TREE / "js/node_modules/typescript/bin/tsc"
    options = (
        "--strict --exactOptionalPropertyTypes --noEmit --target es2022 --module nodenext --lib es2022,dom"
    )
    done = subprocess.run(
        ["node", compiler, *options.split(), "types.ts"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
