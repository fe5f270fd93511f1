import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2ltl.history import Epoch, History


def history(epochs=3):
    return History(
        ["cpu(0)"],
        [
            Epoch(i, 1 / i, 0.5 + i / 10, 0.4 + i / 10, seconds=2.0, examples_per_s=50.0 * i)
            for i in range(1, epochs + 1)
        ],
    )


def test_it_reads_as_the_book_prints_it():
    assert str(history()) == "loss 0.333, train acc 0.800, test acc 0.700\n100.0 examples/sec on [cpu(0)]"
    assert str(History(["cpu(0)"])) == "no epoch trained yet"


def test_curves_and_totals():
    assert history().curve("test_acc") == [0.5, 0.6000000000000001, 0.7]
    assert (len(history()), history().seconds, history().examples_per_s) == (3, 6.0, 100.0)
    assert (History([]).seconds, History([]).examples_per_s) == (0, 0.0)


def test_a_loss_that_was_not_recorded_is_no_number():
    assert [math.isnan(loss) for loss in history().curve("test_loss")] == [True] * 3
    assert History([], [Epoch(1, 0.5, 0.5, 0.5, 1.0, 1.0, test_loss=0.7)]).curve("test_loss") == [0.7]


def test_a_history_of_earlier_versions_is_read():
    old = history().to_dict()
    for epoch in old["epochs"]:
        del epoch["test_loss"]
    assert History.from_dict(old) == history()


def test_what_is_empty_is_not_written():
    assert "tasks" not in history().to_dict()["epochs"][0]


numbers = st.floats(allow_nan=False)
tasks = st.dictionaries(st.text(), st.dictionaries(st.text(), numbers))
epochs = st.builds(
    Epoch, st.integers(), numbers, numbers, st.none() | numbers, numbers, numbers, st.none() | numbers, tasks
)


@settings(max_examples=30)
@given(st.builds(History, st.lists(st.text()), st.lists(epochs)))
def test_any_history_survives_json(history):
    assert History.from_dict(json.loads(json.dumps(history.to_dict()))) == history


@pytest.mark.parametrize("values", [{}, [], {"devices": [], "epochs": [{"epoch": 1}]}, {"devices": None, "epochs": []}])
def test_other_values_are_refused(values):
    with pytest.raises((KeyError, TypeError)):
        History.from_dict(values)


def test_epochs_that_were_not_evaluated_have_no_number():
    partly = History(["cpu(0)"], [Epoch(1, 0.5, 0.6, None, 1.0, 40.0), Epoch(2, 0.4, 0.7, 0.8, 1.0, 40.0)])
    assert math.isnan(partly.curve("test_acc")[0])
    assert "test acc nan" in str(History(["cpu(0)"], partly.epochs[:1]))
