"""Agreement of an agent's request with a human's, key by key (after Shi et al., ICML 2017).

Only keys that the instruction determines count: hidden tokens and constants, which any form sends,
show nothing of skill. Values are compared by what they mean, as humans who follow one instruction
write dates and airports in several ways. "All Airports" of a city or area counts as any one of its
airports, and one of them as "All Airports": people who were given the same name of a city sent
either. Of two single airports of one area, one is half right for the other.
"""

from collections.abc import Mapping

from envs.web.application import Outcome
from envs.web.dates import read_date
from envs.web.document import Pairs
from envs.web.sites.airports import area, meant
from hardware_sim.errors import choose

SAME_MONTH = 0.5
SAME_AREA = 0.5


def agreement(
    sent: Pairs,
    answer: Pairs,
    kinds: Mapping[str, str],
    untouched: Mapping[str, str] | None = None,
    equal: Mapping[str, str] | None = None,
) -> Outcome:
    """The agreement of a request with a human's.

    Args:
        sent: What the agent sent; of a repeated key the last counts.
        answer: What the human sent under the keys that the instruction determines.
        kinds: How the values of a key compare: ``"airport"``, ``"date"`` or, where it is missing,
            ``"text"``.
        untouched: What the form sends under a key if nobody touches its control. To leave right
            what was right earns nothing; to make it wrong counts.
        equal: By key, another value that is as right as the human's.

    Returns:
        The mean agreement over the keys that had to be changed or were spoilt (all, if there are
        none); a success if each key agrees exactly.

    Raises:
        InputError: A kind is none of these.
    """
    given, before, others = dict(sent), untouched or {}, equal or {}

    def right(key: str, wanted: str, value: str) -> float:
        values = (wanted, others[key]) if key in others else (wanted,)
        return max(_compare(value, each, kinds.get(key, "text")) for each in values)

    report = {key: right(key, value, given.get(key, "")) for key, value in answer}
    earned = [
        report[key]
        for key, value in answer
        if report[key] < 1 or key not in before or right(key, value, before[key]) < 1
    ] or list(report.values())
    score = sum(earned) / len(earned) if earned else 0.0
    return Outcome(score, bool(report) and min(report.values()) == 1, report)


def _compare(sent: str, wanted: str, kind: str) -> float:
    choose("kind of value", kind, ["airport", "date", "text"])
    if kind == "airport":
        return _same_airport(sent, wanted)
    if kind == "date":
        return _same_date(sent, wanted)
    return float(_plain(sent) == _plain(wanted))


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _same_airport(sent: str, wanted: str) -> float:
    """1 if one means what the other means or a part of it, half for another airport of the area."""
    mine, human = meant(sent), meant(wanted)
    if not mine or not human:
        return float(_plain(sent) == _plain(wanted))
    if mine <= human or human <= mine:
        return 1.0
    around = frozenset().union(*(area(code) for code in human))
    return SAME_AREA if mine & around else 0.0


def _same_date(sent: str, wanted: str) -> float:
    """1 for the same day, half for another day of the same month."""
    mine, human = read_date(sent), read_date(wanted)
    if mine is None or human is None:
        return float(_plain(sent) == _plain(wanted))
    if mine == human:
        return 1.0
    return SAME_MONTH if (mine.year, mine.month) == (human.year, human.month) else 0.0
