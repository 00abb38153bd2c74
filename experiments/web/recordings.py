"""Recorded bookings that contradict their instruction, and what names of places mean on each site.

``python -m experiments.web.recordings`` prints both; the former are left out of
``options={"source": "recorded"}``.
"""

from rich.box import SIMPLE
from rich.table import Table

from envs.web.sites.declaration import SITES, load_site
from envs.web.sites.recordings import bookings, contradictions, settled
from experiments.options import printer
from hardware_sim.commands import run

SPLITS = ("train", "test")


def counts(name: str) -> dict[str, tuple[int, int]]:
    """By split: recorded bookings of a site, and how many of them contradict their instruction."""
    site = load_site(name)
    found = {split: [b for b in bookings(name) if b.split == split] for split in SPLITS}
    return {
        split: (len(of), sum(bool(contradictions(site, each)) for each in of))
        for split, of in found.items()
    }


def report() -> None:
    """Prints both tables."""
    console = printer(soft_wrap=False)
    for name in SITES:
        if not bookings(name):
            continue
        wrong = Table("split", "instruction", "contradicted in", "booking", box=SIMPLE)
        for each in bookings(name):
            concepts = contradictions(load_site(name), each)
            if concepts:
                sent = [dict(each.answer)[load_site(name).key(concept)] for concept in concepts]
                wrong.add_row(each.split, each.wish.text, ", ".join(concepts), ", ".join(sent))
        console.print(wrong)
        for split, (total, against) in counts(name).items():
            console.print(f"{name}, {split}: {against} of {total} contradict their instruction")
        means = ", ".join(f"{place}: {code}" for place, code in settled(name).items())
        console.print(f"{name}, names by the split train: {means}", soft_wrap=True)


if __name__ == "__main__":
    run(report)
