from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.dance.charting import HABITS, find_onsets, onsets_of, timing
from agents.dance.onsets import chosen, expected_count
from agents.dance.recipes import onsets as recipe
from envs.dance import frame_networks, onset_network, scoring, simfiles
from envs.dance.chart import DIFFICULTIES, Chart, Song
from envs.dance.frame_networks import CONTEXT, LEVELS, NETWORKS
from envs.dance.grid import SLOTS, grid, note_kinds
from envs.dance.onset_network import EARS, BeatNetwork, OnsetModel
from envs.dance.recordings import Recording, recording
from envs.dance.tempo import Tempo
from envs.dance.timing import Timing
from envs.dance.tracks import SHIPPED, UNKNOWN, tracks
from envs.dance.tracks import SLOTS as SLOTS_A_BEAT
from hardware_sim.errors import InputError

HARD, CHALLENGE = (DIFFICULTIES.index(level) for level in ("Hard", "Challenge"))


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def spectra(frames, seed=0):
    return np.random.default_rng(seed).normal(-8, 2.5, (frames, 80, 3)).astype(np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_the_paper_answer_for_every_frame_and_level(name):
    model = frame_networks.network(name).eval()
    found = model.predict(spectra(60))
    assert found.shape == (LEVELS, 60)
    assert ((found > 0) & (found < 1)).all()


@pytest.mark.parametrize("name", ["logreg", "mlp", "cnn"])
def test_a_frame_sees_its_fifteen_frames_and_its_level_only(name):
    model = frame_networks.network(name).eval()
    whole = torch.from_numpy(spectra(40 + CONTEXT - 1))[None]
    with torch.no_grad():
        found = model(whole)
        for frame in (0, 17, 39):
            alone = whole[:, frame : frame + CONTEXT]
            for level in range(LEVELS):
                expected = model(alone, torch.tensor([level]))[0, 0, 0]
                torch.testing.assert_close(found[0, level, frame], expected, atol=1e-4, rtol=1e-4)


def test_parts_of_a_long_song_are_those_of_the_whole(monkeypatch):
    model = frame_networks.network("cnn").eval()
    whole = model.predict(spectra(90))
    monkeypatch.setattr(frame_networks.OnsetNetwork, "part", 32)
    np.testing.assert_allclose(model.predict(spectra(90)), whole, atol=1e-5)


def test_the_paper_s_parameters_are_as_many():
    counts = {
        name: sum(each.numel() for each in frame_networks.network(name).parameters())
        for name in NETWORKS
    }
    # Per input, 15 x 80 x 3 of audio and 5 of the level: section 5.1 of the paper.
    inputs = 15 * 80 * 3 + 5
    assert counts["logreg"] == inputs + 1
    assert counts["mlp"] == inputs * 256 + 256 + 256 * 128 + 128 + 128 + 1
    assert counts["cnn"] == 323_741


NAMES = {
    "convolutions.first": "cnn.conv0",
    "convolutions.second": "cnn.conv1",
    "dense.first": "cnn.dense0",
    "dense.second": "cnn.dense1",
    "dense.output": "cnn.output",
}
"""Our names of layers, and those in the authors' file."""


def hears_an_onset(model):
    still, loud = np.full((80, 80, 3), -12.0, np.float32), np.zeros((80, 3), np.float32)
    still[40:44] = loud
    found = model.predict(still)[4]
    return abs(int(found[20:60].argmax()) + 20 - 40) <= 1


def test_the_authors_network_is_read_and_hears_onsets(tmp_path):
    shipped = onset_network.shipped().authors
    given = shipped.state_dict()
    state = {key: value.numpy() for key, value in given.items()}
    arrays = {
        f"{theirs}.{kind}": state[f"{ours}.{kind}"]
        for ours, theirs in NAMES.items()
        for kind in ("weight", "bias")
    }
    both = (arrays["cnn.dense0.weight"], state["dense.level.weight"].T)
    arrays["cnn.dense0.weight"] = np.concatenate(both, axis=1)
    arrays |= {"norm.mean": state["mean"], "norm.std": state["scale"]}
    np.savez(tmp_path / "authors.npz", **arrays)
    model = frame_networks.authors_network(tmp_path / "authors.npz")
    assert all(torch.equal(value, given[key]) for key, value in model.state_dict().items())
    assert hears_an_onset(model)


@pytest.mark.data
def test_the_authors_network_is_the_one_that_is_shipped(dance_data):
    model = frame_networks.authors_network(dance_data / recipe.AUTHORS)
    shipped = onset_network.shipped().authors.state_dict()
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, shipped[key], atol=1e-3, rtol=1e-3)
    assert hears_an_onset(model)


def test_another_file_is_not_the_authors_network(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    for path in (tmp_path / "other.npz", tmp_path / "missing.npz"):
        with pytest.raises(InputError, match="does not hold the authors' onset network"):
            frame_networks.authors_network(path)


@pytest.mark.parametrize("ears", EARS)
def test_our_network_answers_for_every_slot_and_level(ears):
    slots = grid(Timing.constant(150, -0.2), 6.0)
    authors = None if ears == "spectra" else frame_networks.network("cnn").eval()
    heard = onset_network.hear(spectra(600), slots, authors)
    found = BeatNetwork(ears).eval().predict(heard)
    assert found.shape == (LEVELS, len(slots.ticks))
    assert ((found > 0) & (found < 1)).all()


def test_styles_and_ears_that_do_not_exist_are_refused():
    heard = onset_network.hear(spectra(600), grid(Timing.constant(150), 6.0), None)
    with pytest.raises(InputError, match="unknown ears"):
        BeatNetwork("nose")
    with pytest.raises(InputError, match="unknown style"):
        BeatNetwork("spectra").predict(heard, "drums")


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), gap_s=st.floats(0.001, 0.5))
def test_chosen_slots_keep_their_distance_and_leave_no_room(seed, gap_s):
    random = np.random.default_rng(seed)
    times, likely = np.sort(random.random(40)) * 3, random.random(40)
    kept = chosen(likely, times, gap_s)
    assert (np.diff(likely[kept]) <= 0).all()
    assert (np.diff(np.sort(times[kept])) >= gap_s).all()
    for i in set(range(40)) - set(kept.tolist()):
        near = kept[np.abs(times[kept] - times[i]) < gap_s]
        assert len(near)
        assert likely[near].max() >= likely[i]


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=30))
def test_the_expected_count_is_the_best_of_all(likely):
    ranked = np.sort(np.array(likely))[::-1]
    count = expected_count(ranked)

    def score(n):
        return 2 * ranked[:n].sum() / (n + ranked.sum())

    assert score(count) == pytest.approx(max(score(n) for n in range(1, len(ranked) + 1)))


@pytest.mark.parametrize("level", DIFFICULTIES)
def test_steps_are_as_dense_and_as_fine_as_people_make_them(level):
    slots = grid(Timing.constant(160), 60.0)
    likely = np.random.default_rng(0).random((LEVELS, len(slots.ticks)))
    found = onsets_of(likely, slots, level)
    seconds, habit = slots.times[-1] - slots.times[0], HABITS[level]
    assert habit.sparse <= round(len(found.ticks) / seconds, 2) <= habit.dense + 0.02
    assert set(note_kinds(found.ticks).tolist()) <= set(habit.kinds)
    assert (np.diff(found.times) >= habit.gap_s).all()
    np.testing.assert_allclose(found.times, found.ticks / 48 * 60 / 160)


@pytest.mark.parametrize("density", [0.5, 2.0, 5.0])
def test_density_is_as_asked(density):
    slots = grid(Timing.constant(170), 60.0)
    likely = np.random.default_rng(0).random((LEVELS, len(slots.ticks)))
    found = onsets_of(likely, slots, "Challenge", density)
    assert len(found.ticks) / (slots.times[-1] - slots.times[0]) == pytest.approx(density, rel=0.02)


@pytest.mark.parametrize(
    ("level", "density", "message"),
    [("Expert", None, "unknown level"), ("Hard", 0.0, "steps a second"), ("Hard", 99.0, "99")],
)
def test_what_has_no_onsets_is_refused(level, density, message):
    slots = grid(Timing.constant(170), 10.0)
    with pytest.raises(InputError, match=message):
        onsets_of(np.full((LEVELS, len(slots.ticks)), 0.5), slots, level, density)


def test_a_song_gets_steps_on_its_grid():
    tempo = Tempo(150.0, 0.35, 1.0, 1.0)
    (found,) = find_onsets(spectra(1500), timing(tempo), ["Medium"], model=OnsetModel().eval())
    np.testing.assert_allclose(found.times, 0.35 + found.ticks / 48 * 60 / 150)
    assert found.times[-1] < 15


def test_frames_that_are_given_the_grid_find_steps_on_slots():
    slots = grid(Timing.constant(125), 10.0)
    scores = np.zeros((LEVELS, 1000))
    scores[:, 240] = 1
    for times, heights in recipe.on_grid(scores, slots):
        assert times[heights.argmax()] == pytest.approx(2.4)
        assert (np.diff(times) >= recipe.GAP_S).all()
        assert set(times.tolist()) <= set(slots.times.tolist())


def test_frames_beside_a_step_are_not_asked_about():
    targets = torch.zeros(LEVELS, 20)
    targets[2, 10] = 1
    found = recipe.asked(targets)
    assert torch.isnan(found[2]).nonzero().flatten().tolist() == [8, 9, 11, 12]
    assert found[2, 10] == 1
    assert not torch.isnan(found[[0, 1, 3, 4]]).any()


def f_score(known, level):
    """F-score of the shipped model's steps against those of a human chart."""
    (found,) = find_onsets(known.features, known.song.timing, [DIFFICULTIES[level]])
    true = known.times(level)
    return scoring.f_score(scoring.matches(found.times, true), len(found.times), len(true))


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.usefixtures("own_cache")
def test_the_shipped_model_finds_the_steps_of_a_shipped_song():
    name = "escape_from_chaosland"
    track = next(each for each in tracks(SHIPPED) if each.name == name)
    steps = np.flatnonzero(track.human[HARD] == UNKNOWN)
    taps = np.ones(len(steps), np.uint8)
    chart = Chart(track.ticks[steps], taps, track.times[steps], DIFFICULTIES[HARD], 1)
    beat_s = SLOTS_A_BEAT * np.diff(track.times).mean()
    beats = Timing.constant(60 / beat_s, -track.times[0])
    folder = str(files("envs").joinpath("dance", "songs"))
    known = recording(Song(name, "", f"{name}.ogg", beats, (chart,), folder=folder), "guitar")
    again = recording(known.song, "guitar")  # from the cache
    assert (again.lag_s, again.features.tobytes()) == (known.lag_s, known.features.tobytes())
    assert abs(known.lag_s) < 0.01
    assert f_score(known, HARD) > 0.8


@pytest.mark.data
@pytest.mark.usefixtures("own_cache")
def test_the_shipped_model_finds_the_steps_of_a_song_it_knows(dance_data):
    path = dance_data / "stepmania5" / "goin_under.ssc"
    song = replace(simfiles.read(path, repair=True), folder=str(path.parent))
    known = recording(replace(song, music="goin_under.ogg"), "pad")
    assert abs(known.lag_s) < 0.01
    assert f_score(known, CHALLENGE) > 0.8


def beaten(seed, seconds=30.0):
    """A song with a burst of all bands on every beat, and a chart that steps on them."""
    random = np.random.default_rng(seed)
    song_timing = Timing.constant(float(random.integers(110, 180)), 0.0)
    features = random.normal(-9, 1, (int(seconds * 100), 80, 3))
    beats = np.arange(2, int(song_timing.beat_at(seconds)) - 2)
    times = song_timing.time_at(beats)
    for time in times:
        features[round(time * 100) : round(time * 100) + 4] += 5
    chart = Chart(beats * 48, np.ones(len(beats), np.uint8), times, "Hard", 5)
    song = Song("beaten", "", "", song_timing, (chart,), name=f"beaten{seed}")
    return Recording(song, "pad", features.astype(np.float16), 0.0)


@pytest.fixture
def songs(monkeypatch):
    monkeypatch.setattr(recipe, "recordings", lambda folder: [beaten(seed) for seed in range(4)])
    monkeypatch.setattr(
        recipe, "authors_network", lambda path: frame_networks.network("cnn").eval()
    )
    return recipe.examples()


def test_our_network_learns_to_step_on_bursts(songs, monkeypatch):
    monkeypatch.setattr(recipe, "EPOCHS", 20)
    model = recipe.train_beats("spectra", songs[1:], seed=0)
    times, likely = recipe.slot_candidates(model, songs[0])[3]
    true = songs[0].recording.times(3)
    times, likely = recipe.within(times, likely, true)
    taken = times[likely > 0.5]
    score = scoring.f_score(scoring.matches(taken, true), len(taken), len(true))
    assert score > 0.95


def test_a_network_of_the_paper_learns_to_step_on_bursts(songs, monkeypatch):
    monkeypatch.setitem(recipe.UPDATES, "logreg", 60)
    monkeypatch.setitem(recipe.RATE, "logreg", 1e-2)
    model = recipe.train_onsets("logreg", songs[1:], seed=0)
    times, heights = scoring.peaks(model.predict(songs[0].recording.features)[3])
    true = songs[0].recording.times(3)
    times, heights = recipe.within(times, heights, true)
    right = scoring.hits(times, heights, true)
    assert scoring.average_precision(heights, right, len(true)) > 0.9


def test_a_run_goes_on_where_it_stopped(songs, monkeypatch, tmp_path):
    trained = []

    def train(name, rest, seed, folder):
        trained.append([song.recording.name for song in rest])
        return lambda song: [(song.recording.times(3), np.linspace(0.1, 0.9, 40)[:0])] * LEVELS

    monkeypatch.setattr(recipe, "trained", train)
    monkeypatch.setattr(recipe, "thresholds", lambda *arguments: np.zeros(LEVELS))
    recipe.folds(tmp_path, "cnn", None, 0)
    names = [song.recording.name for song in songs]
    assert trained == [[name for name in names if name != left] for left in names]
    (tmp_path / "cnn" / f"{names[1]}.npz").unlink()
    recipe.folds(tmp_path, "cnn", None, 0)
    assert trained[len(names) :] == [trained[1]]


def test_thresholds_are_of_songs_alike_and_missing_where_there_is_no_chart(songs):
    found = []
    for song in songs:
        true = song.recording.times(3)
        found.append([(true, np.full(len(true), 0.7))] * LEVELS)
    limits = recipe.thresholds(songs, found, "guitar")
    assert np.isnan(limits[[0, 1, 2, 4]]).all()
    assert limits[3] == 0.7


def test_stretches_are_parts_of_the_whole(songs):
    whole = songs[0].heard
    part = recipe.stretch(whole, 10 * SLOTS, 20 * SLOTS)
    first = int(whole.places[10 * SLOTS]) - 20
    torch.testing.assert_close(part.places + first, whole.places[10 * SLOTS : 20 * SLOTS])
    torch.testing.assert_close(part.sounds, whole.sounds[first : first + len(part.sounds)])


def test_a_song_without_audio_is_refused():
    with pytest.raises(InputError, match="needs its audio"):
        recording(beaten(0).song, "pad")
