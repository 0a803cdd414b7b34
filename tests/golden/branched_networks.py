"""Small networks with branches, each with a forward of its own, for make_golden.py."""

from __future__ import annotations

from typing import Callable, Dict, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Forward(nn.Module):
    """Layers and a function of them: what a user's module with its own forward is."""

    def __init__(self, function: Callable[..., Tensor], **parts: object) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def conv(inputs: int, outputs: int, taps: int, **options: object) -> nn.Conv1d:
    return nn.Conv1d(inputs, outputs, taps, **options)


def up(inputs: int, outputs: int, taps: int, **options: object) -> nn.ConvTranspose1d:
    return nn.ConvTranspose1d(inputs, outputs, taps, **options)


def constant(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.rand(*shape) + 0.5)


def unet() -> nn.Module:
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        a = F.relu(m.enter(x))
        b = F.relu(m.down(a))
        c = F.relu(m.deeper(b))
        c = torch.cat([F.relu(m.up(c + m.middle(c))), b], 1)
        return m.leave(torch.cat([m.upper(c), a], 1))

    return Forward(forward, enter=conv(1, 4, 5, padding=2), down=conv(4, 6, 4, stride=2, padding=1),
                   deeper=conv(6, 6, 4, stride=2, padding=1), middle=conv(6, 6, 3, padding=1),
                   up=up(6, 5, 4, stride=2, padding=1), upper=up(11, 4, 2, stride=2), leave=conv(8, 1, 3, padding=1))


def wavenet(causal: bool) -> nn.Module:
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        x, total = m.enter(x), 0
        for i in range(3):
            y = F.pad(x, (2 << i, 0)) if causal else F.pad(x, (1 << i, 1 << i))
            a, b = (m.layers[i](y)).chunk(2, 1)
            y = torch.tanh(a) * torch.sigmoid(b)
            total = total + m.skips[i](y)
            x = (x + m.mixes[i](y)) * 0.5 ** 0.5
        return m.leave(F.relu(total)) + x.mean(1, keepdim=True)

    return Forward(forward, enter=conv(1, 4, 1), layers=nn.ModuleList(conv(4, 8, 3, dilation=1 << i) for i in range(3)),
                   skips=nn.ModuleList(conv(4, 3, 1) for _ in range(3)), mixes=nn.ModuleList(conv(4, 4, 1) for _ in range(3)),
                   leave=conv(3, 1, 1))


def conditioned() -> nn.Module:
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        sound, condition = x[:, :2], x[:, 2:]
        y = m.filter(sound) * m.scale(condition) + m.shift(condition)
        return F.glu(y, 1)

    return Forward(forward, filter=conv(2, 6, 4, padding=2), scale=conv(3, 6, 2, padding=1), shift=conv(3, 6, 6, padding=3))


def chosen() -> nn.Module:
    """Comparisons, choices and functions of two signals."""
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        a, b = x.chunk(2, 1)
        y = torch.where(a > b, torch.atan2(a, b), b.abs() ** (2 * a)) + (a >= b.roll(1, 1)).to(a.dtype)
        return torch.where(y == a, y, y % (b.abs() + 0.5))

    return Forward(forward)


def padded() -> nn.Module:
    """Up to a multiple at the end, mirrored, and cut again."""
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        length = x.shape[-1]
        y = m.down(F.pad(F.pad(x, (0, -length % 4), mode="reflect"), (2, 1), mode="reflect"))
        y = F.interpolate(m.up(y), scale_factor=2, mode="linear", align_corners=False)
        return y[..., :length]

    return Forward(forward, down=conv(1, 2, 7, stride=4), up=up(2, 1, 4, stride=2, padding=1))


NETWORKS: Dict[str, Tuple[Callable[[], nn.Module], int, int, int]] = {
    # name: (factory, channels, frames, batch)
    "unet": (unet, 1, 40, 2),
    "wavenet_causal": (lambda: wavenet(True), 1, 40, 2),
    "wavenet_lookahead": (lambda: wavenet(False), 1, 40, 1),
    "conditioned": (conditioned, 5, 23, 2),
    "residual_of_two_delays": (lambda: Forward(lambda m, x: x + m.a(x) + m.b(x), a=conv(3, 3, 5, padding=2),
                                               b=conv(3, 3, 9, padding=4)), 3, 30, 2),
    "one_frame": (lambda: Forward(lambda m, x: x + m.a(x) * m.b(x), a=conv(3, 3, 5, padding=2), b=conv(3, 3, 3, padding=1)), 3, 1, 1),
    "cropped": (lambda: Forward(lambda m, x: m.a(x) - x[..., 1:-2] * x[..., 3:], a=conv(2, 2, 4)), 2, 25, 2),
    "cropped_by_size": (lambda: Forward(lambda m, x: m.a(x) + x[..., -m.a(x).size(-1):], a=conv(2, 2, 6)), 2, 25, 1),
    "difference_of_frames": (lambda: Forward(lambda m, x: (x[..., 1:] - x[..., :-1]).abs()), 2, 25, 1),
    "replicated": (lambda: Forward(lambda m, x: x - m.a(F.pad(x, (4, 2), mode="replicate")), a=conv(2, 2, 7)), 2, 20, 2),
    "constant_pad": (lambda: Forward(lambda m, x: torch.maximum(x, m.a(F.pad(x, (3, 1), value=0.5))), a=conv(2, 2, 5)), 2, 20, 2),
    "minimum": (lambda: Forward(lambda m, x: torch.minimum(m.a(x), m.b(x)), a=conv(2, 3, 3, padding=1), b=conv(2, 3, 1)), 2, 20, 2),
    "quotient": (lambda: Forward(lambda m, x: m.a(x) / (m.b(x) ** 2 + 1), a=conv(2, 3, 3, padding=1), b=conv(2, 3, 5, padding=2)),
                 2, 20, 1),
    "constants": (lambda: Forward(lambda m, x: (1 - x * m.c) / m.d + 2 / (x + 3) - m.c, c=constant(3, 1), d=constant(1, 3, 1)), 3, 9, 2),
    "gate_of_one_channel": (lambda: Forward(lambda m, x: x * torch.sigmoid(m.a(x)), a=conv(17, 1, 3, padding=1)), 17, 11, 2),
    "strided_branches": (lambda: Forward(lambda m, x: torch.cat([m.a(x), m.b(x), F.max_pool1d(x, 2)], 1),
                                         a=conv(2, 3, 4, stride=2, padding=1), b=conv(2, 3, 2, stride=2)), 2, 24, 2),
    "down_and_up_by_three": (lambda: Forward(lambda m, x: x + m.up(F.elu(m.down(x))), down=conv(2, 4, 5, stride=3, padding=1),
                                             up=up(4, 2, 5, stride=3, padding=1)), 2, 30, 2),
    "up_and_down": (lambda: Forward(lambda m, x: x * m.down(m.up(x)), up=up(2, 3, 4, stride=2, padding=1),
                                    down=conv(3, 2, 4, stride=2, padding=1)), 2, 17, 2),
    "nearest": (lambda: Forward(lambda m, x: F.interpolate(m.a(x), scale_factor=2) + m.up(x), a=conv(2, 3, 3, padding=1),
                                up=up(2, 3, 4, stride=2, padding=1)), 2, 11, 2),
    "decimated": (lambda: Forward(lambda m, x: m.a(x)[..., ::2] + F.avg_pool1d(x, 2), a=conv(2, 2, 3, padding=1)), 2, 22, 2),
    "dense": (lambda: Forward(lambda m, x: m.c(torch.cat([x, m.a(x), m.b(torch.cat([x, m.a(x)], 1))], 1)),
                              a=conv(2, 3, 3, padding=1), b=conv(5, 4, 3, padding=1), c=conv(9, 2, 1)), 2, 19, 2),
    "squeeze": (lambda: Forward(lambda m, x: x * torch.sigmoid(m.b(F.relu(m.a(x.mean(1, keepdim=True))))), a=conv(1, 4, 3, padding=1),
                                b=conv(4, 6, 1)), 6, 19, 1),
    "channels_last": (lambda: Forward(lambda m, x: x + m.fc(F.gelu(m.norm(x.transpose(1, 2)))).transpose(1, 2),
                                      norm=nn.LayerNorm(5), fc=nn.Linear(5, 5)), 5, 12, 2),
    "softmax_gates": (lambda: Forward(lambda m, x: (m.a(x).softmax(1) * x).sum(1, keepdim=True), a=conv(4, 4, 3, padding=1)), 4, 12, 2),
    "snake_by_hand": (lambda: Forward(lambda m, x: x + torch.sin(m.alpha * x) ** 2 / m.alpha, alpha=constant(1, 3, 1)), 3, 12, 2),
    "twice_the_same_layer": (lambda: Forward(lambda m, x: m.a(m.a(x)) + x, a=conv(3, 3, 3, padding=1)), 3, 12, 2),
    "chosen": (chosen, 4, 11, 2), "padded": (padded, 1, 14, 2),
}


# --- what remembers -------------------------------------------------------------------------------------------------


def enhancer() -> nn.Module:
    """A convolution, two recurrent layers and a mask."""
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        y, _ = m.gru(F.relu(m.enter(x)).transpose(1, 2))
        return x * torch.sigmoid(m.leave(y)).transpose(1, 2)

    return Forward(forward, enter=conv(2, 3, 3, padding=1), gru=nn.GRU(3, 4, 2, batch_first=True), leave=nn.Linear(4, 2))


def learned_start() -> nn.Module:
    """States to begin with that were trained, at half the rate."""
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        y = m.down(x).permute(2, 0, 1)
        states = m.h0.expand(-1, x.shape[0], -1), m.c0.repeat(1, x.shape[0], 1)
        return m.up(m.lstm(y, states)[0].permute(1, 2, 0))

    return Forward(forward, down=conv(1, 3, 4, stride=2, padding=1), lstm=nn.LSTM(3, 4, 2, proj_size=2), up=up(2, 1, 2, stride=2),
                   h0=nn.Parameter(torch.rand(2, 1, 2) * 2 - 1), c0=nn.Parameter(torch.rand(2, 1, 4) * 2 - 1))


def branches() -> nn.Module:
    """Recurrent layers side by side, and one that corrects what goes past it."""
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        both = torch.cat([m.slow(x.mT)[0], m.quick(x.mT)[0].tanh()], -1).mT
        return m.mix(m.later(x) + both) + m.correct(x.mT, x.new_zeros(1, x.size(0), 2))[0].mT

    return Forward(forward, slow=nn.GRU(2, 3, batch_first=True), quick=nn.RNN(2, 2, batch_first=True), later=conv(2, 5, 3, padding=1),
                   mix=conv(5, 2, 1), correct=nn.GRU(2, 2, batch_first=True))


# name: (factory, channels, frames, batch)
RECURRENT_NETWORKS: Dict[str, Tuple[Callable[[], nn.Module], int, int, int]] = {
    "enhancer": (enhancer, 2, 17, 2), "learned_start": (learned_start, 1, 18, 2), "branches": (branches, 2, 13, 2),
}


# --- over windows ---------------------------------------------------------------------------------------------------


def squeeze_excitation() -> nn.Module:
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        x = F.relu(m.norm(m.enter(x)))
        gate = torch.sigmoid(m.up(F.relu(m.down(x.mean(-1)))))
        return x * gate.unsqueeze(-1)

    return Forward(forward, enter=conv(2, 6, 3, padding=1), norm=nn.GroupNorm(2, 6), down=nn.Linear(6, 2), up=nn.Linear(2, 6))


def attentive_pooling() -> nn.Module:
    """A mean and a spread over time, weighted by a softmax over time."""
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        weights = torch.softmax(m.score(torch.tanh(x)), dim=-1)
        mean = (x * weights).sum(-1)
        spread = ((x * x * weights).sum(-1) - mean ** 2).clamp(min=1e-4).sqrt()
        return m.leave(torch.cat([mean, spread, x.amax(-1)], 1))

    return Forward(forward, score=conv(3, 1, 1), leave=nn.Linear(9, 4))


def mixer() -> nn.Module:
    """Layers over time and over channels in turn."""
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        x = x + F.gelu(m.frames(m.norm(x.transpose(1, 2)).transpose(1, 2)))
        x = x + m.channels(x.transpose(1, 2)).transpose(1, 2)
        return x.flatten(1)

    return Forward(forward, norm=nn.LayerNorm(3), frames=nn.Linear(8, 8), channels=nn.Linear(3, 3))


def both_directions() -> nn.Module:
    """One convolution forwards and one backwards in time, joined; then the last and the first frame."""
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        both = torch.cat([m.one(x * m.hann), m.other(x.flip(-1)).flip(-1)], 1).tanh()
        return torch.cat([both[..., -1], both[:, :, 0], both.std(-1), both.mean(1)], 1)

    return Forward(forward, one=conv(2, 3, 3), other=conv(2, 3, 3), hann=nn.Parameter(torch.hann_window(8)))


def tagger() -> nn.Module:
    """Two layers in both directions; the last frame of the one and the first of the other."""
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        y, _ = m.gru(F.relu(m.enter(x)).transpose(1, 2))
        return m.leave(torch.cat([y[:, -1, :4], y[:, 0, 4:], y.mean(1)], 1))

    return Forward(forward, enter=conv(2, 3, 3, padding=1), leave=nn.Linear(16, 2),
                   gru=nn.GRU(3, 4, num_layers=2, batch_first=True, bidirectional=True))


def time_first() -> nn.Module:
    """A recurrent layer over frames and one over channels."""
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        y, (h, c) = m.lstm(x.permute(2, 0, 1))
        return m.rnn(y.permute(1, 2, 0))[0][..., -1]

    return Forward(forward, lstm=nn.LSTM(2, 5, bias=False), rnn=nn.RNN(6, 3, nonlinearity="relu", batch_first=True))


# name: the net, channels and frames of a window
WINDOW_NETWORKS: Dict[str, Tuple[Callable[[], nn.Module], int, int]] = {
    "squeeze_excitation": (squeeze_excitation, 2, 7),
    "attentive_pooling": (attentive_pooling, 3, 9),
    "mixer": (mixer, 3, 8),
    "both_directions": (both_directions, 2, 8),
    "tagger": (tagger, 2, 6),
    "time_first": (time_first, 2, 6),
}
