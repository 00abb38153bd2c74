"""Reference scores of dance charts."""

from typing import Any

import gymnasium as gym

from experiments.scores import mean_score

EPISODES = 50


def references(env_id: str) -> dict[str, Any]:
    """Nats a time, or F1 of times, that chance, rules and the supervised policy reach."""
    env = gym.make(f"envs:{env_id}", split="test")
    how = f"mean of {EPISODES} episodes on held-out songs"
    sources = {
        "random": "uniform over the legal rows",
        "rules": "steps where the onset critic finds them likeliest, feet that take turns",
        "cloned": "drawn from the supervised critics",
    }
    scores = {name: mean_score(env, name, EPISODES) for name in sources}
    env.close()
    table = {
        name: {"score": scores[name], "source": f"{source}, {how}"}
        for name, source in sources.items()
    }
    best = max(("rules", "cloned"), key=lambda name: scores[name])
    reference = table[best] | {"source": f"the best of the others, {best}: {table[best]['source']}"}
    unit = "F1" if env_id.startswith("StepPlacement") else "nats a time"
    return {"unit": unit, "better": "higher", "reference": reference, **table}
