"""The bands mean what they say, on patients that differ from the model."""

import importlib.util
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks/forecast_coverage.py"


def test_nine_of_ten_results_of_the_next_quarter_fall_into_the_band():
    """72 results here; benchmarks/forecast_coverage.py asks more patients."""
    spec = importlib.util.spec_from_file_location("forecast_coverage", BENCHMARK)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    found = benchmark.coverage(8, seed=11, ensemble=32)
    assert 0.80 <= found["all"] <= 0.99
    assert found["seconds"] < 20
