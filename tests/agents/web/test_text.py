"""Language models as agents."""

import re

import gymnasium as gym
import pytest

from agents.loading import load_agent
from agents.web.text import TextAgent
from envs.web.commands import USAGE
from envs.web.text import AccessibilityText


def click_what_is_asked_for(prompt):
    """A model of one idea: clicks the button whose name stands in the instruction."""
    wanted = re.search(r'Instruction: .*"(.*)"', prompt)[1]
    ref = re.search(rf'\[(\d+)\] button "{re.escape(wanted)}"', prompt)[1]
    return f"The button is number {ref}.\n\nclick {ref}\n"


@pytest.fixture
def env():
    return AccessibilityText(gym.make("envs:WoB-ClickButton-v0", backend="twin", actions="text"))


def test_a_function_follows_instructions(env):
    agent = TextAgent(click_what_is_asked_for)
    for seed in range(5):
        agent.reset(seed)
        text, info = env.reset(seed=seed)
        *_, terminated, _, info = env.step(agent.act(text, info))
        assert terminated
        assert info["is_success"]
        [turn] = agent.transcript
        assert turn.prompt.startswith(USAGE)
        assert text in turn.prompt
        assert "The button is number" in turn.answer


def test_the_prompt_gives_the_reason_why_the_last_command_failed(env):
    agent = TextAgent(lambda prompt: "fly 3")
    text, info = env.reset(seed=0)
    for _ in range(2):
        text, *_, info = env.step(agent.act(text, info))
    assert "failed" not in agent.transcript[0].prompt
    assert "The last command failed: 'fly' is no command" in agent.transcript[1].prompt


def test_silence_is_no_command(env):
    assert TextAgent(lambda prompt: " \n").act("", {}) == ""
    *_, info = (env.reset(seed=0), env.step(""))[1]
    assert "error" in info


def test_it_is_an_agent_that_can_be_loaded(env):
    agent = load_agent("tests.agents.web.test_text:silent", env)
    assert isinstance(agent, TextAgent)


def silent(env):
    return TextAgent(lambda prompt: "")
