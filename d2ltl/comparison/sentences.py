"""The result of a comparison in sentences: what was gained and whether that is certain, warnings, what to do next."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import numpy as np

from d2ltl.comparison.certainty import CONFIDENCE, Difference, above_constant, difference, still_learning
from d2ltl.comparison.gains import Gain
from d2ltl.comparison.result import Comparison
from d2ltl.comparison.runs import Run
from d2ltl.comparison.strategies import BASELINE
from d2ltl.datasets import BOOK
from d2ltl.files import isolated

NOT_CERTAIN = "Whether transfer paid off is not certain:"
UNEVEN = 2  # as many images to train of one class as of another; then balancing them is suggested
OTHER_WAYS = ("lp-ft", "codes-softmax")  # suggested if nothing is certain


@dataclass(frozen=True)
class Answers:
    """What the runs of a comparison answered to the same test images.

    `right` has, for each strategy, whether each run is right about each image: bool, shape (runs, N), with the runs
    sorted by seed. `labels` are the names of the true classes, shape (N,).
    """

    right: dict[str, np.ndarray]
    labels: np.ndarray

    @classmethod
    def of(cls, comparison: Comparison) -> Answers | None:
        """Return the answers in a comparison, or None if the runs do not have predictions of the same images."""
        predictions = {name: [sorted(run.predictions) for run in comparison.of(name)] for name in comparison.strategies}
        images = {tuple((p.file, p.true) for p in run) for runs in predictions.values() for run in runs}
        if len(images) != 1 or images == {()}:
            return None
        right = {name: np.array([[p.true == p.predicted for p in run] for run in runs])
                 for name, runs in predictions.items()}  # fmt: skip
        return cls(right, np.array([true for _, true in images.pop()]))

    @property
    def measure(self) -> str:
        """Name of the compared measure; the balanced accuracy of equally frequent classes is the accuracy."""
        counts = np.unique(self.labels, return_counts=True)[1]
        return "accuracy" if counts.min() == counts.max() else "balanced accuracy"

    def between(self, strategy: str, other: str) -> Difference:
        """Return the difference of two strategies."""
        return difference(self.right[strategy], self.right[other], self.labels)

    def learned(self, strategy: str) -> bool:
        """Return whether a strategy is certainly better than always answering the most frequent class."""
        above = above_constant(self.right[strategy], self.labels)
        return above.certain and above.mean > 0

    def settled(self, strategy: str) -> bool:
        """Return whether a strategy has learned, and differs certainly from the baseline if that was run."""
        return self.learned(strategy) and (BASELINE not in self.right or self.between(strategy, BASELINE).certain)

    def ahead(self, strategy: str) -> bool:
        """Return whether a strategy is better than the baseline, or that was not run."""
        return BASELINE not in self.right or self.between(strategy, BASELINE).mean > 0

    def margin(self, found: Difference) -> str:
        """Return the text about the confidence interval of a difference."""
        return f"± {100 * found.margin:.1f} at {CONFIDENCE:.0%} confidence, on {len(self.labels)} test images"


def reading(comparison: Comparison) -> list[str]:
    """Return a text for each strategy: its three gains over training from scratch, and whether transfer paid off.

    Without training from scratch, the texts compare the strategies with always answering the most frequent class, and
    the best of them with the others.
    """
    answers = Answers.of(comparison)
    if comparison.gains:
        return [_sentence(comparison, name, gains, answers) for name, gains in comparison.gains.items()]
    return [*_above_constant(comparison, answers), *_best(comparison, answers), _what_is_missing(comparison)]


def _sentence(comparison: Comparison, strategy: str, gains: dict[str, Gain], answers: Answers | None) -> str:
    start, slope, asymptote = (gains[name] for name in ("start", "slope", "asymptote"))
    seeds = len(start.by_seed)
    course = (
        f"starts {_points(start)} {_more(start, 'higher', 'lower')}, "
        f"climbs {_points(slope)} per epoch {_more(slope, 'faster', 'slower')}, "
    )
    validated = " (on the images for validation)" if comparison.has_validation else ""
    return (
        f"{strategy} against {BASELINE}: {course if _has_epochs(comparison.of(strategy)[0]) else ''}"
        f"ends {_points(asymptote)} {_more(asymptote, 'higher', 'lower')}{validated}. "
        f"{_verdict(comparison, strategy, answers)} "
        + (f"({seeds} seeds, ± one standard deviation.)" if seeds > 1 else "(One seed: its spread is not known.)")
    )


def _has_epochs(run: Run) -> bool:
    """Return whether a run learned by gradient descent, in epochs; a linear classifier is fitted at once."""
    return run.learning_rate is not None


def _points(gain: Gain) -> str:
    sd = f" ± {100 * gain.sd:.1f}" if gain.sd is not None else ""
    return f"{100 * abs(gain.mean):.1f}{sd} points"


def _more(gain: Gain, more: str, less: str) -> str:
    return more if gain.mean >= 0 else less


def _verdict(comparison: Comparison, strategy: str, answers: Answers | None) -> str:
    if answers is None:
        return f"{NOT_CERTAIN} the runs have no predictions of the same test images. Compare in a new folder."
    found = answers.between(strategy, BASELINE)
    measured = (
        f"The last {answers.measure} is {100 * abs(found.mean):.1f} points {'higher' if found.mean >= 0 else 'lower'} "
        f"({answers.margin(found)})."
    )
    if not found.certain:
        return f"{NOT_CERTAIN} the difference is within its margin. {measured}"
    if found.mean < 0:
        return f"Transfer did not pay off. {measured}"
    if not answers.learned(strategy):
        return f"{NOT_CERTAIN} {_no_better(comparison, strategy)}. {measured}"
    return f"Transfer paid off. {measured}"


def _no_better(comparison: Comparison, strategy: str) -> str:
    return f'{strategy} is not certainly better than always answering "{isolated(comparison.most_frequent)}"'


def _above_constant(comparison: Comparison, answers: Answers | None) -> list[str]:
    """Return the accuracy of each strategy beside that of always answering the most frequent class."""

    def sentence(name: str) -> str:
        accuracy = np.mean([accuracy for run in comparison.of(name) for accuracy in run.accuracies])  # as in the table
        ours, constant = f"{accuracy:.3f}", f"{comparison.chance:.3f}"
        if answers is None:
            return f'{name}: test accuracy {ours}; always answering "{isolated(comparison.most_frequent)}": {constant}.'
        above = above_constant(answers.right[name], answers.labels)
        if answers.measure != "accuracy":
            share = 1 / len(np.unique(answers.labels))
            ours, constant = f"{ours}, balanced {share + above.mean:.3f}", f"{constant}, balanced {share:.3f}"
        certainly = "certainly" if answers.learned(name) else "not certainly"
        points = f"{answers.measure} {100 * above.mean:+.1f} points, {answers.margin(above)}"
        return (
            f'{name}: test accuracy {ours}; always answering "{isolated(comparison.most_frequent)}": {constant}. '
            f"It is {certainly} better ({points})."
        )

    return [sentence(name) for name in comparison.strategies]


def _best(comparison: Comparison, answers: Answers | None) -> list[str]:
    """Return a sentence for each other strategy that compares the best strategy with it."""
    if answers is None:
        return []
    above = {name: above_constant(right, answers.labels).mean for name, right in answers.right.items()}
    best = max(above, key=lambda name: above[name])
    found = {name: answers.between(best, name) for name in comparison.strategies if name != best}
    return [
        f"{best} against {name}: {answers.measure} {100 * apart.mean:.1f} points higher ({answers.margin(apart)}), "
        f"which is {'' if apart.certain else 'not '}certain."
        for name, apart in found.items()
    ]


def _what_is_missing(comparison: Comparison) -> str:
    missing = "finetune, or another strategy that transfers," if BASELINE in comparison.strategies else BASELINE
    return f"Whether transfer pays off shows only beside {missing} with the same images, seeds and epochs."


def warnings(comparison: Comparison) -> list[str]:
    """Return what makes the comparison weak: copies, networks that answer one class only, or were still learning."""
    found = [*comparison.inventory.get("copies", ())]
    found += [
        _one_class(comparison, run) for run in comparison.runs if np.count_nonzero(run.confusion.sum(axis=0)) == 1
    ]
    epochs = max(len(run.history) for run in comparison.runs)  # a linear classifier has a single one
    if unfinished := _unfinished(comparison):
        names = " and ".join(filter(None, [", ".join(unfinished[:-1]), unfinished[-1]]))
        found.append(
            f"{names}: one epoch cannot show the end of learning."
            if epochs == 1
            else f"{names}: still learning after {epochs} epochs. More epochs may change the result."
        )
    answers = Answers.of(comparison)
    if answers and BASELINE in answers.right and not answers.learned(BASELINE):
        found.append(f"{_no_better(comparison, BASELINE)}: it is a weak baseline.")
    return found


def _one_class(comparison: Comparison, run: Run) -> str:
    answer = comparison.classes[int(run.confusion.sum(axis=0).argmax())]
    accuracy = run.confusion.trace() / run.confusion.sum()
    return (
        f"{run.strategy}, seed {run.seed}, answers {isolated(answer)} for every test image. "
        f"Its accuracy of {accuracy:.3f} is the share of this class."
    )


def _unfinished(comparison: Comparison) -> list[str]:
    """Return the strategies of which a network was still learning."""

    def unfinished(run: Run) -> bool:
        return _has_epochs(run) and still_learning(*map(run.history.curve, ("loss", "test_loss")))

    return [name for name in comparison.strategies if any(map(unfinished, comparison.of(name)))]


def next_steps(comparison: Comparison) -> list[str]:
    """Return what to do next, as options of the command; nothing if the result is certain and complete."""
    settings, answers = comparison.settings, Answers.of(comparison)
    others = [name for name in comparison.strategies if name != BASELINE]
    settled = answers is not None and all(map(answers.settled, others))
    ahead = answers is not None and all(map(answers.ahead, others))
    steps = []
    if _unfinished(comparison) or _idle(comparison, answers):
        steps.append(f"--epochs {3 * settings['epochs']}: train until no strategy learns any more.")
    if BASELINE not in comparison.strategies:
        steps.append(f"--strategies {' '.join([*comparison.strategies, BASELINE])}: shows whether transfer pays off.")
    if len(comparison.of(comparison.strategies[0])) == 1 and any(map(_has_epochs, comparison.runs)):
        steps.append("--seeds 0 1 2: three seeds show how much the result depends on the seed.")
    steps += _balancing(comparison)
    if not settled:
        crossed = "" if settings.get("cross_validate") else ", or --cross-validate 5, which tests on every image"
        steps.append(f"More test images{crossed}: a smaller margin.")
    if not (settled and ahead):
        if settings["size"] < BOOK.size:
            steps.append(f"--size {min(BOOK.size, 2 * settings['size'])}: larger images show more details.")
        if untried := [name for name in OTHER_WAYS if name not in comparison.strategies]:
            steps.append(f"--strategies {' '.join([*comparison.strategies, *untried])}: another way to transfer.")
        advice = f"python -m d2ltl.advice {shlex.quote(settings['data'])}"
        steps.append(f"{advice}: measures which source model and which strategy suit these images.")
    return steps


def _balancing(comparison: Comparison) -> list[str]:
    """Return the advice to balance the classes if one has far fewer images to train than another."""
    counts = comparison.inventory.get("parts", {}).get("train", {}).get("of_class", {})
    if comparison.settings.get("balance") or not counts:
        return []
    rare, frequent = (find(counts, key=lambda name: counts[name]) for find in (min, max))
    if counts[frequent] < UNEVEN * counts[rare]:
        return []
    few, many = (f"{isolated(name)} ({counts[name]} images)" for name in (rare, frequent))
    return [f"--balance: every class counts the same in training, {few} as much as {many}."]


def _idle(comparison: Comparison, answers: Answers | None) -> bool:
    """Return whether a strategy with gradient descent did not certainly learn anything."""
    trained = {run.strategy for run in comparison.runs if _has_epochs(run)}
    return answers is not None and not all(map(answers.learned, trained))
