"""Functions of text as agents, in a game of numbers."""

import re
import string

import gymnasium as gym
import pytest

from agents.algorithms.text import TextAgent
from agents.loading import load_agent
from agents.rollout import ending
from hardware_sim.errors import InputError

USAGE = "Find the number. Commands: guess N"


class Numbers(gym.Env):
    """Asks for a number from 0 to 63 in seven guesses; an observation is the bounds left."""

    observation_space = gym.spaces.Text(64, charset=string.printable)
    action_space = gym.spaces.Text(64, min_length=0, charset=string.printable)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.number, self.low, self.high = int(self.np_random.integers(64)), 0, 63
        self.guesses = 0
        return self.observe(), {}

    def observe(self):
        return f"It lies from {self.low} to {self.high}."

    def step(self, command):
        self.guesses += 1
        match = re.fullmatch(r"guess (\d+)", command)
        info, found = {}, False
        if match is None:
            info["error"] = f"{command!r} is no command"
        else:
            guess = int(match[1])
            found = guess == self.number
            self.low = max(self.low, guess + 1) if guess < self.number else self.low
            self.high = min(self.high, guess - 1) if guess > self.number else self.high
        ended = found or self.guesses == 7
        return self.observe(), float(found), found, ended and not found, info


def halve(prompt):
    low, high = map(int, re.search(r"from (\d+) to (\d+)", prompt).groups())
    return f"The middle of {low} and {high} it is.\n\nguess {(low + high) // 2}  \n\n"


def test_a_function_from_prompts_to_answers_plays_a_game():
    agent, env = TextAgent(halve, USAGE), Numbers()
    for seed in range(10):
        end = ending(env, agent, seed)
        assert end.terminated
        assert end.reward == 1
        assert len(agent.transcript) == env.guesses
        assert agent.transcript[0].prompt == f"{USAGE}\n\nIt lies from 0 to 63."
        assert agent.transcript[-1].answer.strip().endswith(end.action)


def test_the_prompt_says_why_the_last_command_failed():
    def hesitant(prompt):
        return (
            halve(prompt) if "The last command failed: 'well' is no command" in prompt else "well"
        )

    agent = TextAgent(hesitant, USAGE)
    ending(Numbers(), agent, 0)
    failed = ["failed" in turn.prompt for turn in agent.transcript]
    assert failed == [False, True, False, True, False, True, False]


@pytest.mark.parametrize(
    ("answer", "command"), [("", ""), (" \n\t\n", ""), ("guess 3", "guess 3"), ("a\n b \n", "b")]
)
def test_the_last_line_that_is_not_empty_is_the_command(answer, command):
    assert TextAgent(lambda prompt: answer, USAGE).act("It lies from 0 to 63.", {}) == command


def test_observations_that_are_no_text_are_refused():
    with pytest.raises(InputError, match="reads text; got dict"):
        TextAgent(halve, USAGE).act({"text": "It lies"}, {})


def test_it_is_an_agent_that_can_be_loaded():
    agent = load_agent("tests.agents.algorithms.test_text:halving", Numbers())
    assert isinstance(agent, TextAgent)


def halving(env):
    return TextAgent(halve, USAGE)
