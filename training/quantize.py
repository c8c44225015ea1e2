"""Turn trained weights into the network that the package ships, which counts in whole numbers.

Its convolutions are written over planes, each stacked with its neighbours, because ONNX Runtime
knows convolutions of 8-bit integers well in two dimensions alone: a third of the time that 32-bit
ones take. Weights have 7 bits, so that processors without VNNI, whose sums of 8-bit products
saturate, score alike.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval
from train import MassNetwork, seed_balls

CALIBRATION_BLOCKS = 40  # one of each of so many shards, to learn how large features grow
QUANTIZED = ["Conv", "Concat", "MaxPool", "Pad", "Relu", "Reshape", "Resize", "Slice", "Unsqueeze"]
LAST = "/scores/Conv"  # stays in 32 bits: its results are scores


class PlaneConvolution(nn.Module):
    """A convolution of voxels as one of planes [z, channel, y, x], stacked with neighbours."""

    def __init__(self, convolution: nn.Conv3d, norm: nn.Module | None, *, relu: bool) -> None:
        super().__init__()
        if norm is not None:
            convolution = fuse_conv_bn_eval(convolution, norm)
        outputs, inputs, self.depth, *across = convolution.weight.shape
        self.stride, self.padding, self.relu = convolution.stride[0], convolution.padding[0], relu
        self.planes = nn.Conv2d(
            inputs * self.depth, outputs, tuple(across), self.stride, self.padding
        )
        stacked = convolution.weight.permute(0, 2, 1, 3, 4).flatten(1, 2)
        self.planes.weight.data, self.planes.bias.data = stacked.data, convolution.bias.data

    def forward(self, value: Tensor) -> Tensor:
        """Planes [z, channel, y, x] in and out."""
        if self.depth > 1:
            padded = functional.pad(value, (0, 0, 0, 0, 0, 0, self.padding, self.padding))
            ends = (k - self.depth + 1 or None for k in range(self.depth))
            value = torch.cat([padded[k : end : self.stride] for k, end in enumerate(ends)], 1)
        value = self.planes(value)
        return functional.relu(value) if self.relu else value


def in_planes(layers: nn.Sequential) -> nn.Sequential:
    """Convolutions, each followed by its norm and ReLU."""
    pairs = zip(layers[::3], layers[1::3], strict=True)
    return nn.Sequential(*(PlaneConvolution(a, b, relu=True) for a, b in pairs))


def halved(value: Tensor) -> Tensor:
    """The greatest of each two voxels along each axis, planes [z, channel, y, x]."""
    flat = functional.max_pool2d(value, 2)
    depth, *plane = flat.shape
    pairs = flat.reshape(depth // 2, 1, 2, -1)
    return functional.max_pool2d(pairs, (2, 1)).reshape(depth // 2, *plane)


def doubled(value: Tensor) -> Tensor:
    """Each voxel twice along each axis."""
    value = functional.interpolate(value, scale_factor=2.0, mode="nearest")
    return torch.stack([value, value], 1).flatten(0, 1)


class PlaneNetwork(nn.Module):
    """A trained `MassNetwork` over planes, which gives shares of 255 instead of class scores."""

    def __init__(self, trained: MassNetwork) -> None:
        super().__init__()
        self.stem, self.first = in_planes(trained.stem), in_planes(trained.first)
        self.down = nn.ModuleList(in_planes(stage) for stage in trained.down)
        self.squeeze = nn.ModuleList(
            PlaneConvolution(one, None, relu=False) for one in trained.squeeze
        )
        self.up = nn.ModuleList(in_planes(stage) for stage in trained.up)
        gather, _, give_back = trained.head
        self.head = PlaneConvolution(gather, None, relu=True)
        weight = give_back.weight  # [in, class, 2, 2, 2]
        self.scores = nn.Conv2d(len(weight), weight[0].numel(), 1)
        self.scores.weight.data = weight.data.flatten(1).T[..., None, None].contiguous()
        self.scores.bias.data = give_back.bias.data.repeat_interleave(8)

    def forward(self, hu: Tensor, seed: Tensor) -> Tensor:
        """Hounsfield units (int16), seed balls (uint8) [z, y, x] to mass and bone [2, z, y, x]."""
        hu, seed = hu.float()[:, None], seed.float()[:, None]
        soft, dense, watery = hu.clamp(-200, 300), hu.clamp(0, 2000), hu.clamp(-40, 100)
        cells = self.stem(torch.cat([soft / 250, dense / 800, seed, watery / 50], 1))
        features = [self.first(cells)]
        for down in self.down:
            features.append(down(halved(features[-1])))
        value = features.pop()
        for squeeze, up in zip(reversed(self.squeeze), reversed(self.up), strict=True):
            value = up(torch.cat([doubled(squeeze(value)), features.pop()], 1))
        scores = self.scores(self.head(torch.cat([value, cells], 1)))
        depth, _, height, width = scores.shape
        parts = scores.reshape(depth, 3, 8, height, width)
        powers = (parts - parts.amax(1, keepdim=True)).exp()
        shares = 255 * powers[:, 1:] / powers.sum(1, keepdim=True)
        eighths = shares.round().to(torch.uint8).reshape(depth, 16, height, width)
        halves = functional.pixel_shuffle(eighths, 2)  # two classes, two planes each
        halves = halves.reshape(depth, 2, 2, 2 * height, 2 * width)
        return halves.transpose(0, 1).reshape(2, 2 * depth, 2 * height, 2 * width)


class Blocks(CalibrationDataReader):
    """Training blocks, for the quantisation to see how large features grow."""

    def __init__(self, pool: Path) -> None:
        shards = sorted(pool.glob("[0-9]*.npz"))
        self._shards = iter(shards[:: max(1, len(shards) // CALIBRATION_BLOCKS)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The inputs of one more block."""
        for shard in self._shards:
            data = np.load(shard)
            balls = seed_balls(data["seeds"][:1], data["hu"].shape[1:])
            return {"hu": data["hu"][0], "seed": balls[0].astype(np.uint8)}
        return None


def export(network: PlaneNetwork, target: Path) -> None:
    """Write ONNX with free block sizes (multiples of eight voxels)."""
    free = {0: "z", 1: "y", 2: "x"}
    block = torch.zeros(32, 48, 64)
    torch.onnx.export(
        network.eval(),
        (block.to(torch.int16), block.to(torch.uint8)),
        target,
        input_names=["hu", "seed"],
        output_names=["shares"],
        dynamic_axes={"hu": free, "seed": free, "shares": {i + 1: n for i, n in free.items()}},
        dynamo=False,
        opset_version=17,
    )


def main() -> None:
    """Write the network that the package ships."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("weights", type=Path, help="as train.py leaves them")
    parser.add_argument("pool", type=Path, help="shards of training blocks")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    trained = MassNetwork()
    trained.load_state_dict(torch.load(options.weights))
    with tempfile.TemporaryDirectory() as folder:
        exported, prepared = Path(folder) / "exported.onnx", Path(folder) / "prepared.onnx"
        export(PlaneNetwork(trained.eval()), exported)
        quant_pre_process(exported, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            options.output,
            Blocks(options.pool),
            quant_format=QuantFormat.QOperator,
            op_types_to_quantize=QUANTIZED,
            nodes_to_exclude=[LAST],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )


if __name__ == "__main__":
    main()
