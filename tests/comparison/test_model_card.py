import numpy as np
import pytest
from conftest import write_images

import d2ltl
from d2ltl.comparison.model_card import model_card


@pytest.fixture(scope="module")
def comparison(source_file, tmp_path_factory):
    """Two networks on images of two classes, one of which has a name that Markdown would read."""
    root = tmp_path_factory.mktemp("images")
    write_images(root / "train", 8, ("a|b", "upright"))
    write_images(root / "test", 10, ("a|b", "upright"), seed=1)
    options = {"net": "tiny", "size": 32, "epochs": 1, "batch_size": 8}
    return d2ltl.run_comparison(root, pretrained=source_file, strategies=["codes-softmax", "scratch"], **options)


def test_it_says_what_was_trained_and_with_which_result(comparison):
    card = model_card(comparison)
    for run in comparison.runs:
        row = next(line for line in card.splitlines() if f"runs/{run.strategy}-seed0.params" in line)
        assert f"| {run.accuracy:.3f} ± " in row
        assert row.endswith("| none |")  # 20 images are too few to fit a temperature
    for words in (
        *("Always answering", "the accuracy 0.500", "of 20 test images", r"| a\|b | 10 | "),
        *("know these 2 classes only", "a little too high", "mxnet: 1.9.1", "seeds: [0]", "a|b 8 + 10"),
    ):
        assert words in card


def test_tables_have_a_cell_for_every_column(comparison):
    lines = model_card(comparison).splitlines()
    widths = [line.replace(r"\|", "").count("|") if line.startswith("|") else 0 for line in lines]
    tables = [width for width in np.split(widths, np.flatnonzero(np.diff(widths)) + 1) if width[0]]
    assert len(tables) == 3
    assert all(len(table) > 2 for table in tables)


def test_it_is_written_beside_the_report(comparison, tmp_path):
    report = d2ltl.write_report(comparison, tmp_path)
    assert (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8") == model_card(comparison)
    assert "Are the probabilities right?" in report.read_text(encoding="utf-8")


def test_a_comparison_of_version_0_1_says_that_nothing_was_calibrated(comparison, tmp_path):
    old = d2ltl.Comparison(**{**vars(comparison), "inventory": {}})
    for run in old.runs:
        run.calibrations = []
    assert "They were not calibrated." in model_card(old)
    assert "Are the probabilities right?" not in d2ltl.write_report(old, tmp_path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "trained", "chosen"),
    [({}, "1 network was trained", False), ({"seeds": [0, 1]}, "2 networks were", True),
     ({"cross_validate": 2}, "2 networks were", True)],
)  # fmt: skip
def test_it_counts_the_networks(options, trained, chosen, stripes, source_file):
    settings = {"net": "tiny", "size": 32, "epochs": 1, "batch_size": 8, "strategies": ["codes-softmax"]}
    card = model_card(d2ltl.run_comparison(stripes, pretrained=source_file, **settings, **options))
    assert f"\n{trained}" in card
    assert ("a little too high" in card) == chosen
    assert card.endswith("```\n")
