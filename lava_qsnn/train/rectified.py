"""A network of rectified linear units with real weights, to teach a spiking one; nothing of it can be deployed."""

from __future__ import annotations

from collections.abc import Sequence

from lava_qsnn.extras import extra
from lava_qsnn.train.layers import parse_layer

with extra("train"):
    import torch
    from torch import Tensor, nn


class Rectified(nn.Module):
    """A list of layers with rectified linear units, batch norms, and windows of which the largest value is taken.

        a = max(0, norm(W * x)), with x the mean of the frames over time for the first layer

    Args:
        layers: see lava_qsnn.train.layers.
        input_shape: (C, H, W) or (C,).
        input_bits: of the input, whose values become at most 1.
        outputs: classes.
    """

    def __init__(self, layers: Sequence[str], input_shape: tuple[int, ...], input_bits: int, outputs: int) -> None:
        super().__init__()
        self.largest = 2**input_bits - 1
        parts, shape = list[nn.Module](), input_shape
        for text in map(parse_layer, layers):
            after = text.output_shape(shape)
            if text.kind == "pool":
                parts.append(nn.MaxPool2d(text.number))
            elif text.kind == "conv":
                conv = nn.Conv2d(shape[0], text.number, text.kernel, text.stride, text.kernel // 2, bias=False)
                conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)  # faster
                parts += [conv, nn.BatchNorm2d(text.number), nn.ReLU()]
            else:
                sizes = torch.Size(shape).numel(), text.number
                parts += [nn.Flatten(), nn.Linear(*sizes, bias=False), nn.BatchNorm1d(text.number), nn.ReLU()]
            shape = after
        self.parts = nn.Sequential(*parts, nn.Flatten(), nn.Linear(torch.Size(shape).numel(), outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Logits: float (N, C, [H, W,] T) to (N, classes, T), the same in every time step."""
        frame = x.mean(-1) / self.largest
        if frame.dim() == 4:
            frame = frame.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.parts(frame)
        return logits.unsqueeze(-1).expand(-1, -1, x.shape[-1])
