"""From raw files to arrays that a model can be fitted on: sources, recipes, splits, noise, synthetic data."""
