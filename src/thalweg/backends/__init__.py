"""Backends: what turns a plan into a program that runs."""
