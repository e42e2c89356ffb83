"""The update rules by name: the three published ones, and the door to `map`."""

from denograd.rules.registry import RULES, RuleName

__all__ = ["RULES", "RuleName"]
