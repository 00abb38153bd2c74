"""Small tasks over pages that move: sliders, sorting, filters, tabs and dialogs."""

import numpy as np

from envs.web.tasks.base import Drawn, MiniTask
from envs.web.tasks.words import LABELS, NAMES, NOUNS, one, some


class Slider(MiniTask):
    """A number to set on a slider."""

    page = "slider.html"
    max_steps = 8

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws where the slider begins and where it should end."""
        start, level = some(random, range(21), 2)
        label = one(random, NOUNS)
        return Drawn(
            f"Set {label} to {level} and submit.",
            (("level", str(level)),),
            {"label": label, "start": start},
            (("level", str(level)),),
        )


class DragSort(MiniTask):
    """Four numbers to drag into order."""

    page = "drag_sort.html"

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws numbers that are not in order."""
        numbers = some(random, range(1, 100), 4)
        ordered = sorted(numbers)
        if numbers == ordered:
            numbers.reverse()
        return Drawn(
            "Drag the numbers into order, the smallest first, and submit.",
            (("order", ",".join(map(str, ordered))),),
            {"numbers": numbers},
        )


class FilterList(MiniTask):
    """One of ten words in a list that typing narrows."""

    page = "filter_list.html"
    max_steps = 8

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws words and the one to click."""
        words = some(random, NOUNS, 10)
        word = one(random, words)
        return Drawn(
            f"Find {word} in the list and click on it.",
            (("word", word),),
            {"pairs": [words[index : index + 2] for index in range(0, 10, 2)]},
            (("target", word),),
        )


class Tabs(MiniTask):
    """A button on one of three tabs."""

    page = "tabs.html"
    max_steps = 10

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws the tabs' words and the one to click."""
        words = some(random, NOUNS, 12)
        word = one(random, words)
        return Drawn(
            f"Look through the tabs and click on {word}.",
            (("word", word),),
            {"panels": [words[:4], words[4:8], words[8:]]},
            (("target", word),),
        )


class Dialog(MiniTask):
    """A dialog to open, and one of four buttons in it."""

    page = "dialog.html"
    max_steps = 6

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws the dialog's buttons and the one to click."""
        labels = some(random, LABELS, 4)
        label = one(random, labels)
        return Drawn(
            f'Open the dialog and click on "{label}".',
            (("button", label),),
            {"labels": labels, "word": one(random, NOUNS)},
            (("target", label),),
        )


class TableLookup(MiniTask):
    """The number beside a name in a table of six."""

    page = "table_lookup.html"
    max_steps = 5

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws the table and the name to look up."""
        names = some(random, NAMES, 6)
        rows = list(zip(names, some(random, range(10, 100), 6), strict=True))
        name, number = one(random, rows)
        return Drawn(
            f"Click on the number beside {name}.",
            (("number", str(number)),),
            {"rows": rows},
            (("name", name),),
        )
