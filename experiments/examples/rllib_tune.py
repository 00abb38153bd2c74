"""RLlib's PPO and Ray Tune over learning rates: ``python -m experiments.examples.rllib_tune``."""

import logging
import os
import tempfile

import ray
from ray import tune
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from agents.policies.rllib_module import MaskedActorCritic
from hardware_sim.commands import run

ID = "envs:AdaptiveSoftmax-v0"  # the prefix lets worker processes find it
RETURN, STEPS = "env_runners/episode_return_mean", "num_env_steps_sampled_lifetime"


def main(steps: int = 16_000) -> None:
    """Trains with two learning rates at the same time and prints their mean returns."""
    config = (
        PPOConfig()
        .environment(ID)
        # RLlib has no network of its own for a Dict; this module encodes each entry and applies
        # the mask. Without masks the connector FlattenObservations does for RLlib's own networks.
        .rl_module(rl_module_spec=RLModuleSpec(module_class=MaskedActorCritic))
        .env_runners(num_env_runners=0, num_envs_per_env_runner=8)
        .learners(num_learners=0)
        .training(
            lr=tune.grid_search([3e-4, 3e-3]),
            gamma=1.0,
            lambda_=1.0,
            train_batch_size_per_learner=min(1024, steps),
            minibatch_size=min(256, steps),
            num_epochs=4,
        )
        .debugging(seed=0, log_level="ERROR")
    )
    with tempfile.TemporaryDirectory() as folder:
        results = tune.Tuner(
            config.algo_class,
            param_space=config,
            run_config=tune.RunConfig(stop={STEPS: steps}, storage_path=folder, verbose=0),
        ).fit()
        for result in results:
            assert result.metrics is not None
            found = result.metrics["env_runners"]["episode_return_mean"]
            print(f"return {found:.3f} with learning rate {result.metrics['config']['lr']}")
        best = results.get_best_result(metric=RETURN, mode="max")
        print(f"best learning rate: {best.config['lr']}")


if __name__ == "__main__":
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(address="local", include_dashboard=False, log_to_driver=False, num_cpus=2)
    logging.getLogger("ray").setLevel(logging.ERROR)
    run(main)
