"""Rare frames are drawn more often, within a limit."""

from __future__ import annotations

from pathlib import Path

import torch

from lit_reenact.datamodules.balance import LIMIT, frame_weights, rarity
from lit_reenact.tracking.trackfile import load_track
from tests.factories import make_data


def test_common_points_weigh_one_and_outliers_more() -> None:
    """The points lie on a line: 30 are 0.1 apart, one is 0.3 and one 10 away from the rest."""
    points = torch.cat([torch.arange(30).double() / 10, torch.tensor([-0.3, 12.9]).double()])[:, None]
    weights = rarity(points, neighbours=2, limit=5.0)
    torch.testing.assert_close(weights[1:29], torch.ones(28).double())
    torch.testing.assert_close(
        weights[30], torch.tensor(4.0).double(), rtol=1e-6, atol=0
    )  # its second neighbour is 0.4 away, the median is 0.1
    assert weights[31] == 5


def test_a_mouth_that_opens_once_is_drawn_more_often(track_folder: Path) -> None:
    track = load_track(track_folder)
    jaw = 0.02 * torch.randn(60, generator=torch.Generator().manual_seed(0)).abs()
    jaw[[20, 40]] = 1.0
    expression = torch.zeros_like(track.parameters.expression[:60])
    expression[:, 17] = jaw
    parameters = track.parameters[:60]
    still = parameters.replace(expression=expression, rotation=parameters.rotation * 0, gaze=parameters.gaze * 0)
    weights = frame_weights(type(track)(**{**vars(track), "parameters": still}), list(range(60)))
    assert (weights[[20, 40]] == LIMIT).all()
    assert weights.median() == 1


def test_without_balance_every_frame_is_drawn_once_an_epoch(track_folder: Path) -> None:
    drawn = {}
    for balance in (False, True):
        data = make_data(track_folder, balance=balance)
        data.prepare_data()
        data.setup()
        drawn[balance] = torch.cat([batch.number for batch in data.train_dataloader()])  # 15 batches of 4
    assert sorted(drawn[False].tolist()) == list(range(60))
    assert len(drawn[True]) == 60
    assert len(set(drawn[True].tolist())) < 60
