"""Drawings: each module takes plain numbers, titles and colours, and returns a figure, without global state."""

from experiments.report.figures.data import Refined, draw_overlay
from experiments.report.figures.style import save

__all__ = ["Refined", "draw_overlay", "save"]
