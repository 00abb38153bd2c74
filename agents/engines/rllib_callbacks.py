"""Reports of finished episodes from RLlib's runners."""

from typing import Any

from ray.rllib.callbacks.callbacks import RLlibCallback

EPISODES = "finished_episodes"


class EpisodeLog(RLlibCallback):
    """Sends the summary of every finished episode to the driver.

    A summary is ``{"seed", "return", "score" or None, "actions"}``; see
    :class:`agents.engines.rllib_env.TrainingEnv` for where it comes from.
    """

    def on_episode_end(self, *, episode: Any, metrics_logger: Any, **_: Any) -> None:
        """Called by a runner for each episode; ``episode`` is a single- or multi-agent one."""
        info = episode.get_infos(-1)
        if "episode" not in info:
            # A multi-agent episode: one info an agent, each with the same summary.
            info = next(iter(info.values()))
        score = info.get("score")
        summary = {
            "seed": int(info["episode_seed"]),
            "return": float(info["episode"]["r"]),
            "score": None if score is None else float(score),
            "actions": info["episode_actions"],
        }
        metrics_logger.log_value(EPISODES, summary, reduce="item_series")
