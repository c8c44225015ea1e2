"""What outlines the mass a reader points at: in two dimensions on films, in three on MRI."""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

LAYERS = {
    2: (nn.Conv2d, nn.BatchNorm2d, nn.ConvTranspose2d, functional.max_pool2d),
    3: (nn.Conv3d, nn.BatchNorm3d, nn.ConvTranspose3d, functional.max_pool3d),
}


class OutlineNetwork(nn.Module):
    """A U-Net on places twice as wide: a strided stem, and a head that gives all back.

    Args:
        dimensions: of the picture.
        inputs: layers of the picture.
        widths: channels, from the finest places to the coarsest.
        head: channels of the last step.
        stem: channels of the first.
    """

    def __init__(
        self,
        dimensions: Literal[2, 3],
        inputs: int,
        widths: tuple[int, ...],
        head: int,
        stem: int = 16,
    ) -> None:
        super().__init__()
        self.conv, self.norm, back, self.pool = LAYERS[dimensions]
        self.stem = nn.Sequential(
            self.conv(inputs, stem, 4, stride=2, padding=1, bias=False), self.norm(stem), nn.ReLU()
        )
        self.first = self.stage(stem, widths[0])
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(self.stage(a, b) for a, b in pairs)
        self.squeeze = nn.ModuleList(self.conv(b, a, 1) for a, b in pairs)
        self.up = nn.ModuleList(self.stage(2 * a, a) for a, _ in pairs)
        self.head = nn.Sequential(
            self.conv(widths[0] + stem, head, 1), nn.ReLU(), back(head, 1, 2, stride=2)
        )

    def stage(self, inputs: int, outputs: int) -> nn.Sequential:
        """Two convolutions, three places wide."""
        return nn.Sequential(
            self.conv(inputs, outputs, 3, padding=1, bias=False),
            self.norm(outputs),
            nn.ReLU(),
            self.conv(outputs, outputs, 3, padding=1, bias=False),
            self.norm(outputs),
            nn.ReLU(),
        )

    def forward(self, picture: Tensor) -> Tensor:
        """Layers [n, inputs, SIDE, SIDE(, SIDE)] to scores of the mass, as one layer."""
        cells = self.stem(picture)
        features = [self.first(cells)]
        for down in self.down:
            features.append(down(self.pool(features[-1], 2)))
        found = features.pop()
        for up, squeeze, skip in zip(
            reversed(self.up), reversed(self.squeeze), reversed(features), strict=True
        ):
            wide = functional.interpolate(squeeze(found), scale_factor=2.0, mode="nearest")
            found = up(torch.cat([wide, skip], 1))
        return self.head(torch.cat([found, cells], 1))
