"""Flight-booking sites, declared as data."""
