"""Gymnasium environments with the real thing behind them; importing this registers every id."""

from envs.registration import register_all

register_all()
