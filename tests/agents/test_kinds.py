"""The kinds of the shipped agents, what each receives, and that they hold no environment."""

import ast
from importlib.resources import files

import gymnasium as gym
import pytest

from agents.kinds import KINDS, given, kind_of
from agents.loading import load_agent, make_agent
from agents.tables import BASELINES
from agents.tables import KINDS as STATED
from agents.view import View
from envs.registration import ENTRIES
from experiments.evaluate import evaluate
from experiments.seeds import Seeds
from hardware_sim.errors import InputError
from hardware_sim.naming import resolve

FIRST = {entry.domain: name for name, entry in reversed(ENTRIES.items())}
"""An id of each domain."""

TWIN = {"web": {"backend": "twin"}}


@pytest.mark.parametrize(
    ("domain", "name"), [(domain, name) for domain, table in BASELINES.items() for name in table]
)
def test_every_baseline_states_the_kind_of_the_table(domain, name):
    made = resolve(BASELINES[domain][name], "agent")
    assert kind_of(made) == STATED[domain].get(name, "agent")


@pytest.mark.parametrize("domain", STATED)
def test_kinds_are_of_agents_that_there_are(domain):
    assert STATED[domain].keys() <= BASELINES[domain].keys()
    assert set(STATED[domain].values()) <= set(KINDS)


@pytest.mark.parametrize("domain", [domain for domain, table in BASELINES.items() if table])
def test_no_module_of_a_baseline_reads_an_environment(domain):
    for path in files(f"agents.{domain}").iterdir():
        if path.name.endswith(".py") and path.name != "recipe.py":  # which trains in one
            names = {
                node.attr for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Attribute)
            }  # fmt: skip
            assert not names & {"unwrapped", "core"}, path


@pytest.mark.parametrize(
    ("env_id", "agent", "kind"),
    [
        ("DevicePlacement-BERT24-v0", "heft", "planner"),
        ("ConvTuning-ResNet2-v0", "annealing", "agent"),
        ("LoopSchedule-v0", "short-annealing", "planner"),
        ("AdaptiveSoftmax-v0", "oracle", "oracle"),
        ("CompactFeature-v0", "greedy", "planner"),
        ("WoB-United-v0", "expert", "oracle"),
        ("StepSelection-v1", "rules", "planner"),
    ],
)
def test_an_honest_agent_scores_the_same_in_both_ways(env_id, agent, kind):
    kwargs = TWIN.get(ENTRIES[env_id].domain, {})
    apart, within = (
        evaluate(env_id, agent, Seeds((3, 4)), env_kwargs=kwargs, in_process=here)
        for here in (False, True)
    )
    assert apart["episodes"] == within["episodes"]
    assert apart["kind"] == within["kind"] == kind
    assert apart["evaluations"] == within["evaluations"]
    assert (apart["in_process"], within["in_process"]) == (False, True)


@pytest.mark.parametrize(
    ("env_id", "agent", "evaluations"),
    [
        ("DevicePlacement-BERT24-v0", "heft", 0),
        ("DevicePlacement-BERT24-v0", "random-search", 5_000),
        ("LoopSchedule-v0", "short-annealing", 48),
        ("AdaptiveSoftmax-v0", "random-search", 100),
        ("CompactFeature-v0", "uniform", 5),
        ("CompactFeature-v0", "oracle", None),
        ("ConvTuning-ResNet2-v0", "roofline", None),
    ],
)
def test_planners_are_charged_their_evaluations(env_id, agent, evaluations):
    result = evaluate(env_id, agent, Seeds((0,)), in_process=True)
    assert result["evaluations"] == evaluations


@pytest.mark.parametrize("domain", ["placement", "loops", "softmax", "compact", "dance"])
def test_a_problem_is_data_without_the_environment(domain):
    env = gym.make(f"envs:{FIRST[domain]}")
    env.reset(seed=0)
    problem = given("planner", env)
    assert type(problem).__dataclass_params__.frozen
    assert not any(isinstance(part, gym.Env) for part in vars(problem).values())
    env.close()


def test_what_an_environment_does_not_declare_is_one_clear_error():
    tuning = gym.make("envs:ConvTuning-ResNet2-v0")
    with pytest.raises(InputError, match="TuningBatch declares no problem to planners"):
        given("planner", tuning)
    with pytest.raises(InputError, match="declares no answer for oracles"):
        given("oracle", gym.make("CartPole-v1"))
    assert given("agent", tuning) is None


def test_an_agent_by_itself_knows_no_problem():
    env = gym.make("envs:DevicePlacement-BERT24-v0")
    alone = make_agent("heft", View.of(env))
    observation, info = env.reset(seed=0)
    alone.reset(0)
    with pytest.raises(AssertionError):
        alone.act(observation, info)
    agent = load_agent("heft", env)
    agent.reset(0)
    assert agent.act(observation, info) in env.action_space
