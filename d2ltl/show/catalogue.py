"""The demonstrations by name. Running one imports its module, and with it MXNet."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple

from _data_hub.language import N_

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Shown(NamedTuple):
    """The result of a demonstration.

    Attributes
    ----------
    verdict : str
        The measured numbers in a few sentences.
    figure : Figure
        A figure of the results.
    """

    verdict: str
    figure: Figure


class Demonstration(NamedTuple):
    """A small experiment with one seed and few images; it takes about a minute on two cores.

    Attributes
    ----------
    topic : str
        Heading in the list of demonstrations.
    title : str
        The question that the demonstration answers.
    function : str
        Module in this package and name of the function, separated by a dot.
    """

    topic: str
    title: str
    function: str

    def run(self, seed: int) -> Shown:
        """Run the demonstration with a seed, and return its result."""
        module, _, name = self.function.partition(".")
        shown: Shown = getattr(importlib.import_module(f"d2ltl.show.{module}"), name)(seed)
        return shown


WHY, WHEN_AND_HOW = N_("Why transfer"), N_("When and how to transfer")
FIRST, BEYOND = N_("A first experience"), N_("Beyond fine-tuning")
# fmt: off
DEMONSTRATIONS = {
    "gains": Demonstration(WHY, N_("Does transfer give a higher start, slope and asymptote?"), "why_transfer.gains"),
    "few-images": Demonstration(WHY, N_("How few images are enough?"), "why_transfer.few_images"),
    "designed-features": Demonstration(WHY, N_("Are learned features better than designed ones?"),
                                       "why_transfer.designed_features"),
    "time-and-energy": Demonstration(WHY, N_("How much time and energy does an accuracy take?"),
                                     "why_transfer.time_and_energy"),
    "codes-by-depth": Demonstration(WHEN_AND_HOW, N_("From which stage are CNN codes best?"),
                                    "when_and_how.codes_by_depth"),
    "stages-kept": Demonstration(WHEN_AND_HOW, N_("How many stages are worth keeping?"), "when_and_how.stages_kept"),
    "advice": Demonstration(WHEN_AND_HOW, N_("Which way of transferring suits these images?"), "when_and_how.advice"),
    "good-source": Demonstration(WHEN_AND_HOW, N_("How is a good source model fine-tuned?"),
                                 "when_and_how.good_source"),
    "heat-map": Demonstration(WHEN_AND_HOW, N_("Where in a larger image is the hot dog?"),
                              "when_and_how.hot_dogs_found"),
    "negative-transfer": Demonstration(WHEN_AND_HOW, N_("Does transfer hurt where source and target differ?"),
                                       "when_and_how.negative_transfer"),
    "first-experience": Demonstration(FIRST, N_("What do 20 images of each of 10 foods teach?"),
                                      "first_experience.few_foods"),
    "curves": Demonstration(FIRST, N_("When does a network learn its images by heart?"), "first_experience.curves"),
    "confusion": Demonstration(FIRST, N_("Which foods does the network confuse?"), "first_experience.confusion"),
    "augmentations": Demonstration(FIRST, N_("What does each augmentation do, and does it help?"),
                                   "first_experience.augmentations"),
    "imbalance": Demonstration(FIRST, N_("What if one class is rare?"), "first_experience.imbalance"),
    "several-tasks": Demonstration(BEYOND, N_("Do several tasks on one feature block help each other?"),
                                   "tasks_and_domains.several_tasks"),
    "another-domain": Demonstration(BEYOND, N_("Can training on one domain be made to fit another?"),
                                    "tasks_and_domains.another_domain"),
    "unseen-classes": Demonstration(BEYOND, N_("Can foods be recognised that were never seen?"),
                                    "tasks_and_domains.unseen_foods"),
    "self-taught": Demonstration(BEYOND, N_("Do unlabelled images of other classes help?"),
                                 "unlabelled_and_distilled.self_taught"),
    "self-taught-clustering": Demonstration(BEYOND, N_("Do many other images help to sort a few without labels?"),
                                            "unlabelled_and_distilled.self_taught_clustering"),
    "distillation": Demonstration(BEYOND, N_("Does a small network learn more from a large one?"),
                                  "unlabelled_and_distilled.distillation"),
}
