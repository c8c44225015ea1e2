"""Settings for all tests."""

from hypothesis import HealthCheck, settings

# A busy machine must not turn a true claim red: no limit on the time of a single example.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
