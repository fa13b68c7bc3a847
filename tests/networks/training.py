"""How the networks are trained: plain momentum, the same in every system."""

from __future__ import annotations

RATE = 0.001
MOMENTUM = 0.9
STEPS = 3
