"""The assignment, graded by nbgrader itself: nothing, the solution, and the mistakes that students make."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COURSE = ROOT / "chapters/assignment"
NAME = "fine-tuning"
NOTEBOOK = f"{NAME}/{NAME}.ipynb"

# SQLAlchemy's, about nbgrader's gradebook
pytestmark = pytest.mark.filterwarnings("ignore:Object of type <Submitted")

COPYING = """\
    for own, given in zip(net.features.collect_params().values(), source.features.collect_params().values()):
        own.set_data(given.data())
"""
# mistake: (cell, what the solution says there, what the student says, the points that this loses by graded cell)
MISTAKES = {
    "shared parameters": (
        *("ex1-make-finetune-net", COPYING, "    net.features = source.features\n"),
        {"ex1-own-weights": 2},
    ),
    "lr_mult forgotten": (
        *("ex1-make-finetune-net", '    net.output.collect_params().setattr("lr_mult", 10)\n', ""),
        {"ex1-output-rate": 1},
    ),
    "test set augmented at random": (
        *("ex2-make-augs", "return transforms.Compose(of_training), transforms.Compose(of_others)"),
        *("return transforms.Compose(of_training), transforms.Compose(of_training)", {"ex2-test-augs": 2}),
    ),
    "output frozen instead of features": (
        *("ex3-make-frozen-net", "net.features.collect_params()", "net.output.collect_params()"),
        {"ex3-features-stay": 2, "ex3-output-learns": 2},
    ),
    "row 713": (
        *("ex4-hot-dog-row", 'index = net.classes.index("hotdog")', "index = 713"),
        {"ex4-row": 2},
    ),
}


def graded(cells):
    """Return the points of the graded cells by their names."""
    settings = [cell["metadata"].get("nbgrader", {}) for cell in cells]
    return {each["grade_id"]: each["points"] for each in settings if each.get("grade")}


SOURCE = json.loads((COURSE / "source" / NOTEBOOK).read_text(encoding="utf-8"))
POINTS = graded(SOURCE["cells"])
SOLUTION = {
    cell["id"]: "".join(cell["source"])
    for cell in SOURCE["cells"]
    if cell["metadata"].get("nbgrader", {}).get("solution")
}


def test_the_notebook_is_kept_clean():
    for cell in SOURCE["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert cell["id"] == cell["metadata"].get("nbgrader", {}).get("grade_id", cell["id"])
        assert set(cell["metadata"]) <= {"nbgrader"}
    assert len({cell["id"] for cell in SOURCE["cells"]}) == len(SOURCE["cells"])
    assert set(SOURCE["metadata"]) == {"kernelspec", "language_info"}


def test_the_points_are_those_that_the_texts_say():
    headings = "".join("".join(cell["source"]) for cell in SOURCE["cells"] if cell["cell_type"] == "markdown")
    page = (COURSE / "README.md").read_text(encoding="utf-8")
    assert f"There are {sum(POINTS.values())} points." in headings
    for number in "1234":
        total = sum(points for name, points in POINTS.items() if name.startswith(f"ex{number}"))
        assert f"({total} points)" in headings.split(f"## Exercise {number}")[1].splitlines()[0]
    for name, points in POINTS.items():
        assert f"| `{name}` | {points} |" in page


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course with the student version, just built; nbgrader's API for it."""
    from nbgrader import apps
    from traitlets.config import PyFileConfigLoader

    root = tmp_path_factory.mktemp("course")
    shutil.copytree(COURSE / "source", root / "source")
    config = PyFileConfigLoader("nbgrader_config.py", os.fspath(COURSE)).load_config()
    config.CourseDirectory.root = os.fspath(root)
    with pytest.MonkeyPatch.context() as environment:
        programs = os.fspath(Path(sys.executable).parent)  # nbgrader calls alembic by its name
        environment.setenv("PATH", programs, prepend=os.pathsep)
        environment.setenv("PYTHONPATH", os.fspath(ROOT))
        environment.setenv("D2LTL_DATA", os.fspath(root / "cache"))
        environment.setenv("IPYTHONDIR", os.fspath(root / "ipython"))
        api = apps.NbGraderAPI(config=config)
        _succeed(api.generate_assignment(NAME))
        yield api


def _succeed(result):
    assert result["success"], result.get("log", "") + result.get("error", "")


def folder_of(course, *parts):
    return Path(course.coursedir.root, *parts)


def grade(course, student, answers):
    """Hand in the student version with `answers` by cell; return the scores by cell."""
    notebook = json.loads(folder_of(course, "release", NOTEBOOK).read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = answers.get(cell["id"], cell["source"])
    file = folder_of(course, "submitted", student, NOTEBOOK)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(notebook), encoding="utf-8")
    _succeed(course.autograde(NAME, student))
    with course.gradebook as gradebook:
        grades = gradebook.find_submission_notebook(NAME, NAME, student).grades
        return {grade.name: grade.score for grade in grades}


def errors_in(notebook):
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    return [output["evalue"] for output in outputs if output["output_type"] == "error"]


@pytest.mark.full
def test_the_student_version_gives_nothing_away(course):
    text = folder_of(course, "release", NOTEBOOK).read_text(encoding="utf-8")
    assert "SOLUTION" not in text
    assert "HIDDEN" not in text
    assert text.count('raise NotImplementedError()"') == len(SOLUTION)


@pytest.mark.full
def test_the_student_version_as_handed_out_gets_nothing(course):
    assert grade(course, "nothing", {}) == dict.fromkeys(POINTS, 0)


@pytest.mark.full
def test_the_solution_gets_full_marks(course):
    assert grade(course, "solution", SOLUTION) == POINTS
    assert not errors_in(json.loads(folder_of(course, "autograded", "solution", NOTEBOOK).read_text(encoding="utf-8")))


@pytest.mark.full
@pytest.mark.parametrize(
    "mistakes",
    [
        ["shared parameters", "test set augmented at random", "row 713"],
        ["lr_mult forgotten", "output frozen instead of features"],
    ],
)
def test_mistakes_lose_their_points_and_no_others(course, mistakes):
    answers, lost = dict(SOLUTION), {}
    for cell, right, wrong, points in (MISTAKES[mistake] for mistake in mistakes):
        assert right in SOLUTION[cell]
        answers[cell] = SOLUTION[cell].replace(right, wrong)
        lost.update(points)
    scores = grade(course, mistakes[0], answers)
    assert {name: POINTS[name] - scores[name] for name in POINTS if scores[name] < POINTS[name]} == lost


@pytest.mark.full
def test_the_experiments_run(course, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("QUICK", "1")
    notebook = nbformat.read(COURSE / "source" / NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300).execute()
    assert not errors_in(notebook)
