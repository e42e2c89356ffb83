"""Drawings: each module takes plain numbers, titles and colours, and returns a figure, without global state."""
