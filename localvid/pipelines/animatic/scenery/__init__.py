"""Scenery: light, sky, land, water, buildings and weather, painted as plates."""
