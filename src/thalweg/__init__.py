"""Thalweg: a dataflow-graph deep-learning system in pure Python, compiled to native code."""

__version__ = "0.1.0"
