from __future__ import annotations

import math

import pytest

from lit_reenact.evaluation.intervals import Estimate
from lit_reenact.evaluation.table import metrics_table, verdict

MODEL = {"face_l1": 9.5, "psnr": 28.0, "ssim": 0.9, "lpips": 0.1}
WORSE = {"face_l1": 10.5, "psnr": 27.0, "ssim": 0.8, "lpips": 0.2}


def without_intervals(values: dict[str, float]) -> dict[str, Estimate]:
    return {name: Estimate(value, math.nan, math.nan) for name, value in values.items()}


def test_best_is_by_value_not_by_text_and_downward_where_less_is_better() -> None:
    table = metrics_table({"model": without_intervals(MODEL), "mean frame": without_intervals(WORSE)})
    assert table.count('<td class="best">') == 4
    assert '<td class="best">9.50</td>' in table
    assert "<td>10.50</td>" in table


def test_nearest_to_its_ideal_is_best_where_neither_direction_is() -> None:
    soft, sharp, noisy = (without_intervals({"high_frequency": value}) for value in (0.4, 0.9, 1.3))
    table = metrics_table({"soft": soft, "sharp": sharp, "noisy": noisy})
    assert '<td class="best">0.90</td>' in table
    assert table.count('class="best"') == 1
    assert "→ 1" in table


def test_a_verdict_without_networks_speaks_of_the_rest() -> None:
    pixels = [{key: value for key, value in row.items() if key != "lpips"} for row in (MODEL, WORSE)]
    assert "in Face L1, PSNR and SSIM." in verdict({"model": pixels[0], "mean frame": pixels[1]}, 60)


def test_methods_are_escaped_and_metrics_that_one_lacks_are_left_out() -> None:
    table = metrics_table({"<b>": without_intervals(MODEL), "mean frame": without_intervals({"psnr": 20.0})})
    assert "&lt;b&gt;" in table
    assert "SSIM" not in table


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (WORSE, "beats every baseline in Face L1, PSNR, SSIM and LPIPS."),
        ({**WORSE, "ssim": 0.9}, "beats every baseline in Face L1, PSNR and LPIPS, but not in SSIM."),  # a tie is no win
        (
            {"face_l1": 1.0, "psnr": 40.0, "ssim": 0.99, "lpips": 0.0},
            "does not beat the best baseline in Face L1, PSNR, SSIM and LPIPS",
        ),
    ],
)
def test_the_verdict_is_honest(other: dict[str, float], words: str) -> None:
    sentence = verdict({"model": MODEL, "nearest frame": other}, 60)
    assert sentence.startswith("On 60 held-out frames the model ")
    assert words in sentence
