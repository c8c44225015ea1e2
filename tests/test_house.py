"""The house itself: what a newcomer and the next engineer rely on."""

import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import calcinosis
from calcinosis.cli import commands

HOUSE = Path(__file__).parents[1]
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
LOCKS = ("runtime", "test")
HEAVY = {
    "cc3d",
    "edt",
    "highdicom",
    "jinja2",
    "matplotlib",
    "nibabel",
    "numba",
    "numpy",
    "pandas",
    "PIL",
    "pydantic",
    "pydicom",
    "scipy",
    "SimpleITK",
    "skimage",
    "yaml",
}


def pins(name: str) -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in (HOUSE / f"requirements/{name}.txt").read_text().splitlines():
        requirement = Requirement(line)
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def our_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=HOUSE,
        check=True,
        capture_output=True,
        text=True,
    )
    return [HOUSE / line for line in listed.stdout.splitlines() if (HOUSE / line).is_file()]


PAGES = [HOUSE / "README.md", HOUSE / "CONTRIBUTING.md", *sorted(HOUSE.glob("docs/**/*.md"))]
on_every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def shell_lines(page: Path) -> list[str]:
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", page.read_text(), flags=re.DOTALL)
    joined = "\n".join(blocks).replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip()]


@pytest.mark.parametrize("name", LOCKS)
def test_lock_pins_every_line_and_names_no_place_on_the_network(name):
    assert "://" not in (HOUSE / f"requirements/{name}.txt").read_text()
    for requirements in pins(name).values():
        for requirement in requirements:
            assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), requirement
            assert not requirement.extras, f"{requirement}: pip refuses extras in constraints"


@pytest.mark.parametrize("name", LOCKS)
def test_lock_meets_what_pyproject_asks(name):
    asked = list(PROJECT["dependencies"])
    if name == "test":
        asked += PROJECT["optional-dependencies"]["test"]
    locked = pins(name)
    for requirement in map(Requirement, asked):
        pinned = locked.get(canonicalize_name(requirement.name))
        assert pinned, f"{requirement} is not in requirements/{name}.txt; run `make lock`"
        for pin in pinned:
            version = str(pin.specifier).removeprefix("==")
            assert requirement.specifier.contains(version), f"{pin} breaks {requirement}"


def test_both_locks_pin_the_same_versions():
    runtime, test = (
        {name: {str(pin.specifier) for pin in pinned} for name, pinned in pins(which).items()}
        for which in ("runtime", "test")
    )
    assert {name: test.get(name) for name in runtime} == runtime


def test_public_names_are_exactly_those_meant():
    meant = {
        "Analysis",
        "CalcinosisError",
        "CtMeasurement",
        "Finding",
        "Mass",
        "Study",
        "Volume",
        "__version__",
        "analyze",
        "read_study",
        "write_results",
    }
    assert set(calcinosis.__all__) == meant
    assert set(dir(calcinosis)) == meant
    for name in meant:
        assert getattr(calcinosis, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'tumour'"):
        _ = calcinosis.tumour


def test_the_packages_own_example_is_that_of_the_readme():
    (readme,) = re.findall(r"```python\n(.*?)```", (HOUSE / "README.md").read_text(), re.DOTALL)
    assert inspect.getdoc(calcinosis).partition("\n\n")[2] == readme.strip()


def test_version_is_that_of_the_project_and_the_citation():
    citation = yaml.safe_load((HOUSE / "CITATION.cff").read_text())
    assert calcinosis.__version__ == PROJECT["version"] == citation["version"]
    assert citation["license"] == PROJECT["license"]


def test_asking_for_the_version_loads_no_heavy_library():
    asked = (
        "import json, sys\n"
        "sys.argv = ['calcinosis', '--version']\n"
        "from calcinosis.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", asked],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HOUSE / "src")},
    )
    version, loaded = run.stdout.splitlines()
    assert version == f"calcinosis, version {PROJECT['version']}"
    assert not HEAVY & set(json.loads(loaded))


@on_every_page
def test_every_command_a_page_shows_exists(page):
    targets = set(re.findall(r"^([a-z]+):", (HOUSE / "Makefile").read_text(), re.MULTILINE))
    for line in shell_lines(page):
        program, first, *rest = [*line.split(), ""]
        if program == "make":
            assert first in targets, line
        if program == "calcinosis" and not first.startswith("-"):
            assert first in commands.commands, line
            options = {name for item in commands.commands[first].params for name in item.opts}
            used = {word.split("=")[0] for word in rest if word.startswith("--")}
            assert used <= options | {"--help"}, line


@on_every_page
def test_every_local_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_page_of_the_manual_is_linked_from_its_index():
    index = (HOUSE / "docs/index.md").read_text()
    for page in HOUSE.glob("docs/**/*.md"):
        name = page.relative_to(HOUSE / "docs").as_posix()
        assert name == "index.md" or f"]({name}" in index, f"docs/index.md does not link {name}"


def test_every_command_has_its_page():
    for name in commands.commands:
        assert (HOUSE / f"docs/{name}.md").is_file(), f"docs/{name}.md is missing"


def test_readme_picture_is_light():
    assert (HOUSE / "docs/report.png").stat().st_size <= 400_000


def test_the_repository_names_no_machine_and_no_download_place():
    places = re.compile(
        r"(?<![\w.])/(?:work|root|home|opt|Users)/\w"
        r"|files\.pythonhosted|pypi\.org/simple|registry\.npmjs|localhost:\d{4}/simple"
    )
    binary = {".png", ".gz", ".dcm", ".npz", ".onnx", ".pt", ".woff2"}
    for path in our_files():
        if path.suffix in binary or path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            assert not places.search(line), f"{path.relative_to(HOUSE)}:{number}: {line.strip()}"
