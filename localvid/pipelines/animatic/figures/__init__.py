"""Figures: everyone and everything that acts, drawn in a space of its own."""
