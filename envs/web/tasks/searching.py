"""Small tasks of looking for something: suggestions, dates, results, mail, folders, answers."""

import zlib

import numpy as np

from envs.web.application import Request, Response
from envs.web.tasks.base import Drawn, MiniTask
from envs.web.tasks.words import LABELS, MONTHS, NAMES, NOUNS, one, some


class Autocomplete(MiniTask):
    """A word to type and to take from the suggestions."""

    page = "autocomplete.html"
    max_steps = 8

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws the words that are known and the one to take."""
        words = some(random, NOUNS, 12)
        word = one(random, words)
        return Drawn(
            f"Enter {word} with the help of the suggestions and submit.",
            (("item", f"#{word}"),),
            {"words": words, "slots": range(3)},
            (("target", word),),
        )

    def respond(self, drawn: Drawn, request: Request) -> Response:
        """Adds the suggestions: known words with what was typed in them."""
        if request.path == "suggest":
            typed = dict(request.query).get("q", "").lower()
            found = [word for word in drawn.slots["words"] if typed in word]
            return Response(json=[[f"#{word}", word.capitalize()] for word in found[:3]])
        return super().respond(drawn, request)


class PickDate(MiniTask):
    """A day to pick in a calendar, some months away."""

    page = "pick_date.html"
    max_steps = 20

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws a day of the year in which the calendar opens."""
        month, day = int(random.integers(1, 13)), int(random.integers(1, 29))
        name = MONTHS[month - 1].capitalize()
        return Drawn(
            f"Pick {name} {day}, 2017 and submit.",
            (("date", f"{month:02}/{day:02}/2017"),),
            {"cells": [list(range(row, row + 7)) for row in range(0, 42, 7)]},
            (("date", f"{name} {day}, 2017"),),
        )


class Search(MiniTask):
    """A word to search for, and one of four results to open and confirm."""

    page = "search.html"
    max_steps = 10
    ordinals = ("first", "second", "third", "fourth")

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws the word and the place of the result."""
        word, place = one(random, NOUNS), int(random.integers(4))
        return Drawn(
            f'Search for "{word}", open the {self.ordinals[place]} result and confirm.',
            (("q", word), ("page", self.results(word)[place])),
            {},
            (("query", word), ("place", f"{self.ordinals[place]} {place + 1}")),
        )

    def results(self, query: str) -> list[str]:
        """Names of the pages found, always the same for a query."""
        return some(np.random.default_rng(zlib.crc32(query.encode())), NAMES, 4)

    def respond(self, drawn: Drawn, request: Request) -> Response:
        """Adds the results and the pages behind them."""
        query = dict(request.query)
        if request.path == "results" and request.method == "GET":
            word = query.get("q", "")
            rows = [(n, name) for n, name in enumerate(self.results(word), 1)]
            return Response(self.document(drawn, "search_results.html", q=word, rows=rows))
        if request.path == "open" and {"q", "page"} <= set(query):
            slots = {"q": query["q"], "found": query["page"]}
            return Response(self.document(drawn, "search_opened.html", **slots))
        return super().respond(drawn, request)


class Inbox(MiniTask):
    """A mail to open by its sender, and something to do with it."""

    page = "inbox.html"
    max_steps = 8

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws five mails, one of them and what to do."""
        senders, subjects = some(random, NAMES, 5), some(random, NOUNS, 5)
        sender = one(random, senders)
        act = one(random, ("delete", "star", "archive"))
        return Drawn(
            f"Open the mail from {sender} and {act} it.",
            ((act, sender),),
            {"mails": list(zip(senders, subjects, strict=True))},
            (("sender", sender), ("act", act)),
        )

    def respond(self, drawn: Drawn, request: Request) -> Response:
        """Adds the opened mails."""
        sender = dict(request.query).get("mail")
        subjects = dict(drawn.slots["mails"])
        if request.path == "open" and sender in subjects:
            slots = {"sender": sender, "subject": subjects[sender]}
            return Response(self.document(drawn, "inbox_opened.html", **slots))
        return super().respond(drawn, request)


class Tree(MiniTask):
    """A leaf to click in one of three folders."""

    page = "tree.html"
    max_steps = 12

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws folders, leaves and the leaf to click."""
        words = some(random, NOUNS, 6)
        folders = some(random, LABELS, 3)
        word = one(random, words)
        return Drawn(
            f"Open the folders until you find {word}; click on it.",
            (("leaf", word),),
            {"folders": list(zip(folders, (words[:2], words[2:4], words[4:]), strict=True))},
            (("target", word),),
        )


class DropZone(MiniTask):
    """One of four things to drag onto one of two places."""

    page = "drop_zone.html"
    max_steps = 8

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws things, places, and which goes where."""
        words = some(random, NOUNS, 6)
        things, zones = words[:4], words[4:]
        thing, zone = one(random, things), one(random, zones)
        return Drawn(
            f"Drag {thing} onto {zone} and submit.",
            (("moved", f"{thing}:{zone}"),),
            {"rows": [things[:2], things[2:]], "zones": zones},
            (("thing", thing), ("zone", zone)),
        )


class QA(MiniTask):
    """A question about a table of facts, answered by a click on the fact.

    After QAWoB (Shi et al., ICML 2017), where questions are templates with slots and the answer is
    an element of the page.
    """

    page = "question.html"
    size = (240, 210)
    max_steps = 5
    subjects = {
        "phone": ("What is the phone number of {}?", "{}-{}"),
        "room": ("In which room does {} work?", "Room {}{}"),
        "price": ("How much does {} charge?", "${}.{}"),
    }

    def draw(self, random: np.random.Generator) -> Drawn:
        """Draws people, their facts and a question about one of them."""
        people = some(random, NAMES, 5)
        columns = some(random, list(self.subjects), 3)
        figures = random.integers(10, 100, (len(people), len(columns), 2)).tolist()
        patterns = [self.subjects[column][1] for column in columns]
        rows = [
            (name, [pattern.format(*pair) for pattern, pair in zip(patterns, pairs, strict=True)])
            for name, pairs in zip(people, figures, strict=True)
        ]
        who, what = int(random.integers(5)), int(random.integers(3))
        question = self.subjects[columns[what]][0].format(people[who])
        return Drawn(
            f"{question} Click on the answer.",
            (("answer", rows[who][1][what]),),
            {"columns": columns, "rows": rows},
            (("name", people[who]), ("attribute", columns[what])),
        )
