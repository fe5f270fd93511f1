import pytest

from d2ltl.comparison.gains import asymptote, measure_gains, slope, start


def test_start_and_asymptote():
    assert start([0.6, 0.8]) == 0.6
    assert asymptote([0.1, 0.2, 0.3, 0.7, 0.9]) == pytest.approx(0.8)  # the last 2 of 5
    assert asymptote([0.6]) == 0.6


def test_slope_is_the_way_over_the_time_it_took():
    assert slope([0.9, 0.9, 0.9], chance=0.5) == pytest.approx(0.4)  # there within 0.9 of the first epoch
    assert slope([0.6, 0.7, 0.8, 0.9, 0.9], chance=0.5) == pytest.approx(0.1)


@pytest.mark.parametrize("curve", [[0.5, 0.5, 0.5], [0.4, 0.3, 0.2]])
def test_no_way_up_has_no_slope(curve):
    assert slope(curve, chance=0.5) == 0


def test_gains_compare_run_by_run():
    gains = measure_gains([[0.8, 0.9], [0.7, 0.9]], [[0.6, 0.7], [0.6, 0.7]], chance=0.5)
    assert gains["start"].by_seed == pytest.approx([0.2, 0.1])
    assert gains["start"].mean == pytest.approx(0.15)
    assert gains["asymptote"].mean == pytest.approx(0.2)
    assert gains["slope"].mean > 0
