"""Small tasks that take clicks: buttons, links, boxes to tick, numbers and colours to compare."""

import numpy as np

from envs.web.application import Request, Response
from envs.web.tasks.base import Drawn, MiniTask
from envs.web.tasks.words import COLOURS, LABELS, NOUNS, one, some


class ClickButton(MiniTask):
    """One of twelve buttons."""

    page = "click_button.html"
    max_steps = 5

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws labels and the one to click."""
        labels = some(random, LABELS, 12)
        label = one(random, labels)
        return Drawn(
            f'Click on the "{label}" button.',
            (("button", label),),
            {"rows": [labels[index : index + 2] for index in range(0, 12, 2)]},
            (("target", label),),
        )


class ClickLink(MiniTask):
    """One of seven links, then a button on the page behind it."""

    page = "click_link.html"
    max_steps = 8

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws words, a third of them links, and the link to follow."""
        words = some(random, NOUNS, 21)
        lines = [
            {"before": words[index], "link": words[index + 1], "after": words[index + 2]}
            for index in range(0, 21, 3)
        ]
        word = one(random, lines)["link"]
        return Drawn(
            f'Follow the link "{word}" and confirm.',
            (("word", word),),
            {"lines": lines},
            (("target", word),),
        )

    def respond(self, drawn: Drawn, request: Request) -> Response:
        """Adds the pages behind the links."""
        word = dict(request.query).get("word")
        if request.path == "open" and word in [line["link"] for line in drawn.slots["lines"]]:
            return Response(self.document(drawn, "click_link_opened.html", word=word))
        return super().respond(drawn, request)


class ClickCheckboxes(MiniTask):
    """Two to four of six boxes to tick, then a button."""

    page = "click_checkboxes.html"
    max_steps = 12

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws words and those to tick."""
        words = some(random, NOUNS, 6)
        wanted = some(random, words, int(random.integers(2, 5)))
        listed = ", ".join(wanted[:-1]) + " and " + wanted[-1]
        return Drawn(
            f"Tick {listed}, nothing else, and submit.",
            tuple(("word", word) for word in wanted),
            {"words": words},
            tuple((f"target {index}", word) for index, word in enumerate(wanted, 1)),
        )


class ClickRadio(MiniTask):
    """One of six radio buttons, then a button."""

    page = "click_radio.html"
    max_steps = 8

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws words and the one to choose."""
        words = some(random, NOUNS, 6)
        word = one(random, words)
        return Drawn(
            f"Choose {word} and submit.",
            (("word", word),),
            {"words": words},
            (("target", word),),
        )


class CompareNumbers(MiniTask):
    """The smallest or largest of nine numbers."""

    page = "compare_numbers.html"
    max_steps = 5

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws numbers and whether the least or the most counts."""
        numbers = some(random, range(1, 100), 9)
        kind, number = one(random, (("smallest", min(numbers)), ("largest", max(numbers))))
        return Drawn(
            f"Click on the {kind} number.",
            (("number", str(number)),),
            {"rows": [numbers[index : index + 3] for index in range(0, 9, 3)]},
            (("wanted", kind),),
        )


class Sum(MiniTask):
    """The right one of nine results of a sum or difference."""

    page = "sum.html"
    max_steps = 5

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws a calculation, its result and eight wrong ones nearby."""
        first, second = sorted(random.integers(1, 13, 2).tolist(), reverse=True)
        sign, result = one(random, (("+", first + second), ("-", first - second)))
        near = [number for number in range(max(0, result - 8), result + 9) if number != result]
        shown = some(random, [result, *some(random, near, 8)], 9)
        return Drawn(
            f"Click on the result of {first} {sign} {second}.",
            (("result", str(result)),),
            {
                "task": f"{first} {sign} {second} = ?",
                "rows": [shown[index : index + 3] for index in range(0, 9, 3)],
            },
            (("first", str(first)), ("sign", sign), ("second", str(second))),
        )


class ClickColour(MiniTask):
    """The patch of a named colour, among eight."""

    page = "click_colour.html"
    max_steps = 5

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws colours and the one to click."""
        names = some(random, sorted(COLOURS), 8)
        name = one(random, names)
        patches = [{"name": colour, "code": COLOURS[colour]} for colour in names]
        return Drawn(
            f"Click on the {name} patch.",
            (("colour", name),),
            {"rows": [patches[:4], patches[4:]]},
            (("target", name),),
        )


class Stepper(MiniTask):
    """A count to set with a minus and a plus button, for one of two things."""

    page = "stepper.html"
    max_steps = 20

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws two things, a count for each and where the counts begin."""
        first, second = some(random, NOUNS, 2)
        start = random.integers(0, 8, 2)
        wanted = (start + random.integers(1, 8, 2)) % 8
        return Drawn(
            f"Order {wanted[0]} of {first} and {wanted[1]} of {second}.",
            (("first", str(wanted[0])), ("second", str(wanted[1]))),
            {"first": first, "second": second, "start": start.tolist()},
            (
                ("first", first),
                ("first count", str(wanted[0])),
                ("second", second),
                ("second count", str(wanted[1])),
            ),
        )
