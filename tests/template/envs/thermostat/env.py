"""Heating a room."""

from typing import Any

from envs.thermostat.core import RoomBatch
from envs.thermostat.drawing import picture, text

from envs.rows import RowEnv


class ThermostatEnv(RowEnv[RoomBatch]):
    """Keeps a room at a temperature for two days.

    ## Description

    In every hour a room loses a tenth of the difference to the weather, and the heater adds 0, 2
    or 4 kelvin. The heater may not run at full power in two hours in a row.

    ## Action Space

    `Discrete(3)`: off, half and full power for an hour.

    ## Observation Space

    | key | shape | type | meaning |
    | --- | --- | --- | --- |
    | `temperatures` | `(3,)` | float32 | inside, outside, wanted; degrees Celsius |
    | `progress` | `(1,)` | float32 | share of the two days that is over |
    | `action_mask` | `(3,)` | int8 | 1 where the action is legal |

    ## Rewards

    `info["reward"]` holds the components, which sum to the reward: `comfort`, minus the deviation
    from the target in kelvin; `energy`, minus 0.05 for each half of the power; `illegal`, -1 for an
    illegal action, which heats nothing. At the last step `info["score"]` is the mean deviation in
    kelvin (lower is better) and `info["is_success"]` is true if it is at most 1.

    ## Starting State

    A room of 10 to 25 degrees, in mild (10) or cold (-5) weather. `options={"weather": "cold"}`
    picks the weather; `info["weather"]` names it.

    ## Episode End

    Truncated after 48 hours.

    ## Arguments

    - `target_c`: the temperature to keep, 15 to 25 degrees Celsius.
    - `render_mode`: `"rgb_array"` or `"ansi"`.

    ## Version History

    - v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}
    drawings = {"rgb_array": picture, "ansi": text}

    def __init__(self, target_c: float = 20.0, render_mode: str | None = None) -> None:
        super().__init__(RoomBatch(target_c, batch=1), render_mode)
