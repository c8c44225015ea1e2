"""Settings for all tests, and the servers that several rooms need."""

import pytest
from hypothesis import HealthCheck, settings

from orthanc import running_orthanc

# A busy machine must not turn a true claim red: no limit on the time of a single example, and the
# same examples on every run. `--hypothesis-profile search` draws new ones.
PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("house", derandomize=True, **PATIENT)
settings.register_profile("search", **PATIENT)
settings.load_profile("house")

SLOW_ROOMS = {"forecast", "measure", "serve"}


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture
def orthanc(archive):
    """An empty archive; started once for all tests."""
    archive.empty()
    return archive


def pytest_collection_modifyitems(items):
    """The rooms whose tests take longest first: no process waits for another at the end."""
    items.sort(key=lambda item: item.path.parent.name not in SLOW_ROOMS)
