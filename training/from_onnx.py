"""Weights to go on training from, read off an exported network and widened where the new one is.

The wider or deeper network computes just what the exported one did: new channels feed nothing yet,
and a new level hands on what it is given. Batch norms, which an export folds into the convolutions,
are given back with the statistics that the layers have on training blocks.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from train import MassNetwork, seed_balls

Folded = dict[str, tuple[Tensor, Tensor]]  # weight and bias by the name of the convolution


def folded_convolutions(path: Path) -> Folded:
    """The convolutions of an exported network by their names in `MassNetwork`."""
    graph = onnx.load(path).graph
    arrays = {a.name: torch.from_numpy(numpy_helper.to_array(a).copy()) for a in graph.initializer}
    result = {}
    for node in graph.node:
        if node.op_type == "Conv":
            name = node.output[0].strip("/").removesuffix("/Conv_output_0").rpartition("/")[2]
            result[name] = arrays[node.input[1]], arrays[node.input[2]]
        elif node.op_type == "ConvTranspose":
            result["head.2"] = arrays[node.input[1]], arrays[node.input[2]]
    return result


def convolutions(network: MassNetwork) -> Iterator[tuple[str, nn.Module, nn.BatchNorm3d | None]]:
    """Each convolution with its name and the batch norm that follows it."""
    modules = dict(network.named_modules())
    for name, module in modules.items():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            path, _, number = name.rpartition(".")
            after = modules.get(f"{path}.{int(number) + 1}")
            yield name, module, after if isinstance(after, nn.BatchNorm3d) else None


def take_over(network: MassNetwork, folded: Folded) -> None:
    """Put the old weights into the first channels; the new ones feed nothing that is old."""
    for name, convolution, norm in convolutions(network):
        if name not in folded:
            if name.startswith("up."):
                _hand_on(convolution, norm)
            continue
        weight, bias = folded[name]
        if isinstance(convolution, nn.ConvTranspose3d):
            convolution.weight.data, convolution.bias.data = weight, bias
            continue
        parts = 2 if name.startswith("up.") or name == "head.0" else 1  # joined inputs
        outputs = len(weight)
        convolution.weight.data[:outputs] = 0
        old_start = new_start = 0
        for old, new in _inputs(network, name, weight.shape[1], parts):
            target = convolution.weight.data[:outputs, new_start : new_start + old]
            target[:] = weight[:, old_start : old_start + old]
            old_start, new_start = old_start + old, new_start + new
        if norm is None:
            convolution.bias.data[:outputs] = bias
        else:
            _as_bias(norm, bias)


def _inputs(network: MassNetwork, name: str, old: int, parts: int) -> list[tuple[int, int]]:
    """Old and new widths of the inputs that a convolution joins."""
    new = dict(network.named_modules())[name].in_channels
    if name == "head.0":  # first stage and stem
        stem = network.stem[0].out_channels
        return [(old - stem, new - stem), (stem, stem)]
    return [(old // parts, new // parts)] * parts


def _as_bias(norm: nn.BatchNorm3d, bias: Tensor) -> None:
    """Let the first channels of a batch norm add a bias and do nothing else."""
    count = len(bias)
    norm.bias.data[:count] = bias
    norm.running_var[:count] = 1 - norm.eps


def _hand_on(convolution: nn.Conv3d, norm: nn.BatchNorm3d) -> None:
    """Let the convolution of a new level give back the features beside it."""
    width = convolution.out_channels
    convolution.weight.data.zero_()
    for channel in range(width):
        convolution.weight.data[channel, width + channel, 1, 1, 1] = 1
    _as_bias(norm, torch.zeros(width))


@torch.no_grad()
def give_statistics(network: MassNetwork, pool: Path, shards: int) -> None:
    """Give batch norms the mean and spread of what they see, and keep what they compute."""
    norms = [norm for *_, norm in convolutions(network) if norm]
    sums = {norm: [0.0, 0.0, 0.0] for norm in norms}

    def watch(norm: nn.Module, inputs: tuple[Tensor], _output: Tensor) -> None:
        total = sums[norm]
        total[0] += 1
        total[1] = total[1] + inputs[0].mean((0, 2, 3, 4))
        total[2] = total[2] + (inputs[0] ** 2).mean((0, 2, 3, 4))

    hooks = [norm.register_forward_hook(watch) for norm in norms]
    network.eval()
    for shard in sorted(pool.glob("[0-9]*.npz"))[:shards]:
        data = np.load(shard)
        balls = seed_balls(data["seeds"], data["hu"].shape[1:])
        arrays = (data["hu"], balls)
        hu, seed = (torch.from_numpy(a[:8].astype(np.float32))[:, None] for a in arrays)
        network(hu, seed)
    for hook in hooks:
        hook.remove()
    for norm, (count, total, squares) in sums.items():
        mean = total / count
        variance = (squares / count - mean**2).clamp_min(1e-6)
        kept = norm.running_var != 1  # new channels have no past to keep
        norm.weight.data[kept] = torch.sqrt(variance + norm.eps)[kept]
        norm.bias.data[kept] += mean[kept]
        norm.running_mean[:], norm.running_var[:] = mean, variance


def main() -> None:
    """Write weights for `train.py --start`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", type=Path, help="exported, as the package ships it")
    parser.add_argument("pool", type=Path, help="shards of training blocks")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    torch.manual_seed(1)
    network = MassNetwork()
    take_over(network, folded_convolutions(options.network))
    give_statistics(network, options.pool, shards=6)
    torch.save(network.state_dict(), options.output)


if __name__ == "__main__":
    main()
