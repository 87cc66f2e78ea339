"""The table of powers of five is the one that its script makes."""

import subprocess
import sys
from pathlib import Path

WIRE = Path(__file__).parents[2] / "csrc" / "wire"


def test_the_table_is_what_the_script_writes(tmp_path):
    script = tmp_path / "make_powers.py"
    script.write_text((WIRE / "make_powers.py").read_text())
    subprocess.run([sys.executable, script], check=True)
    assert (tmp_path / "powers.c").read_text() == (WIRE / "powers.c").read_text()
