"""The manual builds without a warning and without a network, and its drawings are what their texts say."""

import re
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from rst_blocks import ROOT

import gaechannel
import gaechannel.server
import gaechannel.server.remote.aio
from gaechannel import aio

sys.path.insert(0, str(ROOT / "docs" / "exchanges"))
sys.path.insert(0, str(ROOT / "docs" / "layers"))
import draw
import stack

DRAWINGS = sorted((ROOT / "docs" / "exchanges").glob("*.txt"))
TOWERS = sorted((ROOT / "docs" / "layers").glob("*.txt"))


# Where the manual leads outside; `make links` asks them, which needs the network.
OUTSIDE = {
    "https://docs.aiohttp.org/en/stable/": "intersphinx",
    "https://docs.python.org/3/": "intersphinx",
    "https://github.com/aws/aws-lc": "the wheels' TLS library, in docs/install.rst",
    "https://github.com/pradyunsg/furo": "the theme's footer",
    "https://pradyunsg.me": "the theme's footer",
    "https://www.sphinx-doc.org/": "the theme's footer",
}


class Page(HTMLParser):
    """What a page leads to, and what can be led to in it."""

    def __init__(self, file):
        super().__init__()
        self.ids, self.leads_to = set(), set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.ids.add(value)
            elif name in ("href", "src"):
                self.leads_to.add(value)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    pytest.importorskip("furo", reason="the manual's theme is not installed: .ci/setup docs")
    pytest.importorskip("sphinx_copybutton", reason="sphinx-copybutton is not installed: .ci/setup docs")
    folder = tmp_path_factory.mktemp("manual")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-n", "-b", "html", str(ROOT / "docs"), str(folder)],
        capture_output=True,
        text=True,
        # Nothing is fetched: neither names of others nor anything else.
        env={"PATH": "", "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"},
    )
    return folder, done


def test_the_manual_builds_without_a_warning(built):
    folder, done = built
    assert (done.returncode, done.stderr) == (0, "")
    assert "python.org/3/library/ssl.html#ssl.SSLContext" in (folder / "reference-server.html").read_text()


def test_every_link_in_the_manual_leads_somewhere(built):
    folder, _ = built
    pages = {file.name: Page(file) for file in folder.glob("*.html")}
    assert len(pages) > 40
    nowhere, outside = set(), set()
    for name, page in pages.items():
        for link in page.leads_to:
            address, _, anchor = link.partition("#")
            if "://" in address:
                outside.add(address)
            elif (to := unquote(address.partition("?")[0]) or name) not in pages:
                if not (folder / to).is_file():
                    nowhere.add((name, link))
            elif anchor and unquote(anchor) not in pages[to].ids:
                nowhere.add((name, link))
    assert nowhere == set()
    assert {link for link in outside if not link.startswith(tuple(OUTSIDE))} == set()
    assert all(any(link.startswith(known) for link in outside) for known in OUTSIDE)


def test_every_page_can_be_reached_from_the_first(built):
    folder, _ = built
    reached, left = set(), ["index.html"]
    while left:
        name = left.pop()
        if name not in reached and (folder / name).is_file():
            reached.add(name)
            left += [link.partition("#")[0] for link in Page(folder / name).leads_to if ".html" in link]
    assert {file.name for file in folder.glob("*.html")} - {"404.html"} <= reached


def documented(folder):
    """The names that the manual describes."""
    *_, packed = (folder / "objects.inv").read_bytes().split(b"\n", 4)
    return {line.split(" ")[0] for line in zlib.decompress(packed).decode().splitlines()}


MODULES = (gaechannel, aio, gaechannel.server, gaechannel.server.remote, gaechannel.server.remote.aio)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_public_name_is_in_the_reference(built, module):
    names = documented(built[0])
    # What several modules offer stands with one of them.
    short = {name.rpartition(".")[2] for name in names if name.startswith("gaechannel.")}
    own = {
        name
        for name in module.__all__
        if getattr(getattr(module, name), "__module__", None) == module.__name__
    }
    assert [name for name in module.__all__ if name not in short] == []
    assert [name for name in own if f"{module.__name__}.{name}" not in names] == []


@pytest.mark.parametrize(
    "name", ["Client", "BrowserChannel", "WebChannel", "DevClient", "HTTPStatusError", "Decoder"]
)
def test_every_public_attribute_is_in_the_reference(built, name):
    names = documented(built[0])
    kind = getattr(gaechannel, name)
    # What all channels share stands with one of them, to which the others refer.
    homes = {f"gaechannel.{name}", "gaechannel.Client", "gaechannel.BrowserChannel"}
    public = {one for one in dir(kind) if not one.startswith("_")} - set(dir(OSError))
    missing = {one for one in public if not any(f"{home}.{one}" in names for home in homes)}
    assert missing == set()


def test_every_option_of_a_command_is_in_the_reference(built):
    sys.path.insert(0, str(ROOT / "docs" / "extensions"))
    import command_options

    text = (built[0] / "reference-cli.html").read_text(encoding="utf-8")
    for command, parser in command_options.parsers().items():
        section = text.partition(f'<section id="{command}">')[2].partition("</section>")[0]
        for action in command_options.options(parser):
            for title in command_options.titles(action):
                assert f'<span class="pre">{title.split()[0]}</span>' in section, (command, title)


@pytest.mark.parametrize("folder", ["csrc/wire", "csrc/session", "csrc/net", "csrc/py", "gaechannel"])
def test_every_file_says_its_subject(built, folder):
    sys.path.insert(0, str(ROOT / "docs" / "extensions"))
    import subjects

    text = (built[0] / "files.html").read_text(encoding="utf-8")
    listed = subjects.subjects(folder)
    assert len(listed) > 15
    for name, subject in listed:
        assert len(subject.split()) > 2, f"{folder}/{name} does not begin with its subject"
        assert f'<span class="pre">{name.rpartition(".")[0]}</span>' in text


def test_the_glossary_has_each_struct_once():
    headers = [path.read_text(encoding="utf-8") for path in (ROOT / "csrc").rglob("*.h")]
    # In capitals: a macro's, which stands for several.
    structs = {
        name for text in headers for name in re.findall(r"^typedef struct ([a-z]\w*)\b", text, re.MULTILINE)
    }
    text = (ROOT / "docs" / "glossary.rst").read_text(encoding="utf-8")
    listed = re.findall(r"^``(\w+)`` {2}", text, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == structs
    terms = re.findall(r"^   (\S.*)$", text, re.MULTILINE)
    assert len(terms) == len(set(terms)) > 40


@pytest.mark.parametrize("file", DRAWINGS, ids=lambda file: file.stem)
def test_a_drawing_is_what_its_text_says(file):
    assert file.with_suffix(".svg").read_text(encoding="utf-8") == draw.draw(file)


@pytest.mark.parametrize("file", TOWERS, ids=lambda file: file.stem)
def test_towers_are_drawn_of_folders_that_are_there(file):
    text = file.read_text(encoding="utf-8")
    assert file.with_suffix(".svg").read_text(encoding="utf-8") == draw.draw(file, stack.drawing)
    folders = {
        "gaechannel/": "",
        "server/": "gaechannel",
        "core/": "gaechannel/server",
        "csrc/": "",
        "js/": "",
    }
    named = re.findall(r"^((?:gaechannel|server|core|csrc|js)/[\w/]*)", text, re.MULTILINE)
    assert len(named) > 10
    for path in named:
        assert (ROOT / folders[path.partition("/")[0] + "/"] / path).is_dir(), path


@pytest.mark.parametrize("file", DRAWINGS, ids=lambda file: file.stem)
def test_lengths_in_a_drawing_count_utf_16_units(file):
    _, steps = draw.parse(file.read_text(encoding="utf-8"))
    for kind, _, _, words in steps:
        if (found := re.search(r"(\d+)⏎ (.*)", words)) and kind == "way":
            assert int(found[1]) == len(found[2].encode("utf-16-le")) // 2, words


def test_a_line_that_is_no_step_is_named():
    with pytest.raises(ValueError, match="not a step: a says b"):
        draw.parse("# title\nparties: a | b\na says b\n")


@pytest.mark.parametrize("name", ["README.rst", "SECURITY.rst", "CONTRIBUTING.rst", "RELEASING.rst"])
def test_files_that_are_named_are_there(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"``((?:docs|examples|bench|fuzz|tests|\.ci|\.github)/[\w./-]+)``", text))
    named |= set(re.findall(r"<([\w./-]+\.rst)>", text)) | set(re.findall(r"image:: (\S+)", text))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.rst").read_text(encoding="utf-8").splitlines()) < 250


def test_the_manual_names_nobody_s_machine():
    for file in [*ROOT.glob("*.rst"), *(ROOT / "docs").rglob("*.rst"), *(ROOT / "examples").iterdir()]:
        if "_build" not in file.parts and file.is_file():
            assert re.findall(r"/work/|/root/|/home/", file.read_text(encoding="utf-8")) == [], file
