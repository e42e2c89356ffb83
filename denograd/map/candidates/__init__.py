"""Steps towards the truth that `denograd.map.posterior` weighs, and how they are weighed."""
