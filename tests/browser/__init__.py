"""A package, unlike its neighbours: what its tests share must end before any that runs an event loop."""
