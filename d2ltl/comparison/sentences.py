"""The result of a comparison in sentences: what was gained and whether that is certain, warnings, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

import numpy as np

from _data_hub.language import _
from d2ltl.comparison.answers import Answers
from d2ltl.comparison.certainty import above_constant, still_learning
from d2ltl.comparison.gains import Gain
from d2ltl.comparison.result import Comparison
from d2ltl.comparison.runs import Run
from d2ltl.comparison.strategies import BASELINE
from d2ltl.data.duplicates import retell_copies
from d2ltl.datasets import BOOK
from d2ltl.files import isolated

UNEVEN = 2  # as many images to train of one class as of another; then balancing them is suggested
OTHER_WAYS = ("lp-ft", "codes-softmax")  # suggested if nothing is certain


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
    course = [
        _more(start, _("starts {points} points higher"), _("starts {points} points lower")),
        _more(slope, _("climbs {points} points per epoch faster"), _("climbs {points} points per epoch slower")),
    ]
    end = _more(asymptote, _("ends {points} points higher"), _("ends {points} points lower"))
    if comparison.has_validation:
        end = _("{end} (on the images for validation)").format(end=end)
    return _("{strategy} against {baseline}: {course}. {verdict} {spread}").format(
        strategy=strategy,
        baseline=BASELINE,
        course=_(", ").join([*course, end] if _has_epochs(comparison.of(strategy)[0]) else [end]),
        verdict=_verdict(comparison, strategy, answers),
        spread=_("({number} seeds, ± one standard deviation.)").format(number=seeds)
        if seeds > 1
        else _("(One seed: its spread is not known.)"),
    )


def _has_epochs(run: Run) -> bool:
    """Return whether a run learned by gradient descent, in epochs; a linear classifier is fitted at once."""
    return run.learning_rate is not None


def _more(gain: Gain, more: str, less: str) -> str:
    sd = f" ± {100 * gain.sd:.1f}" if gain.sd is not None else ""
    return (more if gain.mean >= 0 else less).format(points=f"{100 * abs(gain.mean):.1f}{sd}")


def _verdict(comparison: Comparison, strategy: str, answers: Answers | None) -> str:
    if answers is None:
        return _not_certain(_("the runs have no predictions of the same test images. Compare in a new folder."))
    found = answers.between(strategy, BASELINE)
    measured = (
        _("The last {measure} is {points:.1f} points higher ({margin}).")
        if found.mean >= 0
        else _("The last {measure} is {points:.1f} points lower ({margin}).")
    ).format(measure=answers.measure, points=100 * abs(found.mean), margin=answers.margin(found))
    if not found.certain:
        return _not_certain(_("the difference is within its margin. {measured}").format(measured=measured))
    if found.mean < 0:
        return _("Transfer did not pay off. {measured}").format(measured=measured)
    if not answers.learned(strategy):
        return _not_certain(
            _("{no_better}. {measured}").format(no_better=_no_better(comparison, strategy), measured=measured)
        )
    return _("Transfer paid off. {measured}").format(measured=measured)


def _not_certain(reason: str) -> str:
    return _("Whether transfer paid off is not certain: {reason}").format(reason=reason)


def _no_better(comparison: Comparison, strategy: str) -> str:
    return _('{strategy} is not certainly better than always answering "{answer}"').format(
        strategy=strategy, answer=isolated(comparison.most_frequent)
    )


def _above_constant(comparison: Comparison, answers: Answers | None) -> list[str]:
    """Return the accuracy of each strategy beside that of always answering the most frequent class."""

    def sentence(name: str) -> str:
        accuracy = np.mean([accuracy for run in comparison.of(name) for accuracy in run.accuracies])  # as in the table
        ours, constant = f"{accuracy:.3f}", f"{comparison.chance:.3f}"
        if answers is not None and answers.balanced:
            share = 1 / len(np.unique(answers.labels))
            balanced = share + above_constant(answers.right[name], answers.labels).mean
            ours, constant = (
                _("{accuracy}, balanced {balanced:.3f}").format(accuracy=accuracy, balanced=balanced)
                for accuracy, balanced in ((ours, balanced), (constant, share))
            )
        compared = _('{strategy}: test accuracy {accuracy}; always answering "{answer}": {constant}.').format(
            strategy=name, accuracy=ours, answer=isolated(comparison.most_frequent), constant=constant
        )
        if answers is None:
            return compared
        return _("{compared} {better}").format(compared=compared, better=_how_much_better(answers, name))

    return [sentence(name) for name in comparison.strategies]


def _how_much_better(answers: Answers, strategy: str) -> str:
    above = above_constant(answers.right[strategy], answers.labels)
    sentence = (
        _("It is certainly better ({measure} {points:+.1f} points, {margin}).")
        if answers.learned(strategy)
        else _("It is not certainly better ({measure} {points:+.1f} points, {margin}).")
    )
    return sentence.format(measure=answers.measure, points=100 * above.mean, margin=answers.margin(above))


def _best(comparison: Comparison, answers: Answers | None) -> list[str]:
    """Return a sentence for each other strategy that compares the best strategy with it."""
    if answers is None:
        return []
    above = {name: above_constant(right, answers.labels).mean for name, right in answers.right.items()}
    best = max(above, key=lambda name: above[name])
    found = {name: answers.between(best, name) for name in comparison.strategies if name != best}
    certain = _("{strategy} against {other}: {measure} {points:.1f} points higher ({margin}), which is certain.")
    uncertain = _("{strategy} against {other}: {measure} {points:.1f} points higher ({margin}), which is not certain.")
    return [
        (certain if apart.certain else uncertain).format(
            strategy=best, other=name, measure=answers.measure, points=100 * apart.mean, margin=answers.margin(apart)
        )
        for name, apart in found.items()
    ]


def _what_is_missing(comparison: Comparison) -> str:
    if BASELINE in comparison.strategies:
        return _(
            "Whether transfer pays off shows only beside finetune, or another strategy that transfers, with the same "
            "images, seeds and epochs."
        )
    return _("Whether transfer pays off shows only beside scratch with the same images, seeds and epochs.")


def warnings(comparison: Comparison) -> list[str]:
    """Return what makes the comparison weak: copies, networks that answer one class only, or were still learning."""
    found = [*map(retell_copies, comparison.inventory.get("copies", ()))]
    found += [
        _one_class(comparison, run) for run in comparison.runs if np.count_nonzero(run.confusion.sum(axis=0)) == 1
    ]
    epochs = max(len(run.history) for run in comparison.runs)  # a linear classifier has a single one
    if unfinished := _unfinished(comparison):
        found.append(
            (
                _("{strategies}: one epoch cannot show the end of learning.")
                if epochs == 1
                else _("{strategies}: still learning after {epochs} epochs. More epochs may change the result.")
            ).format(strategies=_enumeration(unfinished), epochs=epochs)
        )
    answers = Answers.of(comparison)
    if answers and BASELINE in answers.right and not answers.learned(BASELINE):
        found.append(_("{no_better}: it is a weak baseline.").format(no_better=_no_better(comparison, BASELINE)))
    return found


def _enumeration(names: list[str]) -> str:
    *others, last = names
    return _("{others} and {last}").format(others=", ".join(others), last=last) if others else last


def _one_class(comparison: Comparison, run: Run) -> str:
    answer = comparison.classes[int(run.confusion.sum(axis=0).argmax())]
    accuracy = run.confusion.trace() / run.confusion.sum()
    return _(
        "{strategy}, seed {seed}, answers {answer} for every test image. Its accuracy of {accuracy:.3f} is the share "
        "of this class."
    ).format(strategy=run.strategy, seed=run.seed, answer=isolated(answer), accuracy=accuracy)


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
        steps.append(_step(f"--epochs {3 * settings['epochs']}", _("train until no strategy learns any more.")))
    if BASELINE not in comparison.strategies:
        steps.append(_step(_strategies(comparison, [BASELINE]), _("shows whether transfer pays off.")))
    if len(comparison.of(comparison.strategies[0])) == 1 and any(map(_has_epochs, comparison.runs)):
        steps.append(_step("--seeds 0 1 2", _("three seeds show how much the result depends on the seed.")))
    steps += _balancing(comparison)
    if not settled:
        steps.append(
            _("More test images: a smaller margin.")
            if settings.get("cross_validate")
            else _("More test images, or --cross-validate 5, which tests on every image: a smaller margin.")
        )
    if not (settled and ahead):
        if settings["size"] < BOOK.size:
            larger = min(BOOK.size, 2 * settings["size"])
            steps.append(_step(f"--size {larger}", _("larger images show more details.")))
        if untried := [name for name in OTHER_WAYS if name not in comparison.strategies]:
            steps.append(_step(_strategies(comparison, untried), _("another way to transfer.")))
        advice = f"python -m d2ltl.advice {shlex.quote(settings['data'])}"
        steps.append(_step(advice, _("measures which source model and which strategy suit these images.")))
    return steps


def _step(command: str, purpose: str) -> str:
    return _("{command}: {purpose}").format(command=command, purpose=purpose)


def _strategies(comparison: Comparison, more: Iterable[str]) -> str:
    return f"--strategies {' '.join([*comparison.strategies, *more])}"


def _balancing(comparison: Comparison) -> list[str]:
    """Return the advice to balance the classes if one has far fewer images to train than another."""
    counts = comparison.inventory.get("parts", {}).get("train", {}).get("of_class", {})
    if comparison.settings.get("balance") or not counts:
        return []
    rare, frequent = (find(counts, key=lambda name: counts[name]) for find in (min, max))
    if counts[frequent] < UNEVEN * counts[rare]:
        return []
    few, many = (
        _("{name} ({number} images)").format(name=isolated(name), number=counts[name]) for name in (rare, frequent)
    )
    purpose = _("every class counts the same in training, {few} as much as {many}.").format(few=few, many=many)
    return [_step("--balance", purpose)]


def _idle(comparison: Comparison, answers: Answers | None) -> bool:
    """Return whether a strategy with gradient descent did not certainly learn anything."""
    trained = {run.strategy for run in comparison.runs if _has_epochs(run)}
    return answers is not None and not all(map(answers.learned, trained))
