"""Where the checkout's folders are, whichever folder the harness is called from."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
PUBLISHED = ROOT / "results" / "published.yaml"
RAW = ROOT / "datasets" / "raw"
