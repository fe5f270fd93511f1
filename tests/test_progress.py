import io
import logging
import sys
from types import SimpleNamespace

import pytest

from d2ltl import progress
from d2ltl.history import Epoch, History
from d2ltl.progress import TrainingLog

KERNEL = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel="one"))
CONSOLE = SimpleNamespace(get_ipython=lambda: SimpleNamespace())
NONE = SimpleNamespace(get_ipython=lambda: None)


@pytest.mark.parametrize(("ipython", "shown"), [(KERNEL, True), (CONSOLE, False), (NONE, False), (None, False)])
def test_a_notebook_shows_progress_and_a_pipe_does_not(ipython, shown, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert list(progress.with_progress([1, 2], "epoch 1/2", "batch")) == [1, 2]
    assert ("epoch 1/2" in sys.stderr.getvalue()) == shown


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set forward, in place of that of the module."""
    seconds = [0.0]
    monkeypatch.setattr("d2ltl.progress.time.perf_counter", lambda: seconds[0])

    def wait(more):
        seconds[0] += more

    return wait


@pytest.fixture
def lines(caplog):
    """The lines of the log."""
    caplog.set_level("INFO")
    return caplog


def work(items, wait, seconds, **options):
    for _ in progress.with_progress(items, "evaluating", "batch", **options):
        wait(seconds)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.1, []),  # 4 s
        (0.5, ["evaluating: about 20 s"]),
        (3, ["evaluating: about 2 min"]),
        (200, ["evaluating: about 2 h 13 min"]),
    ],
)
def test_a_pipe_is_told_once_how_long_it_will_take(seconds, said, clock, lines, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    work(range(40), clock, seconds)
    assert lines.messages == said


def test_the_first_batch_which_compiles_is_not_counted(clock, lines, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    for number in progress.with_progress(range(11), "evaluating", "batch"):
        clock(30 if number == 0 else 3)
    assert lines.messages == ["evaluating: about 33 s"]


def test_a_bar_takes_the_place_of_the_line(clock, lines, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", KERNEL)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    work(range(40), clock, 3)
    assert lines.messages == []


def train(wait, seconds, epochs=3, done=0, tests=0.0):
    """Train on 10 batches, which take so many seconds in each epoch, one after another, and then the tests."""
    history = History(["cpu(0)"], [Epoch(number, 0.5, 0.75, 0.8, 1, 1) for number in range(1, done + 1)])
    log = TrainingLog(epochs, done)
    for number, of_batch in enumerate(seconds, done + 1):
        for _ in progress.with_progress(range(10), "epoch", "batch", tell=log.estimate):
            wait(of_batch)
        wait(tests)
        history.epochs.append(Epoch(number, 0.5, 0.75, 0.8, 10 * of_batch, 1 / of_batch))
        log.epoch(history)


def test_a_training_is_told_from_its_first_batches_and_after_each_epoch(clock, lines):
    train(clock, [3, 3, 3], tests=6)
    assert lines.messages == [
        "about 30 s for each epoch; about 1 min 30 s left",
        "epoch 1 of 3: loss 0.500, train acc 0.750, test acc 0.800, 30 s; about 1 min 10 s left",
        "epoch 2 of 3: loss 0.500, train acc 0.750, test acc 0.800, 30 s; about 36 s left",
        "epoch 3 of 3: loss 0.500, train acc 0.750, test acc 0.800, 30 s",
    ]


def test_a_short_training_has_a_line_for_each_epoch_only(clock, lines):
    train(clock, [0.01, 0.01, 0.01])
    assert [line.partition(":")[0] for line in lines.messages] == ["epoch 1 of 3", "epoch 2 of 3", "epoch 3 of 3"]


def test_a_resumed_training_has_only_its_own_epochs_before_it(clock, lines):
    train(clock, [3], epochs=4, done=2)
    assert lines.messages[0] == "about 30 s for each epoch; about 1 min left"
    assert lines.messages[1].endswith(
        "epoch 3 of 4: loss 0.500, train acc 0.750, test acc 0.800, 30 s; about 30 s left"
    )


def test_the_runs_that_follow_are_told_too(clock, lines):
    results = progress.one_after_another(lambda seconds: train(clock, [seconds], 1), [(3,), (6,), (3,)])
    assert results == [None] * 3
    assert [line.partition("; ")[2] for line in lines.messages] == [
        "about 30 s left; about 1 min 30 s until the last of 3 runs",
        "about 1 min until the last of 3 runs",
        "about 1 min left; about 2 min until the last of 3 runs",
        "about 1 min until the last of 3 runs",
        "about 30 s left",
        "",
    ]


def test_a_run_that_fails_leaves_no_other_runs_behind(clock, lines):
    with pytest.raises(ZeroDivisionError):
        progress.one_after_another(lambda divisor: 1 / divisor, [(1,), (0,), (1,)])
    train(clock, [3], 1)
    assert "runs" not in lines.text


@pytest.mark.parametrize(
    ("seconds", "slow"),
    [
        ([3, 7, 3], [2]),  # against the epoch before
        ([3, 5, 3], []),
        ([3, 7, 8], [2]),  # one warning is enough
        ([7, 3, 7], [3]),
        ([0.2, 0.9, 0.9], []),  # too short to tell
        ([0.4, 1.1, 0.4], [2]),
    ],
)
def test_an_epoch_of_less_than_half_the_speed_is_a_warning(seconds, slow, clock, lines, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    train(clock, seconds)
    warnings = [record.getMessage() for record in lines.records if record.levelname == "WARNING"]
    assert [int(text.split()[1]) for text in warnings] == slow
    assert all("Close them; or stop, and start again with OMP_NUM_THREADS=1" in text for text in warnings)


def test_so_is_a_first_epoch_that_becomes_slow(clock, lines, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    log = TrainingLog(1)
    for number in progress.with_progress(range(10), "epoch", "batch", tell=log.estimate):
        clock(2 if number < 4 else 9)
    log.epoch(History(["cpu(0)"], [Epoch(1, 0.5, 0.75, 0.8, 62, 1)]))
    (text,) = [record.getMessage() for record in lines.records if record.levelname == "WARNING"]
    assert text.startswith("Epoch 1 took 1 min; at the speed before, it takes 20 s.")
    assert text.endswith("Close them.")


def test_lines_of_the_log_stand_above_the_bars_of_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", terminal)
    logger = logging.getLogger("d2ltl.of_this_test")
    logger.setLevel("INFO")
    logger.addHandler(progress.LineHandler(terminal))
    for _ in progress.with_progress([1, 2], "epoch", "batch"):
        logger.info("a line")
    before_lines = [text.rpartition("\r")[2] for text in terminal.getvalue().split("a line\n")[:-1]]
    assert before_lines == ["", ""]  # the bar was cleared
