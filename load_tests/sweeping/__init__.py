"""The parts of the sweep: points, their configurations, one run of one point, figures of a point, files and picture."""
