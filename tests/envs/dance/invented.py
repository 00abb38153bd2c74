"""Charts and songs that nobody wrote."""

from hypothesis import strategies as st

from envs.dance.chart import DIFFICULTIES, Chart, Song
from envs.dance.notes import placed
from envs.dance.timing import TICKS, Timing

LINES = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), max_size=12
).filter(lambda text: text == " ".join(text.split()))


@st.composite
def notes(draw, most=24):
    """``{(tick, panel): character}`` in which every hold is closed."""
    grid = draw(st.sampled_from((48, 24, 16, 12, 8, 6, 4, 3, 1)))
    ticks = draw(st.lists(st.integers(0, 600 // grid * 4), max_size=most, unique=True))
    found, held = {}, set()
    for tick in sorted(ticks):
        for panel in range(4):
            character = draw(st.sampled_from("0033" if panel in held else "001124M"))
            if character != "0":
                found[tick * grid, panel] = character
            if character in "24":
                held.add(panel)
            elif character == "3":
                held.remove(panel)
    end = (max(ticks, default=0) + 1) * grid
    found.update({(end, panel): "3" for panel in held})
    return found


@st.composite
def charts(draw, timing, difficulty=None):
    ticks, rows, mines, rolls = placed(draw(notes()))
    return Chart(
        ticks,
        rows,
        timing.time_at(ticks / TICKS),
        difficulty or draw(st.sampled_from((*DIFFICULTIES, "Edit"))),
        draw(st.integers(1, 20)),
        draw(LINES),
        mines,
        rolls,
    )


@st.composite
def songs(draw):
    beats = st.integers(1, 400).map(lambda tick: tick / TICKS)
    values = st.floats(0.001, 900)
    events = st.dictionaries(beats, values, max_size=3).map(lambda each: tuple(each.items()))
    bpms = ((0.0, draw(values)), *draw(events))
    timing = Timing(draw(st.floats(-9, 9)), bpms, draw(events), draw(events))
    several = draw(st.lists(charts(timing), max_size=3))
    return Song(draw(LINES), draw(LINES), draw(LINES), timing, tuple(several))
