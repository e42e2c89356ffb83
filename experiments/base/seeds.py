"""Random seeds by role: a seed is a hash of what it is for, so no draw depends on the order of the others."""

from __future__ import annotations

import hashlib


def seed_of(role: str, *axes: str | int | float) -> int:
    """Hash a role and its named axes to a seed.

    Parameters
    ----------
    role : str
        What the seed is for: ``"split"``, ``"noise"``, ``"backbone"``, ``"denoiser"``, ``"regressor"``.
    *axes : str, int or float
        What the draw depends on, such as the dataset's name and the repetition.

    Returns
    -------
    seed : int
        In ``[0, 2**31)``, a range that every library takes.

    Examples
    --------
    >>> seed_of("split", "ett", 0) == seed_of("split", "ett", 0)
    True
    >>> seed_of("split", "ett", 0) == seed_of("noise", "ett", 0)
    False
    """
    digest = hashlib.sha256("\x1f".join([role, *map(str, axes)]).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
