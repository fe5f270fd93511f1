import pytest

from tools.scaling.simulation import Sweep, Training


@pytest.mark.parametrize(("workers", "seconds"), [(1, 60), (2, 30), (4, 20), (6, 10), (100, 10)])
def test_runs_without_other_costs_go_in_rounds(workers, seconds):
    assert Sweep(run_s=10, call_s=0, start_s=0).seconds(6, workers) == pytest.approx(seconds)


def test_a_sweep_is_bound_by_its_scheduler_its_start_and_its_data():
    assert Sweep(run_s=1, call_s=1, start_s=0).seconds(100, 1000) == pytest.approx(101)
    assert Sweep(run_s=1, call_s=0, start_s=7).seconds(100, 1000) == pytest.approx(8)
    fetching = Sweep(run_s=1, call_s=0, start_s=0, data_mb=50, network_mb_s=100)
    assert fetching.seconds(10, 10) == pytest.approx(4)  # the workers that fetched first do most runs
    assert Sweep(run_s=1, call_s=0, start_s=0, spread=0.1).seconds(100, 100) > 1.1


def test_a_step_is_computed_in_parts_and_exchanged():
    alone = Training(image_s=0.1, parameters_mb=50, network_mb_s=100)
    assert alone.step_seconds(256, 1) == pytest.approx(25.6)
    assert alone.step_seconds(256, 2) == pytest.approx(12.8 + 0.5)
    assert alone.step_seconds(256, 1000) == pytest.approx(0.1 + 1, abs=0.01)  # no part is smaller than an image
    assert Training(0.1, 50, 100, spread=0.1).step_seconds(256, 10) > 1.1 * 2.6
