"""The ids of the thermostat."""

from envs.entry import Argument, Entry

ENTRIES = (
    Entry(
        name="Thermostat",
        version=0,
        domain="thermostat",
        entry_point="envs.thermostat.env:ThermostatEnv",
        vector_entry_point="envs.thermostat.vector:ThermostatVectorEnv",
        backend="model of a room",
        summary="heat a room to a temperature while the weather changes",
        kwargs={"target_c": 20.0},
        arguments={"target_c": Argument(float, low=15, high=25)},
    ),
)
