"""The page's words, each explained in a sentence; page.js shows them where a word is tapped."""

from collections.abc import Iterator

from cifarbench.analysis.results import Results
from cifarbench.report.section import Section

PLACE = 110
WORDS = {
    "run": "One training of one network, from a fresh start to its test.",
    "seed": "The number that decides all that is random in a run: the first weights, the order of "
    "the images and what is done to them. Runs that differ in their seed alone show how much chance "
    "does.",
    "knob": "A setting of a training, such as the learning rate or the number of epochs.",
    "configuration": "A model and the values of all knobs but the seed; its runs are repetitions "
    "of one experiment.",
    "epoch": "One pass over all training images.",
    "±": "57.7 ± 1.2 means: the runs average 57.7, and with 95 % confidence the average of very "
    "many such runs lies within 1.2 of it. It is a t-interval over seeds, on one set of test images.",
    "p": "How often chance alone would show at least such a difference, if there were none.",
    "beyond seed noise": "A difference larger than seeds alone would show, tested among all pairs "
    "of the configurations of the data set at once, so that one such claim on this page is false in "
    "at most one of twenty pages.",
    "collapsed": "A run that ended far below the best one of the same configuration.",
    "Pareto front": "What nothing else beats in both accuracy and cost: to gain one, the other "
    "must be given up.",
    "running": "Figures of training that are averaged over an epoch while the weights move, with "
    "dropout on; they lag behind what the network could do at the epoch's end.",
    "frozen BatchNorm": "Normalising layers that use their stored averages in training too, "
    "instead of those of the images at hand, and so never learn them.",
    "Calibration error": "How far confidence and accuracy lie apart: of the answers given with 80 "
    "% confidence, 80 % should be right.",
    "undecided": "The runs so far would be no surprise if the published statement were true, nor if it were "
    "false. That is no failure to reproduce it; more seeds may decide.",
    "explanation": "What else may make a published claim look true. It is supported if the claim fails "
    "without that cause, or holds with it, in runs of this page.",
}


def sections(results: Results) -> Iterator[Section]:
    yield Section("glossary", "Words", "glossary", {"words": dict(sorted(WORDS.items(), key=_by_name))})


def _by_name(pair: tuple[str, str]) -> str:
    return pair[0].lower()
