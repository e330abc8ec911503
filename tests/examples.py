"""Settings of Hypothesis for tests that must be right on a machine of any load."""

from hypothesis import HealthCheck, settings

any_load = settings(
    deadline=None,
    # The examples of a test share its fixtures: each example clears what the one before it left.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
a_few = settings(any_load, max_examples=20)
