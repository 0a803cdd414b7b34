"""Small networks with the idioms of real repositories, exported as they are. CTest runs them."""

from __future__ import annotations

import json
import math
import sys
import unittest
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

try:
    import torch
except ImportError:
    print("skipped: this Python has no torch")
    sys.exit(77)  # CTest counts it as skipped

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

from eigenstream_export_test import Case, interpret, read_safetensors  # noqa: E402  (puts the exporter's folder on the path)
from eigenstream import ExportError, OverlapAdd, Windowed, describe, export  # noqa: E402


class IdiomCase(Case):
    def assert_exported(self, net: nn.Module, channels: Any = 1, lengths: Sequence[int] = (64, 65, 66, 67, 131),
                        **options: Any) -> Dict[str, Any]:
        """What is written gives the module's own output at each of these lengths that the module takes, in the stream, too.
        Returns the description."""
        net.eval()
        path, inputs = self.folder / "net.safetensors", channels if isinstance(channels, list) else [channels]
        export(net, path, inputs=inputs, **options)
        metadata, tensors = read_safetensors(path)
        description = json.loads(metadata["eigenstream"])["network"]
        rates, axis, taken = options.get("rates") or [1] * len(inputs), options.get("time_axis", -1), 0
        for frames in lengths:
            signals = [torch.rand(2, count, -(-frames // rate)) * 2 - 1 for count, rate in zip(inputs, rates)]
            order = {0: (2, 0, 1), 1: (0, 2, 1)}.get(axis, (0, 1, 2))
            try:
                with torch.no_grad():
                    expected = net(*(signal.permute(order).contiguous() for signal in signals))
            except (RuntimeError, AssertionError, ValueError):  # of a length that it does not take
                continue
            taken += 1
            for given in [interpret(description, tensors, signals[0], False, *signals[1:]), *self.run_tool(path, *signals).values()]:
                given = given.flatten(1, -2)
                wanted = self.as_stream(expected, given)
                self.assertEqual(given.shape, wanted.shape, frames)
                if wanted.numel():
                    self.assertLessEqual(float((given - wanted).abs().max()), 1e-5 * max(float(wanted.abs().max()), 1e-3),
                                         frames)
        self.assertGreater(taken, 0)
        return description

    @staticmethod
    def as_stream(y: Tensor, given: Tensor) -> Tensor:
        """A module's output (B, C, T), whatever the order of its axes is."""
        if y.dim() == 2:
            y = y.unsqueeze(1)
        if y.dim() > 3:
            y = y.flatten(1, -2)
        order = next((order for order in ((0, 1, 2), (0, 2, 1), (1, 2, 0))
                      if tuple(y.permute(order).shape) == tuple(given.shape)), (0, 1, 2))
        return y.permute(order)

    def assert_not_exported(self, net: nn.Module, pattern: str, channels: Any = 1, **options: Any) -> None:
        with self.assertRaisesRegex(ExportError, pattern):
            describe(net.eval(), inputs=channels if isinstance(channels, list) else [channels], **options)


def own(function: Callable[..., Any], **parts: Any) -> nn.Module:
    """A module whose forward is a function of the module and its signals."""
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, part in parts.items():
                setattr(self, name, part)

        def forward(self, *signals: Tensor) -> Any:
            return function(self, *signals)

    return Net()


# --- codecs -----------------------------------------------------------------------------------------------------------


def extra_padding(length: int, kernel: int, stride: int, total: int = 0) -> int:
    """How many frames a strided convolution lacks for a last whole window."""
    frames = (length - kernel + total) / stride + 1
    return (math.ceil(frames) - 1) * stride + (kernel - total) - length


class PaddedConv(nn.Module):
    """A convolution that pads by what it computes from the length of what comes."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1, causal: bool = True,
                 mode: str = "constant") -> None:
        super().__init__()
        self.conv = weight_norm(nn.Conv1d(inputs, outputs, kernel, stride, dilation=dilation))
        self.causal, self.mode = causal, mode

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, frames = x.shape
        kernel, stride, dilation = self.conv.kernel_size[0], self.conv.stride[0], self.conv.dilation[0]
        effective = (kernel - 1) * dilation + 1
        total = effective - stride
        extra = extra_padding(frames, effective, stride, total)
        assert batch > 0 and channels == self.conv.in_channels
        if self.causal:
            x = F.pad(x, (total, extra), self.mode)
        else:
            right = total // 2
            x = F.pad(x, (total - right, right + extra), self.mode)
        return self.conv(x)


class TrimmedTranspose(nn.Module):
    """A transposed convolution whose end is cut off."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, causal: bool = True) -> None:
        super().__init__()
        self.convtr = weight_norm(nn.ConvTranspose1d(inputs, outputs, kernel, stride))
        self.causal = causal

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.convtr.kernel_size[0], self.convtr.stride[0]
        total = kernel - stride
        y = self.convtr(x)
        right = math.ceil(total * 1.0) if self.causal else total // 2
        left = total - right
        end = y.shape[-1] - right
        return y[..., left:end]


class CodecBlock(nn.Module):
    def __init__(self, channels: int, dilation: int, true_skip: bool) -> None:
        super().__init__()
        hidden = channels // 2
        self.block = nn.Sequential(nn.ELU(), PaddedConv(channels, hidden, 3, dilation=dilation), nn.ELU(),
                                   PaddedConv(hidden, channels, 1))
        self.shortcut: nn.Module = nn.Identity() if true_skip else PaddedConv(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.block(x)


class ResidualLstm(nn.Module):
    def __init__(self, channels: int, layers: int = 2) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, channels, layers)

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(2, 0, 1)
        y, _ = self.lstm(x)
        return (y + x).permute(1, 2, 0)


class CodecEncoder(nn.Module):
    def __init__(self, ratios: Sequence[int] = (2, 4), causal: bool = True, mode: str = "constant") -> None:
        super().__init__()
        width, layers = 4, [PaddedConv(1, 4, 7, causal=causal, mode=mode)]
        for ratio in ratios:
            layers += [CodecBlock(width, 1, True), nn.ELU(), PaddedConv(width, 2 * width, 2 * ratio, ratio, causal=causal,
                                                                        mode=mode)]
            width *= 2
        self.model = nn.Sequential(*layers, ResidualLstm(width), nn.ELU(), PaddedConv(width, 6, 7, causal=causal))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class CodecDecoder(nn.Module):
    def __init__(self, ratios: Sequence[int] = (4, 2), causal: bool = True) -> None:
        super().__init__()
        width = 16
        layers: List[nn.Module] = [PaddedConv(6, width, 7, causal=causal), ResidualLstm(width, 1)]
        for ratio in ratios:
            layers += [nn.ELU(), TrimmedTranspose(width, width // 2, 2 * ratio, ratio, causal),
                       CodecBlock(width // 2, 3, False)]
            width //= 2
        self.model = nn.Sequential(*layers, nn.ELU(), PaddedConv(width, 1, 7, causal=causal))

    def forward(self, z: Tensor) -> Tensor:
        return self.model(z)


class ScriptedSnake(nn.Module):
    """The periodic activation as codecs write it: views around, a small number beside alpha."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.rand(1, channels, 1) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        shape = x.shape
        x = x.reshape(shape[0], shape[1], -1)
        x = x + (self.alpha + 1e-9).reciprocal() * torch.sin(self.alpha * x).pow(2)
        return x.reshape(shape)


class CroppedUnit(nn.Module):
    """A residual unit that crops its input where the convolutions made it shorter."""

    def __init__(self, channels: int, dilation: int, pads: bool) -> None:
        super().__init__()
        pad = ((7 - 1) * dilation) // 2 if pads else 0
        self.block = nn.Sequential(ScriptedSnake(channels), weight_norm(nn.Conv1d(channels, channels, 7, dilation=dilation,
                                                                                  padding=pad)),
                                   ScriptedSnake(channels), weight_norm(nn.Conv1d(channels, channels, 1)))

    def forward(self, x: Tensor) -> Tensor:
        y = self.block(x)
        pad = (x.shape[-1] - y.shape[-1]) // 2
        if pad > 0:
            x = x[..., pad:-pad]
        return x + y


@torch.jit.script
def scripted_gate(a: Tensor, b: Tensor, channels: int) -> Tensor:
    h = a + b
    t, s = torch.tanh(h[:, :channels, :]), torch.sigmoid(h[:, channels:, :])
    if channels > 1:
        t = torch.nn.functional.leaky_relu(t, 0.1)
    return t * s


@torch.jit.script
def scripted_snake(x: Tensor, alpha: Tensor) -> Tensor:
    shape = x.shape
    x = x.reshape(shape[0], shape[1], -1)
    x = x + (alpha + 1e-9).reciprocal() * torch.sin(alpha * x).pow(2)
    return x.reshape(shape)


class CodecTest(IdiomCase):
    def test_scripted_functions(self) -> None:
        self.assert_exported(own(lambda m, x: scripted_snake(m.conv(x), m.alpha), conv=nn.Conv1d(1, 3, 3),
                                 alpha=nn.Parameter(torch.rand(1, 3, 1) + 1)))
        self.assert_exported(own(lambda m, x: scripted_gate(m.a(x), m.b(x), 2), a=nn.Conv1d(1, 4, 3), b=nn.Conv1d(1, 4, 3)))

    def test_encoder(self) -> None:
        self.assert_exported(CodecEncoder())

    def test_encoder_that_repeats_the_edge(self) -> None:
        self.assert_exported(PaddedConv(1, 4, 7, mode="replicate"))
        self.assert_exported(nn.Sequential(PaddedConv(1, 4, 7), PaddedConv(4, 3, 4, 2), PaddedConv(3, 2, 6, 3)))

    def test_encoder_with_lookahead(self) -> None:
        self.assert_exported(CodecEncoder(causal=False))

    def test_decoder(self) -> None:
        self.assert_exported(CodecDecoder(), 6, (8, 9, 21))

    def test_decoder_with_lookahead(self) -> None:
        self.assert_exported(CodecDecoder(causal=False), 6, (8, 9, 21))

    def test_cropped_residual_units(self) -> None:
        for pads in (False, True):
            self.assert_exported(nn.Sequential(nn.Conv1d(1, 4, 7, padding=3), CroppedUnit(4, 1, pads), CroppedUnit(4, 3, pads),
                                               ScriptedSnake(4), nn.Conv1d(4, 1, 3)), 1, (80, 81, 131))

    def test_encoder_that_reflects(self) -> None:
        for causal in (True, False):
            self.assert_exported(PaddedConv(1, 4, 8, 4, causal=causal, mode="reflect"), 1, (*range(12, 18), 131))
            self.assert_exported(CodecEncoder(causal=causal, mode="reflect"))

    def test_wrapping_is_refused(self) -> None:
        self.assert_not_exported(PaddedConv(1, 2, 7, mode="circular"),
                                 r"\(PaddedConv\): the padding mode 'circular' puts the signal's end before its start, .*; use "
                                 r"zeros, replicate or reflect \(x = F.pad\(x, \(total, extra\), self.mode\)\)")

    def test_encoder_and_decoder_cut_to_the_input(self) -> None:
        class Codec(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.encoder, self.decoder = CodecEncoder(), CodecDecoder()

            def forward(self, x: Tensor) -> Tensor:
                length = x.shape[-1]
                return self.decoder(self.encoder(x))[..., :length]

        self.assert_exported(Codec(), 1, (64, 65, 71, 128))


# --- vocoders ---------------------------------------------------------------------------------------------------------


class KaiserUp(nn.Module):
    """Twice the rate, with a filter made in the constructor and one group for each channel."""

    def __init__(self, ratio: int = 2, taps: int = 12) -> None:
        super().__init__()
        self.ratio, self.stride = ratio, ratio
        self.pad = taps // ratio - 1
        self.pad_left = self.pad * self.stride + (taps - self.stride) // 2
        self.pad_right = self.pad * self.stride + (taps - self.stride + 1) // 2
        t = torch.arange(taps) - (taps - 1) / 2
        window = torch.kaiser_window(taps, periodic=False, beta=4.0)
        self.register_buffer("filter", (window * torch.sinc(t / ratio) / ratio)[None, None])

    def forward(self, x: Tensor) -> Tensor:
        _, channels, _ = x.shape
        x = F.pad(x, (self.pad, self.pad), mode="replicate")
        x = self.ratio * F.conv_transpose1d(x, self.filter.expand(channels, -1, -1), stride=self.stride, groups=channels)
        return x[..., self.pad_left:-self.pad_right]


class KaiserDown(nn.Module):
    def __init__(self, ratio: int = 2, taps: int = 12) -> None:
        super().__init__()
        self.even, self.stride = int(taps % 2 == 0), ratio
        self.left, self.right = taps // 2 - self.even, taps // 2
        t = torch.arange(taps) - (taps - 1) / 2
        self.register_buffer("filter", (torch.hann_window(taps, periodic=False) * torch.sinc(t / ratio) / ratio).view(1, 1, -1))

    def forward(self, x: Tensor) -> Tensor:
        _, channels, _ = x.shape
        x = F.pad(x, (self.left, self.right), mode="replicate")
        return F.conv1d(x, self.filter.expand(channels, -1, -1), stride=self.stride, groups=channels)


class SnakeBeta(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha, self.beta = nn.Parameter(torch.rand(channels)), nn.Parameter(torch.rand(channels))
        self.no_div_by_zero = 1e-9

    def forward(self, x: Tensor) -> Tensor:
        alpha, beta = self.alpha.unsqueeze(0).unsqueeze(-1), self.beta.unsqueeze(0).unsqueeze(-1)
        alpha, beta = torch.exp(alpha), torch.exp(beta)
        return x + (1.0 / (beta + self.no_div_by_zero)) * torch.pow(torch.sin(x * alpha), 2)


class AliasFree(nn.Module):
    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.act, self.up, self.down = activation, KaiserUp(), KaiserDown()

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.act(self.up(x)))


class AmpBlock(nn.Module):
    def __init__(self, channels: int, taps: int = 3, dilations: Sequence[int] = (1, 3)) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList([weight_norm(nn.Conv1d(channels, channels, taps, 1, dilation=d,
                                                           padding=(taps * d - d) // 2))
                                     for d in dilations])
        self.convs2 = nn.ModuleList([weight_norm(nn.Conv1d(channels, channels, taps, 1,
                                                           padding=(taps - 1) // 2)) for _ in dilations])
        self.activations = nn.ModuleList([AliasFree(SnakeBeta(channels)) for _ in range(2 * len(dilations))])

    def forward(self, x: Tensor) -> Tensor:
        acts1, acts2 = self.activations[::2], self.activations[1::2]
        for c1, c2, a1, a2 in zip(self.convs1, self.convs2, acts1, acts2):
            xt = a1(x)
            xt = c1(xt)
            xt = a2(xt)
            xt = c2(xt)
            x = xt + x
        return x


class Vocoder(nn.Module):
    """Upsampling, then the sum of several residual blocks, in a loop over two lists at once."""

    def __init__(self, block: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.num_kernels, self.num_upsamples = 2, 2
        self.conv_pre = weight_norm(nn.Conv1d(5, 8, 7, 1, padding=3))
        self.ups = nn.ModuleList([nn.ModuleList([weight_norm(nn.ConvTranspose1d(8 // 2 ** i, 8 // 2 ** (i + 1), 4, 2,
                                                                                padding=1))])
                                  for i in range(2)])
        self.resblocks = nn.ModuleList([block(8 // 2 ** (i + 1)) for i in range(2) for _ in range(2)])
        self.conv_post = weight_norm(nn.Conv1d(2, 1, 7, 1, padding=3, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_pre(x)
        for i in range(self.num_upsamples):
            for i_up in range(len(self.ups[i])):
                x = self.ups[i][i_up](x)
            xs = None
            for j in range(self.num_kernels):
                xs = self.resblocks[i * self.num_kernels + j](x) if xs is None else xs + self.resblocks[i * self.num_kernels + j](x)
            x = xs / self.num_kernels
        return torch.clamp(self.conv_post(F.leaky_relu(x)), min=-1.0, max=1.0)


class ConvNeXt(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pwconv1, self.act, self.pwconv2 = nn.Linear(channels, 3 * channels), nn.GELU(), nn.Linear(3 * channels, channels)
        self.gamma = nn.Parameter(torch.rand(channels))

    def forward(self, x: Tensor) -> Tensor:
        residual = x
        x = self.dwconv(x)
        x = x.transpose(1, 2)
        x = self.norm(x)
        x = self.pwconv2(self.act(self.pwconv1(x)))
        if self.gamma is not None:
            x = self.gamma * x
        x = x.transpose(1, 2)
        return residual + x


class GlobalResponse(nn.Module):
    """A norm over the channels of each frame, and a gain that it gives."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.rand(1, channels, 1)), nn.Parameter(torch.rand(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        energy = torch.norm(x, p=2, dim=1, keepdim=True)
        return self.gamma * (x * energy) / (energy + 1e-6) + self.beta + x


class VocoderTest(IdiomCase):
    def test_alias_free_activations(self) -> None:
        self.assert_exported(AliasFree(SnakeBeta(3)), 3)

    def test_snake_vocoder(self) -> None:
        self.assert_exported(Vocoder(AmpBlock), 5, (16, 17, 33))

    def test_plain_vocoder(self) -> None:
        class Block(nn.Module):
            def __init__(self, channels: int) -> None:
                super().__init__()
                self.convs = nn.ModuleList([weight_norm(nn.Conv1d(channels, channels, 3, dilation=d,
                                                                  padding=d)) for d in (1, 3)])

            def forward(self, x: Tensor) -> Tensor:
                for conv in self.convs:
                    xt = F.leaky_relu(x, 0.1)
                    xt = conv(xt)
                    x = xt + x
                return x

        self.assert_exported(Vocoder(Block), 5, (16, 17, 33))

    def test_next_generation_blocks(self) -> None:
        class Backbone(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.embed, self.norm = nn.Conv1d(3, 6, 7, padding=3), nn.LayerNorm(6)
                self.convnext, self.final = nn.ModuleList([ConvNeXt(6) for _ in range(2)]), nn.LayerNorm(6)
                self.out = nn.Linear(6, 4)

            def forward(self, x: Tensor, **kwargs: Any) -> Tensor:
                x = self.embed(x)
                x = self.norm(x.transpose(1, 2)).transpose(1, 2)
                for block in self.convnext:
                    x = block(x)
                return self.out(self.final(x.transpose(1, 2))).transpose(1, 2)

        self.assert_exported(Backbone(), 3)

    def test_norm_of_the_channels(self) -> None:
        self.assert_exported(nn.Sequential(nn.Conv1d(2, 5, 3), GlobalResponse(5)), 2)

    def test_repeated_frames(self) -> None:
        self.assert_exported(own(lambda m, x: m.conv(F.interpolate(x, scale_factor=4.0, mode="nearest")),
                                 conv=nn.Conv1d(2, 2, 3, padding=1)), 2)
        self.assert_exported(own(lambda m, x: m.conv(torch.repeat_interleave(x, 3, dim=2)),
                                 conv=nn.Conv1d(2, 2, 3, padding=1)), 2)

    def test_subpixel_convolution(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            batch, _, frames = x.shape
            y = m.conv(x).view(batch, 3, 4, frames)
            return y.permute(0, 1, 3, 2).reshape(batch, 3, 4 * frames)

        self.assert_exported(own(forward, conv=nn.Conv1d(2, 12, 3, padding=1)), 2)

    def test_bands(self) -> None:
        """Analysis and synthesis with filters that are made once."""
        t = torch.arange(16.0)
        bank = torch.stack([torch.cos((2 * k + 1) * math.pi / 8 * (t - 7.5)) for k in range(4)])[:, None] * torch.hann_window(16)
        net = own(lambda m, x: F.conv_transpose1d(torch.tanh(F.conv1d(F.pad(x, (15, 0)), m.bank, stride=4)), m.bank,
                                                  stride=4)[..., :-12], bank=bank)
        self.assert_exported(net, 1, (64, 68, 128))


# --- separation and enhancement -----------------------------------------------------------------------------------------


class CausalDepthwise(nn.Module):
    def __init__(self, channels: int, hidden: int, taps: int, dilation: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.padding = (taps - 1) * dilation
        self.net = nn.Sequential(nn.Conv1d(channels, hidden, 1), nn.PReLU(), norm(hidden))
        self.depthwise = nn.Conv1d(hidden, hidden, taps, dilation=dilation, padding=self.padding, groups=hidden, bias=False)
        self.tail, self.skip = nn.Sequential(nn.PReLU(), norm(hidden)), nn.Conv1d(hidden, channels, 1)
        self.res = nn.Conv1d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        y = self.depthwise(self.net(x))
        y = y[..., :-self.padding].contiguous()
        y = self.tail(y)
        return self.res(y), self.skip(y)


class ChannelwiseNorm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.rand(1, channels, 1)), nn.Parameter(torch.rand(1, channels, 1))

    def forward(self, y: Tensor) -> Tensor:
        mean = torch.mean(y, dim=1, keepdim=True)
        var = torch.var(y, dim=1, keepdim=True, unbiased=False)
        return self.gamma * (y - mean) / torch.pow(var + 1e-8, 0.5) + self.beta


class Separator(nn.Module):
    """Learned frames, masks for several speakers, and back; the output has an axis for the speakers."""

    def __init__(self, speakers: int = 2, channels: int = 6, taps: int = 8) -> None:
        super().__init__()
        self.speakers, self.channels = speakers, channels
        self.encoder = nn.Conv1d(1, channels, taps, stride=taps // 2, bias=False)
        self.bottleneck = nn.Conv1d(channels, 4, 1)
        self.blocks = nn.ModuleList([CausalDepthwise(4, 5, 3, 2 ** i, ChannelwiseNorm) for i in range(3)])
        self.mask = nn.Sequential(nn.PReLU(), nn.Conv1d(4, speakers * channels, 1))
        self.decoder = nn.ConvTranspose1d(channels, 1, taps, stride=taps // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() not in (2, 3):
            raise RuntimeError(f"{x.dim()} axes")
        x = torch.unsqueeze(x, 1) if x.dim() == 2 else x
        w = F.relu(self.encoder(x))
        y, total = self.bottleneck(w), 0.0
        for block in self.blocks:
            res, skip = block(y)
            y = y + res
            total = total + skip
        e = torch.chunk(F.relu(self.mask(total)), self.speakers, dim=1)
        out = [w * mask for mask in e]
        return torch.cat([self.decoder(each) for each in out], dim=1)


class Denoiser(nn.Module):
    """A U-Net on the waveform that pads to a length which its strides divide, and cuts that off again."""

    def __init__(self, depth: int = 2, kernel: int = 8, stride: int = 4, pads: bool = True) -> None:
        super().__init__()
        self.depth, self.kernel, self.stride, self.pads = depth, kernel, stride, pads
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        inputs, hidden = 1, 4
        for index in range(depth):
            self.encoder.append(nn.Sequential(nn.Conv1d(inputs, hidden, kernel, stride), nn.ReLU(),
                                              nn.Conv1d(hidden, 2 * hidden, 1), nn.GLU(1)))
            up = [nn.Conv1d(hidden, 2 * hidden, 1), nn.GLU(1), nn.ConvTranspose1d(hidden, inputs, kernel, stride)]
            self.decoder.insert(0, nn.Sequential(*up, *([nn.ReLU()] if index > 0 else [])))
            inputs, hidden = hidden, 2 * hidden
        self.lstm = nn.LSTM(inputs, inputs)

    def valid_length(self, length: int) -> int:
        for _ in range(self.depth):
            length = max(math.ceil((length - self.kernel) / self.stride) + 1, 1)
        for _ in range(self.depth):
            length = (length - 1) * self.stride + self.kernel
        return int(length)

    def forward(self, mix: Tensor) -> Tensor:
        if mix.dim() == 2:
            mix = mix.unsqueeze(1)
        x, length = mix, mix.shape[-1]
        if self.pads:
            x = F.pad(x, (0, self.valid_length(length) - length))
        skips = []
        for encode in self.encoder:
            x = encode(x)
            skips.append(x)
        x = x.permute(2, 0, 1)
        x, _ = self.lstm(x)
        x = x.permute(1, 2, 0)
        for decode in self.decoder:
            skip = skips.pop(-1)
            x = x + skip[..., :x.shape[-1]]
            x = decode(x)
        return x[..., :length] if self.pads else x


class SeparationTest(IdiomCase):
    def test_masks(self) -> None:
        self.assert_exported(Separator(), 1, (64, 65, 131))

    def test_masks_as_an_axis(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            w = F.relu(m.encoder(x))
            batch, channels, frames = w.size()
            score = F.softmax(m.mask(w).view(batch, 2, channels, frames), dim=1)
            source = torch.unsqueeze(w, 1) * score
            source = torch.transpose(source, 2, 3)
            return m.basis(source).transpose(2, 3).flatten(1, 2)

        self.assert_exported(own(forward, encoder=nn.Conv1d(1, 5, 8, 4, bias=False), mask=nn.Conv1d(5, 10, 1, bias=False),
                                 basis=nn.Linear(5, 3, bias=False)), 1, (64, 65, 131))

    def test_denoiser(self) -> None:
        self.assert_exported(Denoiser(pads=False), 1, (84, 100, 116))
        for depth, kernel, stride in ((2, 8, 4), (3, 8, 2), (2, 4, 2)):
            self.assert_exported(Denoiser(depth, kernel, stride), 1, range(64, 96))

    def test_recurrent_masks(self) -> None:
        class Masker(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.norm, self.rnn = nn.BatchNorm1d(5), nn.GRU(5, 6, 2, batch_first=True, dropout=0.1)
                self.fc, self.bias = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5)), nn.Parameter(torch.rand(5))

            def forward(self, spec: Tensor) -> Tensor:
                b, f, t = spec.shape
                x = self.norm(spec).permute(0, 2, 1).contiguous()
                self.rnn.flatten_parameters()
                x, _ = self.rnn(x)
                x = self.fc(x.reshape(b, t, -1)) + self.bias
                return spec * torch.sigmoid(x).transpose(1, 2)

        self.assert_exported(Masker(), 5)

    def test_step_by_step_gates(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            h = m.conv(F.pad(x, [m.conv.kernel_size[0] - 1, 0]))
            filter_, gate = torch.split(h, h.shape[1] // 2, dim=1)
            return m.out(filter_.tanh() * gate.sigmoid()) + x

        self.assert_exported(own(forward, conv=nn.Conv1d(2, 6, 4), out=nn.Conv1d(3, 2, 1)), 2)


# --- amplifiers and effects ---------------------------------------------------------------------------------------------


class AmpLayer(nn.Module):
    def __init__(self, channels: int, taps: int, dilation: int, gated: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, 2 * channels if gated else channels, taps, dilation=dilation)
        self.mixer, self.one = nn.Conv1d(1, self.conv.out_channels, 1, bias=False), nn.Conv1d(channels, channels, 1)
        self.gated, self.channels = gated, channels

    def forward(self, x: Tensor, h: Tensor, out_length: int) -> Tuple[Tensor, Tensor]:
        z = self.conv(x) + self.mixer(h)[:, :, -(x.shape[2] - self.conv.dilation[0] * (self.conv.kernel_size[0] - 1)):]
        z = torch.tanh(z[:, :self.channels]) * torch.sigmoid(z[:, self.channels:]) if self.gated else torch.tanh(z)
        return x[:, :, -z.shape[2]:] + self.one(z), z[:, :, -out_length:]


class AmpStack(nn.Module):
    """Layers without padding; what is skipped is cut from the end to what is left in the end."""

    def __init__(self, gated: bool = False, dilations: Sequence[int] = (1, 2, 4)) -> None:
        super().__init__()
        self.rechannel = nn.Conv1d(1, 3, 1, bias=False)
        self.layers = nn.ModuleList([AmpLayer(3, 3, d, gated) for d in dilations])
        self.head, self.scale = nn.Conv1d(3, 1, 1), 0.02

    @property
    def receptive_field(self) -> int:
        return 1 + sum((layer.conv.kernel_size[0] - 1) * layer.conv.dilation[0] for layer in self.layers)

    def forward(self, x: Tensor, pad_start: bool = True) -> Tensor:
        if pad_start:
            x = torch.cat((torch.zeros((len(x), x.shape[1], self.receptive_field - 1)).to(x.device), x), dim=2) if False else \
                F.pad(x, (self.receptive_field - 1, 0))
        out_length = x.shape[2] - (self.receptive_field - 1)
        y, head = self.rechannel(x), None
        for layer in self.layers:
            y, term = layer(y, x, out_length)
            head = term if head is None else head[:, :, -out_length:] + term
        return self.scale * self.head(head)


class Film(nn.Module):
    """A gain and a shift for each channel, made of knobs by a small network."""

    def __init__(self, channels: int, knobs: int) -> None:
        super().__init__()
        self.adaptor, self.norm = nn.Linear(knobs, 2 * channels), nn.BatchNorm1d(channels, affine=False)

    def forward(self, x: Tensor, knobs: Tensor) -> Tensor:
        g, b = torch.chunk(self.adaptor(knobs), 2, dim=-1)
        g, b = g.permute(0, 2, 1), b.permute(0, 2, 1)
        return self.norm(x) * g + b


class EffectTest(IdiomCase):
    def test_stacks_without_padding(self) -> None:
        for gated in (False, True):
            self.assert_exported(AmpStack(gated))

    def test_causal_convolutions(self) -> None:
        class Causal(nn.Module):
            def __init__(self, dilation: int) -> None:
                super().__init__()
                self.conv, self.cut = nn.Conv1d(2, 2, 3, padding=2 * dilation, dilation=dilation), 2 * dilation

            def forward(self, x: Tensor) -> Tensor:
                y = self.conv(x)
                return y[:, :, :-self.cut] if self.cut != 0 else y

        self.assert_exported(nn.Sequential(Causal(1), nn.PReLU(2), Causal(2), nn.PReLU(2)), 2)

    def test_cropped_from_the_centre(self) -> None:
        def centre_crop(x: Tensor, length: int) -> Tensor:
            start = (x.shape[-1] - length) // 2
            return x[..., start:start + length]

        def causal_crop(x: Tensor, length: int) -> Tensor:
            stop = x.shape[-1] - 1
            return x[..., stop - length:stop]

        for crop in (centre_crop, lambda x, length: x[..., x.shape[-1] - length:]):
            self.assert_exported(own(lambda m, x: m.act(m.conv(x)) + crop(m.res(x), x.shape[-1] - 8),
                                     conv=nn.Conv1d(1, 3, 5, dilation=2),
                                     res=nn.Conv1d(1, 3, 1), act=nn.PReLU(3)))
        self.assert_exported(own(lambda m, x: m.conv(torch.cat([torch.zeros(x.shape[0], 2, 4), x], -1)), conv=nn.Conv1d(2, 3, 5)), 2)
        net = own(lambda m, x: m.conv(torch.cat([x.new_full((x.shape[0], 2, 3), 0.5), x[..., :-1], x.new_full((x.shape[0], 2, 1), 0.5)], 2)),
                  conv=nn.Conv1d(2, 3, 5))
        self.assert_exported(net, 2)
        self.assert_not_exported(own(lambda m, x: torch.cat([x[..., :1].detach() * 0 + torch.arange(2.0)[:, None], x], -1)), "over the time", 2)
        self.assert_exported(own(lambda m, x: m.conv(x)[..., :-1] + causal_crop(x, x.shape[-1] - 9), conv=nn.Conv1d(2, 2, 9)),
                             2)

    def test_fixed_knobs(self) -> None:
        class Effect(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.film, self.act = nn.Conv1d(1, 4, 5), Film(4, 3), nn.PReLU(4)
                self.register_buffer("knobs", torch.tensor([[[0.2, 0.5, 0.8]]]))
                self.generator = nn.Sequential(nn.Linear(3, 4), nn.ReLU())

            def forward(self, x: Tensor) -> Tensor:
                knobs = self.knobs.repeat(x.shape[0], 1, 1)
                return self.act(self.film(self.conv(x), knobs)) * self.generator(knobs).transpose(1, 2)

        self.assert_exported(Effect())

    def test_lstm_with_a_skip(self) -> None:
        class Pedal(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.rec, self.lin, self.skip = nn.LSTM(1, 6, batch_first=True), nn.Linear(6, 1), 1
                self.hidden = None

            def forward(self, x: Tensor) -> Tensor:
                res = x[:, :, 0:self.skip]
                y, _ = self.rec(x, self.hidden)
                return self.lin(y) + res

        self.assert_exported(Pedal(), time_axis=1)
        self.assert_not_exported(Pedal(), r"forward fails .*say time_axis=1, or transpose it")

    def test_time_first(self) -> None:
        self.assert_exported(own(lambda m, x: m.fc(m.gru(x)[0]), gru=nn.GRU(3, 4), fc=nn.Linear(4, 2)), 3, time_axis=0)

    def test_waveshapers(self) -> None:
        for function in (
            lambda m, x: torch.sign(x) * (1 - torch.exp(-torch.abs(3 * x))), lambda m, x: torch.where(x.abs() < 0.5, x,
                                                                                                      torch.tanh(x)),
            lambda m, x: x / (1 + x.abs()), lambda m, x: torch.clamp(2.5 * x, -1,
                                                                     1) - x ** 3 / 3, lambda m, x: (x > 0) * x + (x <= 0) * 0.1 * x,
            lambda m, x: 10 ** (x / 20), lambda m, x: 20 * torch.log10(x.abs().clamp(min=1e-4)), lambda m, x: torch.maximum(x, 0.3 * x),
            lambda m, x: torch.sinh(x) / torch.cosh(x), lambda m, x: F.softplus(x, beta=3) - F.softplus(-x, beta=3),
        ):
            self.assert_exported(own(function), 2)


# --- conditioning -------------------------------------------------------------------------------------------------------


class ConditionTest(IdiomCase):
    def test_local_conditioning(self) -> None:
        class Conditioned(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.first, self.local = nn.Conv1d(1, 4, 1), nn.ModuleList([nn.Conv1d(3, 8, 1) for _ in range(2)])
                self.dilated = nn.ModuleList([nn.Conv1d(4, 8, 3, dilation=2 ** i) for i in range(2)])
                self.skips = nn.ModuleList([nn.Conv1d(4, 4, 1) for _ in range(2)])
                self.last = nn.Conv1d(4, 1, 1)

            def forward(self, x: Tensor, c: Tensor) -> Tensor:
                assert x.size(-1) == c.size(-1)
                x, skips = self.first(x), []
                for dilated, local, skip in zip(self.dilated, self.local, self.skips):
                    y = dilated(F.pad(x, (2 * dilated.dilation[0], 0))) + local(c)
                    a, b = y.chunk(2, dim=1)
                    y = torch.tanh(a) * torch.sigmoid(b)
                    skips.append(skip(y))
                    x = (x + y) * math.sqrt(0.5)
                return self.last(F.relu(sum(skips)))

        description = self.assert_exported(Conditioned(), [1, 3])
        self.assertEqual((description["in_channels"], description["more_channels"], description["more_rates"]),
                         (1, [3], [1, 1]))
        self.assertEqual(describe(Conditioned())[0]["more_channels"], [3])

    def test_conditions_at_their_own_rate(self) -> None:
        class Upsampled(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.up = nn.ConvTranspose1d(5, 3, 8, 8)
                self.conv, self.out = nn.Conv1d(4, 6, 3, padding=1), nn.Conv1d(6, 1, 1)

            def forward(self, noise: Tensor, mel: Tensor) -> Tensor:
                c = self.up(mel)
                return self.out(torch.tanh(self.conv(torch.cat([noise, c[..., :noise.shape[-1]]], dim=1))))

        for lengths in ((64, 72, 128), (65, 67, 131)):
            description = self.assert_exported(Upsampled(), [1, 5], lengths, rates=[1, 8])
            self.assertEqual((description["more_channels"], description["more_rates"]), ([5], [1, 8]))

    def test_rates_that_can_be_seen(self) -> None:
        strict = own(lambda m, x, c: m.out(torch.cat([x, m.up(c)], 1)), up=nn.ConvTranspose1d(5, 3, 12, 12),
                     out=nn.Conv1d(4, 1, 3, padding=1))
        description, _ = describe(strict.eval(), inputs=[1, 5])
        self.assertEqual(description["more_rates"], [1, 12])

    def test_knobs(self) -> None:
        """An input without time is no signal."""
        class Knobs(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.fc, self.conv = nn.Linear(3, 4), nn.Conv1d(1, 4, 3)

            def forward(self, x: Tensor, p: Tensor) -> Tensor:
                return self.conv(x) * self.fc(p)[:, :, None]

        self.assert_not_exported(Knobs(), r"forward fails .*; it runs if p has no time: say that it is a knob, inputs=\{'p': Control\(3\)\}", [1, 3])

    def test_two_streams(self) -> None:
        self.assert_exported(own(lambda m, a, b: torch.stack([m.f(a), m.g(b)], 1).sum(1), f=nn.Conv1d(2, 3, 3, padding=2),
                                 g=nn.Conv1d(1, 3, 3, padding=2)),
                             [2, 1])
        self.assert_exported(own(lambda m, a, b: a - m.f(torch.cat([a, b], 1)), f=nn.Conv1d(3, 2, 5, padding=2)), [2, 1])
        self.assert_exported(own(lambda m, a, b, c: m.f(a) * b + c, f=nn.Conv1d(1, 2, 5, padding=2)), [1, 2, 2])
        self.assert_not_exported(own(lambda m, a, b: a + 1), "does not depend on its input", [2, 1])
        self.assert_not_exported(own(lambda m, a, b: m.f(a) + m.f(b), f=nn.Conv1d(1, 2, 5)), "rates is", [1, 1], rates=[2, 1])


# --- classifiers over windows -------------------------------------------------------------------------------------------


class EcgBlock(nn.Module):
    expansion = 1

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(inputs, outputs, 7, stride, padding=3, bias=False)
        self.bn1, self.relu, self.drop = nn.BatchNorm1d(outputs), nn.ReLU(inplace=True), nn.Dropout(0.2)
        self.conv2, self.bn2 = nn.Conv1d(outputs, outputs, 7, padding=3, bias=False), nn.BatchNorm1d(outputs)
        self.downsample: Optional[nn.Module] = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv1d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm1d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        residual = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(self.drop(out)))
        if self.downsample is not None:
            residual = self.downsample(x)
        out += residual
        return self.relu(out)


class EcgNet(nn.Module):
    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv1d(2, 4, 15, stride=2, padding=7, bias=False), nn.BatchNorm1d(4),
                                  nn.ReLU(inplace=True),
                                  nn.MaxPool1d(3, stride=2, padding=1))
        self.layers = nn.Sequential(EcgBlock(4, 4, 1), EcgBlock(4, 6, 2))
        self.avgpool, self.maxpool, self.fc = nn.AdaptiveAvgPool1d(1), nn.AdaptiveMaxPool1d(1), nn.Linear(12, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(self.stem(x))
        x = torch.cat((self.avgpool(x), self.maxpool(x)), dim=1)
        x = x.view(x.size(0), -1)
        return self.fc(x)


class Attention(nn.Module):
    """Pooling with weights that a small network gives to each frame."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Conv1d(channels, 4, 1), nn.Tanh(), nn.Conv1d(4, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        w = F.softmax(self.score(x), dim=2)
        mu = torch.sum(x * w, dim=2)
        sigma = torch.sqrt((torch.sum(x ** 2 * w, dim=2) - mu ** 2).clamp(min=1e-5))
        return torch.cat((mu, sigma), dim=1)


class WindowTest(IdiomCase):
    LENGTHS = (64, 70, 131)

    def test_residual_network(self) -> None:
        self.assert_exported(Windowed(EcgNet(), 48, 16), 2, self.LENGTHS)

    def test_bidirectional(self) -> None:
        class Tagger(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.rnn = nn.Conv1d(2, 4, 3, padding=1), nn.LSTM(4, 3, batch_first=True, bidirectional=True)
                self.head = nn.Linear(6, 2)

            def forward(self, x: Tensor) -> Tensor:
                x = F.relu(self.conv(x)).permute(0, 2, 1)
                out, _ = self.rnn(x)
                out = out[:, -1, :3] + out[:, 0, 3:] if out.shape[1] < 0 else out.mean(dim=1)
                return F.log_softmax(self.head(out), dim=1)

        self.assert_exported(Windowed(Tagger(), 24, 8), 2, self.LENGTHS)

    def test_pooled_with_weights(self) -> None:
        self.assert_exported(Windowed(nn.Sequential(nn.Conv1d(2, 5, 5), nn.ReLU(), Attention(5), nn.BatchNorm1d(10),
                                                    nn.Linear(10, 3)), 32, 16), 2, self.LENGTHS)

    def test_squeeze_and_excitation(self) -> None:
        class Excite(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.fc1, self.fc2 = nn.Linear(4, 2), nn.Linear(2, 4)

            def forward(self, x: Tensor) -> Tensor:
                s = x.mean(dim=-1)
                s = torch.sigmoid(self.fc2(F.relu(self.fc1(s))))
                return x * s[:, :, None]

        self.assert_exported(nn.Sequential(Windowed(nn.Sequential(nn.Conv1d(2, 4, 3, padding=1), Excite()), 16, 16),
                                           OverlapAdd(4, 16, 16)), 2, (64, 80, 128))

    def test_a_choice_by_the_length(self) -> None:
        """A window has one length, so anything may depend on it."""
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            x = x * torch.hann_window(x.shape[-1])
            if x.shape[-1] % 2 == 0:
                x = F.pad(x, (0, 1))
            half = x.shape[-1] // 2
            return m.fc(x[..., half:] - x[..., :half + 1].flip(-1)) / math.sqrt(half)

        self.assert_exported(Windowed(own(forward, fc=nn.Linear(9, 2)), 16, 8), 2, self.LENGTHS)

    def test_standardised(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            x = x - x.mean(dim=-1, keepdim=True)
            x = x / (x.std(dim=-1, keepdim=True) + 1e-6)
            return m.net(x).amax(dim=(1, 2), keepdim=False).unsqueeze(1)

        self.assert_exported(Windowed(own(forward, net=nn.Conv1d(2, 3, 5)), 20, 10), 2, self.LENGTHS)

    def test_picker(self) -> None:
        """A U-Net over a window, whose skips are padded to fit."""
        class Picker(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.down1, self.down2 = nn.Conv1d(3, 4, 7, padding=3), nn.Conv1d(4, 6, 5, stride=2, padding=2)
                self.up, self.out = nn.ConvTranspose1d(6, 4, 4, stride=2), nn.Conv1d(8, 3, 1)

            def forward(self, x: Tensor) -> Tensor:
                a = F.relu(self.down1(x))
                b = self.up(F.relu(self.down2(a)))
                diff = b.shape[-1] - a.shape[-1]
                a = F.pad(a, [diff // 2, diff - diff // 2])
                return F.softmax(self.out(torch.cat([a, b], dim=1)), dim=1)[..., :x.shape[-1]]

        self.assert_exported(Windowed(Picker(), 31, 11), 3, self.LENGTHS)

    def test_gates_by_einsum(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            se = torch.sigmoid(m.fc(x.mean(-1)))
            return torch.einsum("abc,ab->abc", x, se)[..., -1]

        self.assert_exported(Windowed(own(forward, fc=nn.Linear(2, 2)), 31, 11), 2, self.LENGTHS)


# --- Python ---------------------------------------------------------------------------------------------------------------


class Chomp1d(nn.Module):
    def __init__(self, chomp_size: int) -> None:
        super().__init__()
        self.chomp_size = chomp_size

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :-self.chomp_size].contiguous()


class TemporalBlock(nn.Module):
    def __init__(self, n_inputs: int, n_outputs: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        padding = (kernel_size - 1) * dilation
        self.conv1 = weight_norm(nn.Conv1d(n_inputs, n_outputs, kernel_size, padding=padding, dilation=dilation))
        self.conv2 = weight_norm(nn.Conv1d(n_outputs, n_outputs, kernel_size, padding=padding, dilation=dilation))
        self.net = nn.Sequential(self.conv1, Chomp1d(padding), nn.ReLU(), nn.Dropout(0.2), self.conv2, Chomp1d(padding),
                                 nn.ReLU(), nn.Dropout(0.2))
        self.downsample = nn.Conv1d(n_inputs, n_outputs, 1) if n_inputs != n_outputs else None
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.net(x)
        res = x if self.downsample is None else self.downsample(x)
        return self.relu(out + res)


class PythonTest(IdiomCase):
    def test_temporal_convolutions(self) -> None:
        class Tcn(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.network = nn.Sequential(*[TemporalBlock(2 if i == 0 else 4, 4, 2, 2 ** i) for i in range(4)])
                self.linear = nn.Linear(4, 3)

            def forward(self, x: Tensor) -> Tensor:
                return self.linear(self.network(x).transpose(1, 2)).transpose(1, 2)

        self.assert_exported(Tcn(), 2)

    def test_axes_that_may_be_missing(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            if x.dim() == 2:
                x = x.unsqueeze(1)
            elif x.ndim != 3:
                raise ValueError(f"{tuple(x.shape)}")
            b, c, t = x.shape
            assert c == 1, f"one channel, not {c}"
            assert t > 4
            return m.conv(x).reshape(b, 2, t)

        self.assert_exported(own(forward, conv=nn.Conv1d(1, 2, 3, padding=1)))

    def test_signals_without_an_axis_of_channels(self) -> None:
        """A file has one channel for them."""
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            batch, length = x.size()
            y = m.conv(x.unsqueeze(1)) * x[:, None]
            return y.sum(1).view(batch, length)

        net = own(forward, conv=nn.Conv1d(1, 3, 3, padding=1)).eval()
        for inputs in ([1], None):
            description, tensors = describe(net, inputs=inputs)
            x = torch.rand(2, 1, 70) * 2 - 1
            with torch.no_grad():
                torch.testing.assert_close(interpret(description, tensors, x)[:, 0], net(x[:, 0]), rtol=1e-5, atol=1e-5)

    def test_pads_that_some_lengths_need(self) -> None:
        def strided(m: nn.Module, x: Tensor) -> Tensor:
            if x.shape[-1] % 4:
                x = F.pad(x, (0, 4 - x.shape[-1] % 4))
            return m.down(x)

        def there_and_back(m: nn.Module, x: Tensor) -> Tensor:
            length = x.shape[-1]
            rest = length % 4
            if rest != 0:
                x = F.pad(x, (0, 4 - rest))
            y = m.up(torch.relu(m.down(x)))
            if rest != 0:
                y = y[..., :length]
            return y

        def even(m: nn.Module, x: Tensor) -> Tensor:
            if x.shape[-1] % 2:
                x = x[..., :-1]
            return m.pairs(x)

        parts = {"down": nn.Conv1d(1, 2, 4, 4), "up": nn.ConvTranspose1d(2, 1, 4, 4), "pairs": nn.Conv1d(1, 2, 2, 2)}
        for function in (strided, there_and_back, even):
            self.assert_exported(own(function, **parts), 1, range(64, 73))

    def test_arguments_of_all_kinds(self) -> None:
        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.parts = nn.ModuleDict({"a": nn.Conv1d(2, 2, 3, padding=1), "b": nn.Conv1d(2, 2, 1)})

            def step(self, name: str, *args: Tensor, gain: float = 1.0, **kwargs: Any) -> Tensor:
                return self.parts[name](*args) * gain

            def forward(self, x: Tensor, mask: Optional[Tensor] = None, *, train: bool = False, **kwargs: Any) -> Tensor:
                outputs = {name: self.step(name, x, gain=i + 0.5) for i, name in enumerate(self.parts)}
                result = sum(value for key, value in sorted(outputs.items()))
                return result if mask is None else result * mask

        self.assert_exported(Net(), 2)
        self.assert_exported(Net(), [2, 2])

    def test_residual_lists(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            history = [x]
            for i, (conv, norm) in enumerate(zip(m.convs, m.norms)):
                y = norm(conv(torch.cat(history[-2:], dim=1) if i else history[-1]))
                history.append(F.gelu(y))
            return torch.stack(history[1:], dim=0).mean(dim=0)

        self.assert_exported(own(forward, convs=nn.ModuleList([nn.Conv1d(2 if i == 0 else 2 + 2 * (i == 1) + 2 * (i > 1), 2, 3,
                                                                         padding=1) for i in range(3)]),
                                 norms=nn.ModuleList([nn.BatchNorm1d(2) for _ in range(3)])), 2)

    def test_grouped_channels(self) -> None:
        def shuffle(m: nn.Module, x: Tensor) -> Tensor:
            b, c, t = x.size()
            x = x.view(b, 2, c // 2, t).transpose(1, 2).contiguous().view(b, -1, t)
            return m.conv(x)

        def split(m: nn.Module, x: Tensor) -> Tensor:
            a, b = x.chunk(2, dim=1)
            return torch.cat([a, m.conv2(b)], dim=1)

        def heads(m: nn.Module, x: Tensor) -> Tensor:
            b, c, t = x.shape
            y = x.view(b, 2, 3, t)
            y = torch.einsum("bhct,hcd->bhdt", y, m.w)
            return (y / y.norm(dim=2, keepdim=True).clamp_min(1e-6)).reshape(b, c, t)

        self.assert_exported(own(lambda m, x: torch.einsum("bct,bct->bt", x,
                                                           x.tanh()).unsqueeze(1) + torch.einsum("bct,bdt->bcdt", x[:, :2],
                                                                                                 x).flatten(1, 2)), 3)
        self.assert_exported(own(shuffle, conv=nn.Conv1d(6, 6, 3, groups=2)), 6)
        self.assert_exported(own(split, conv2=nn.Conv1d(3, 3, 3, padding=1)), 6)
        self.assert_exported(own(heads, w=nn.Parameter(torch.rand(2, 3, 3))), 6)

    def test_weights_that_are_computed(self) -> None:
        class Standardised(nn.Conv1d):
            def forward(self, x: Tensor) -> Tensor:
                w = self.weight
                w = (w - w.mean(dim=(1, 2), keepdim=True)) / (w.std(dim=(1, 2), keepdim=True) + 1e-5)
                return F.conv1d(x, w, self.bias, self.stride, self.padding, self.dilation, self.groups)

        class Sinc(nn.Module):
            """Band passes with two learned frequencies each."""

            def __init__(self) -> None:
                super().__init__()
                self.low, self.band = nn.Parameter(torch.rand(3, 1) * 0.1), nn.Parameter(torch.rand(3, 1) * 0.2)
                self.register_buffer("window", torch.hamming_window(17))
                self.register_buffer("n", torch.arange(-8, 9).float().view(1, -1))

            def forward(self, x: Tensor) -> Tensor:
                low = self.low.abs() + 0.01
                high = torch.clamp(low + self.band.abs(), max=0.5)
                filters = (2 * high * torch.sinc(2 * high * self.n) - 2 * low * torch.sinc(2 * low * self.n)) * self.window
                return F.conv1d(x, filters.view(3, 1, 17), stride=1, padding=8)

        class Codebook(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.a, self.b = nn.Parameter(torch.rand(3, 2)), nn.Parameter(torch.rand(2, 3))

            def forward(self, x: Tensor) -> Tensor:
                return torch.matmul(self.a @ self.b, x)

        for net in (Standardised(3, 3, 3, padding=1), Codebook(), spectral_norm(nn.Conv1d(3, 3, 3)),
                    parametrizations.orthogonal(nn.Conv1d(3, 3, 1)),
                    nn.Sequential(Standardised(3, 2, 3), weight_norm(nn.ConvTranspose1d(2, 3, 4, 2), dim=1))):
            self.assert_exported(net, 3)
        self.assert_exported(Sinc())

    def test_norms_of_many_kinds(self) -> None:
        class ChannelNorm(nn.Module):
            def __init__(self, kind: str) -> None:
                super().__init__()
                self.kind, self.weight, self.bias = kind, nn.Parameter(torch.rand(4)), nn.Parameter(torch.rand(4))

            def forward(self, x: Tensor) -> Tensor:
                if self.kind == "layer":
                    return F.layer_norm(x.transpose(1, -1), (4,), self.weight, self.bias, 1e-5).transpose(1, -1)
                if self.kind == "rms":
                    return x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6) * self.weight[:, None]
                u = x.mean(1, keepdim=True)
                s = (x - u).pow(2).mean(1, keepdim=True)
                return self.weight[:, None] * ((x - u) / torch.sqrt(s + 1e-6)) + self.bias[:, None]

        for kind in ("layer", "rms", "by hand"):
            self.assert_exported(nn.Sequential(nn.Conv1d(1, 4, 3), ChannelNorm(kind)))

    def test_frames(self) -> None:
        def framed(m: nn.Module, x: Tensor) -> Tensor:
            b, c, t = x.shape
            frames = x.squeeze(1).unfold(-1, 16, 8)
            return m.fc(frames * m.window).transpose(1, 2)

        def blocks(m: nn.Module, x: Tensor) -> Tensor:
            b, c, t = x.shape
            y = x.reshape(b, c, t // 4, 4).permute(0, 2, 1, 3).reshape(b, t // 4, c * 4)
            y = m.fc4(y)
            return y.reshape(b, t // 4 * 4, 1).transpose(1, 2)

        parts = {"window": nn.Parameter(torch.hann_window(16)), "fc": nn.Linear(16, 5), "fc4": nn.Linear(8, 4)}
        self.assert_exported(own(framed, **parts), 1)
        self.assert_exported(own(blocks, **parts), 2, (64, 68, 128))

    def test_mixtures_of_constants(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            eye = torch.eye(3, device=x.device, dtype=x.dtype)
            ramp = torch.linspace(0, 1, 3).view(1, 3, 1)
            ones = torch.ones_like(x)
            zeros = x.new_zeros(x.shape[0], 1, x.shape[-1])
            y = torch.cat([eye @ x * ramp + ones, zeros], dim=1)
            return m.conv(y.masked_fill(y > 1.2, 1.2))

        self.assert_exported(own(forward, conv=nn.Conv1d(4, 2, 3)), 3)

    def test_detached_and_cast(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            y = x.float().to(m.conv.weight.dtype).clone().detach().requires_grad_(False)
            with torch.no_grad():
                y = m.conv(y)
            return y.type_as(x).contiguous().to(x.device)

        self.assert_exported(own(forward, conv=nn.Conv1d(2, 3, 3)), 2)

    def test_work_in_place(self) -> None:
        def forward(m: nn.Module, x: Tensor) -> Tensor:
            y = m.conv(x)
            y.mul_(0.5).add_(0.1).clamp_(-1, 1)
            y += m.conv(x)
            F.relu_(y)
            return torch.sigmoid_(y).sub_(x[:, :1])

        self.assert_exported(own(forward, conv=nn.Conv1d(2, 3, 3, padding=1)), 2)

    def test_overlapping_frames_added_up(self) -> None:
        def overlap_and_add(frames: Tensor, step: int) -> Tensor:
            *outer, count, length = frames.shape
            part = math.gcd(length, step)
            parts = (step * (count - 1) + length) // part
            places = torch.arange(parts).unfold(0, length // part, step // part).reshape(-1)
            result = frames.new_zeros(*outer, parts, part)
            result.index_add_(-2, places, frames.reshape(*outer, -1, part))
            return result.view(*outer, -1)

        class Separator(nn.Module):
            """Masks over learned frames for two sources, and frames of them that are added up, as long as the input."""
            def __init__(self, length: int, step: int) -> None:
                super().__init__()
                self.step, self.encoder = step, nn.Conv1d(1, 4, length, stride=step, bias=False)
                self.masks, self.decoder = nn.Conv1d(4, 8, 3, padding=1), nn.Linear(4, length, bias=False)

            def forward(self, mixture: Tensor) -> Tensor:
                frames = F.relu(self.encoder(mixture))
                masks = torch.sigmoid(self.masks(frames)).view(frames.shape[0], 2, 4, -1)
                sources = self.decoder((frames.unsqueeze(1) * masks).transpose(2, 3))
                added = overlap_and_add(sources, self.step)
                return F.pad(added, (0, mixture.shape[-1] - added.shape[-1]))

        for length, step in ((8, 4), (6, 4), (5, 3), (4, 4)):
            with self.subTest(length=length, step=step):
                self.assert_exported(Separator(length, step), 1)
        self.assert_not_exported(own(lambda m, x: x.new_zeros(x.shape).index_add(-1, torch.arange(x.shape[-1]).flip(0), x)), "only parts of "
                                 "overlapping frames, each as much later as the one before", 2)

    def test_folded_frames(self) -> None:
        def folded(m: nn.Module, x: Tensor) -> Tensor:
            y = m.conv(x)
            entries = (y.shape[-1] - 1) * m.step + 6 - 2 * m.crop
            size, around = ((entries, 1), (m.crop, 0)) if m.upright else ((1, entries), (0, m.crop))
            y = F.fold(y, size, (6, 1) if m.upright else (1, 6), padding=around, stride=(m.step, 1) if m.upright else (1, m.step))
            return y.squeeze(3 if m.upright else 2)

        for step, crop, upright in ((2, 0, False), (2, 2, True), (3, 0, True), (6, 0, False)):
            with self.subTest(step=step, crop=crop):
                self.assert_exported(own(folded, conv=nn.Conv1d(2, 18, 3, padding=1), step=step, crop=crop, upright=upright), 2)
        self.assert_not_exported(own(lambda m, x: F.fold(x, (2, x.shape[-1] + 1), (2, 2))), "fold along one axis", 12)
        self.assert_not_exported(own(lambda m, x: F.fold(x, (1, 3 * x.shape[-1] + 4), (1, 6), stride=(1, 3))), "only as many as they cover", 12)
        self.assert_not_exported(own(lambda m, x: F.fold(x, (1, 8 * x.shape[-1] - 2), (1, 6), stride=(1, 8))), "under no window", 12)

    def test_parts_that_are_written(self) -> None:
        def shifted(m: nn.Module, x: Tensor) -> Tensor:  # some channels one frame earlier, some one later
            y = torch.zeros_like(x)
            y[:, :1, :-1] = x[:, :1, 1:]
            y[:, 1:2, 1:] = x[:, 1:2, :-1]
            y[:, 2:] = x[:, 2:]
            return m.conv(y)

        def filled(m: nn.Module, x: Tensor) -> Tensor:
            y = torch.full((x.shape[0], 3, x.shape[-1]), 0.5)
            y[:, 0] = x[:, 1] * 2
            y[:, 2, :] = x.mean(1)
            return y

        def one_by_one(m: nn.Module, x: Tensor) -> Tensor:
            y = torch.empty(x.shape)
            for channel in range(x.shape[1]):
                y[:, channel] = x[:, channel].cumsum(-1) if channel % 2 else x[:, channel] * channel
            return y

        def added_to(m: nn.Module, x: Tensor) -> Tensor:
            y = m.conv(x)
            y[:, 1:3] += x[:, :2]
            y[:, 0] *= 2
            y[:, torch.tensor([False, False, True, True])] = -x[:, [1, 3]]
            return y

        def numbers(m: nn.Module, x: Tensor) -> Tensor:
            y = m.conv(x)
            y[:, 1] = 0
            y[..., :2] = 0
            y[:, 2:] = torch.tensor([[3.0], [4.0]])
            y[:, 0, -3:] = 1
            return y

        def channels_last(m: nn.Module, x: Tensor) -> Tensor:
            x = x.transpose(1, 2)
            y = torch.zeros_like(x)
            y[:, 1:] = x[:, :-1]
            z = torch.empty_like(y)
            z.copy_(y * 2)
            return z.transpose(1, 2)

        for function in (shifted, filled, one_by_one, added_to, numbers, channels_last):
            with self.subTest(function.__name__):
                self.assert_exported(own(function, conv=nn.Conv1d(4, 4, 3, padding=1)), 4)

        def features(m: nn.Module, x: Tensor) -> Tensor:
            h, y = m.linear(x.flatten(1)), torch.zeros(x.shape[0], 7)
            y[:, :3] = h[:, :3]
            y[:, 5] = h[:, 4]
            h[:, 0] = 1
            return torch.cat([y, h], dim=1)

        def interleaved(m: nn.Module, x: Tensor) -> Tensor:
            h, y = x.mean(-1), torch.empty(x.shape[0], 8)
            y[:, 0::2] = h
            y[:, 1::2] = h * 2
            return y

        for function in (shifted, added_to, features, interleaved):
            with self.subTest(function.__name__, windowed=True):
                parts = {"conv": nn.Conv1d(4, 4, 3, padding=1), "linear": nn.Linear(64, 5)}
                self.assert_exported(Windowed(own(function, **parts), 16, 8), 4)

        def half(m: nn.Module, x: Tensor) -> Tensor:
            y = x.clone()
            y[..., 1:] = x[..., :-1]
            return y

        def by_values(m: nn.Module, x: Tensor) -> Tensor:
            y = x.clone()
            y[x > 0] = 0
            return y

        def never(m: nn.Module, x: Tensor) -> Tensor:
            y = torch.empty_like(x)
            y[:, :1] = x[:, :1]
            return y

        def of_batch(m: nn.Module, x: Tensor) -> Tensor:
            y = x.clone()
            y[0] = 0
            return y

        for function, pattern in ((half, "some frames of a signal of which the others stay"), (by_values, "by a signal"),
                                  (never, "some parts were not written|something random|for every signal"), (of_batch, "part of the batch")):
            with self.subTest(function.__name__):
                self.assert_not_exported(own(function), pattern, 4)

    def test_state_that_a_forward_keeps(self) -> None:
        class Causal(nn.Module):
            """Begins with frames that are overwritten, for the next call, by its last ones."""
            def __init__(self) -> None:
                super().__init__()
                self.conv = nn.Conv1d(2, 3, 4)

            def forward(self, x: Tensor) -> Tensor:
                previous = torch.zeros(x.shape[0], 2, 3)
                x = torch.cat([previous, x], dim=-1)
                y = self.conv(x)
                previous[:] = x[..., -3:]
                return y

        self.assert_exported(Causal(), 2)

    def test_choices_of_the_constructor(self) -> None:
        class Selectable(nn.Module):
            def __init__(self, activation: str, residual: bool) -> None:
                super().__init__()
                self.activation = getattr(F, activation)
                self.conv, self.residual = nn.Conv1d(2, 2, 3, padding="same"), residual

            def forward(self, x: Tensor) -> Tensor:
                y = self.activation(self.conv(x))
                return y + x if self.residual else y

        for activation in ("relu", "elu", "gelu", "silu", "softsign", "leaky_relu", "hardtanh", "mish"):
            self.assert_exported(Selectable(activation, activation > "h"), 2)


# --- functions, counts and pads -----------------------------------------------------------------------------------------


class MathematicsTest(IdiomCase):
    def test_powers(self) -> None:
        self.assert_exported(own(lambda m, x: sum((x.abs() + 0.1) ** e for e in (0.3, -1.7, 2.5, 1.5, -0.5, 0, -3))), 2)
        self.assert_exported(own(lambda m, x: x ** 3 + x ** 5 - x ** 11 / 3), 2)
        self.assert_exported(own(lambda m, x: (x.abs() + 0.1) ** x + 2 ** x + (x.abs() + 0.1) ** m.e, e=torch.rand(2, 1)), 2)

    def test_companders(self) -> None:
        self.assert_exported(own(lambda m, x: torch.sign(x) * torch.log1p(255 * x.abs()) / math.log1p(255)))
        self.assert_exported(own(lambda m, x: torch.sign(x) * torch.expm1(x.abs() * math.log1p(255)) / 255))
        self.assert_exported(own(lambda m, x: torch.tanh(x) * 0.5 + torch.atan(3 * x) + torch.asinh(2 * x)))
        self.assert_exported(own(lambda m, x: torch.log10((x ** 2).clamp(min=1e-5)) * 10 + torch.log2(1 + x.abs())))

    def test_functions(self) -> None:
        self.assert_exported(own(lambda m, x: torch.tan(x) + torch.asin(x * 0.9) + torch.acos(x * 0.9) + x.sinh() + x.cosh()
                                 + torch.erf(x) + torch.erfc(x) + torch.atanh(x * 0.9) + torch.acosh(1 + x.abs())), 2)
        self.assert_exported(own(lambda m, x: torch.floor(x * 5) + (x * 3).ceil() + torch.round(x * 7) + torch.trunc(x * 4)
                                 + torch.frac(x * 3) + torch.round(x, decimals=1) + (x * 7) // 2 + x * 3 % 1
                                 + torch.div(x * 5, 2, rounding_mode="floor")), 2)
        self.assert_exported(own(lambda m, x: torch.atan2(x[:, :1], x[:, 1:]) + torch.logaddexp(x[:, :1], x[:, 1:])
                                 + torch.hypot(x[:, :1], x[:, 1:]) + torch.remainder(x[:, :1], x[:, 1:].abs() + 0.5)), 2)
        self.assert_exported(own(lambda m, x: torch.logit(x.sigmoid()) + x.clamp(min=-0.2) + x.clamp_max(0.3)
                                 + torch.rsqrt(x * x + 1) + torch.deg2rad(x)), 2)

    def test_functions_made_of_others(self) -> None:
        self.assert_exported(own(lambda m, x: torch.fmod(x * 3, 0.7) + torch.fmod(torch.tensor(2.5), x.abs() + 0.5) + torch.fmod(x[:, :1] * 4, x[:, 1:] - 2)), 2)
        self.assert_exported(own(lambda m, x: x.diff() + x.diff(dim=1)[..., 1:]), 2)
        self.assert_exported(own(lambda m, x: torch.diff(x, n=2)), 2)
        self.assert_exported(own(lambda m, x: torch.nan_to_num(torch.where(torch.isfinite(1 / x), x, 2.0)) - torch.isnan(x).float()
                                 + x.masked_fill(torch.isinf(x), 0.0)), 2)
        self.assert_exported(own(lambda m, x: F.cosine_similarity(x, x.flip(1) + 0.3, dim=1).unsqueeze(1)), 3)
        self.assert_exported(own(lambda m, x: torch.cat([*torch.std_mean(x, 1, keepdim=True), torch.var_mean(x, dim=1)[1][:, None]], 1)), 3)
        self.assert_exported(own(lambda m, x: torch.stack(list(torch.aminmax(x, dim=1)), 1)), 3)
        self.assert_exported(own(lambda m, x: torch.logaddexp2(x, x.flip(1)) + torch.hsplit(x, 2)[1]), 2)
        self.assert_exported(own(lambda m, x: torch.bmm(torch.ones(x.shape[0], 2, 3), x)), 3)

    def test_comparisons(self) -> None:
        self.assert_exported(own(lambda m, x: (x > 0.1).float() + (x >= 0.2) + (0.3 < x) + 2 * (x <= x[:, :1]) + (x == 0)
                                 + (x != x[:, :1]) + (x < torch.tensor([[0.1], [0.2]]))), 2)
        self.assert_exported(own(lambda m, x: ((x > 0) & (x < 0.5)).float() + ((x > 0) | (x < -0.5)) + (~(x > 0.3)).float()
                                 + ((x > 0) ^ (x > 0.5)) + x.bool()), 2)
        description = self.assert_exported(own(lambda m, x: torch.where(x > 0, torch.log(x), x)), 2)  # the log of less is NaN
        self.assertEqual([node["type"] for node in description["nodes"]], ["Compare", "Log", "Reduce", "Reduce", "Reduce"])
        self.assert_exported(own(lambda m, x: torch.where(x > 0, x.sqrt(), torch.zeros(())) + torch.where(x > 0.2, 1.0, -1.0)
                                 + x.masked_fill(x.abs() > 0.5, 3.0) + torch.where(x > x[:, :1], 2.0, x)), 2)

    def test_tables(self) -> None:
        def tokens(m: nn.Module, x: Tensor) -> Tensor:
            return m.c(m.e(x).transpose(1, 2))

        def codebooks(m: nn.Module, x: Tensor) -> Tensor:
            return sum(table(x[:, i]) for i, table in enumerate(m.e)).transpose(1, 2)

        for net, shape, inputs in (
            (own(tokens, e=nn.Embedding(10, 4), c=nn.Conv1d(4, 2, 3)), (2, 50), None), (nn.Embedding(10, 3), (2, 20), None),
            (own(codebooks, e=nn.ModuleList(nn.Embedding(10, 4) for _ in range(3))), (2, 3, 50), [3])):
            path = self.folder / "net.safetensors"
            export(net.eval(), path, inputs=inputs)
            metadata, tensors = read_safetensors(path)
            description, numbers = json.loads(metadata["eigenstream"])["network"], torch.randint(0, 10, shape)
            signal = (numbers if len(shape) == 3 else numbers[:, None]).float()
            with torch.no_grad():
                expected = net(numbers)
            for given in [interpret(description, tensors, signal), *self.run_tool(path, signal).values()]:
                torch.testing.assert_close(given, self.as_stream(expected, given), rtol=1e-5, atol=1e-5)
        self.assert_exported(own(lambda m, x: m.e(((x + 1) * 3).long()).squeeze(1).transpose(1, 2), e=nn.Embedding(7, 3)))
        self.assert_exported(own(lambda m, x: F.one_hot(((x[:, 0] + 1) * 3).long(), 6).float().transpose(1, 2)))

    def test_choices_of_channels(self) -> None:
        self.assert_exported(own(lambda m, x: m.e(x.argmax(1)).transpose(1, 2), e=nn.Embedding(4, 3)), 4)
        self.assert_exported(own(lambda m, x: x.argmin(1, keepdim=True) * 2.0 + x.max(1, keepdim=True)[1]
                                 + x.min(dim=1).indices[:, None]), 4)
        self.assert_exported(own(lambda m, x: (x == x.amax(1, keepdim=True)).float()), 4)


class CumulativeNorm(nn.Module):
    """A norm over all channels and all frames so far."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain, self.bias = nn.Parameter(torch.rand(1, channels, 1)), nn.Parameter(torch.rand(1, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, frames = x.size()
        sums, squares = x.sum(1).cumsum(1), x.pow(2).sum(1).cumsum(1)
        count = torch.arange(channels, channels * (frames + 1), channels).type(x.type()).view(1, -1).expand_as(sums)
        mean = sums / count
        spread = (squares - 2 * mean * sums) / count + mean.pow(2)
        y = (x - mean.unsqueeze(1).expand_as(x)) / (spread + 1e-8).sqrt().unsqueeze(1).expand_as(x)
        return y * self.gain.expand_as(x) + self.bias.expand_as(x)


class CountTest(IdiomCase):
    def test_running_values(self) -> None:
        self.assert_exported(own(lambda m, x: torch.cumsum(x, dim=2) + torch.cumprod(1 + x / 50, 2) + torch.cummax(x, 2)[0]
                                 + x.cummin(-1).values), 2)
        self.assert_exported(own(lambda m, x: x.cummax(1)[0] + x.cumprod(1) + x.cumsum(1)), 3)

    def test_running_means(self) -> None:
        self.assert_exported(own(lambda m, x: x.cumsum(-1) / torch.arange(1, x.shape[-1] + 1)), 2)
        self.assert_exported(own(lambda m, x: x - x.cumsum(-1) / torch.ones_like(x).cumsum(-1)), 2)

    def test_a_count_that_nothing_stops(self) -> None:
        net = own(lambda m, x: x + torch.arange(x.shape[-1])).eval()
        path, x = self.folder / "net.safetensors", torch.rand(1, 2, 40)
        export(net, path, inputs=[2])
        x[0, 0, 7] = math.nan
        for given in self.run_tool(path, x).values():
            torch.testing.assert_close(given, net(x), equal_nan=True)

    def test_positions(self) -> None:
        def swept(m: nn.Module, x: Tensor) -> Tensor:
            place = torch.arange(x.shape[-1], device=x.device, dtype=x.dtype)
            return x * torch.sin(m.steps[:, None] * place / 50) + torch.where(place[None] < 5, x, -x)

        with self.assertRaisesRegex(ExportError, "what only counts frames, as torch.arange"):
            describe(own(swept, steps=torch.rand(2)), inputs=[2])
        self.assert_exported(own(lambda m, x: torch.sin(x + m.steps[:, None] * torch.arange(x.shape[-1]) / 50)
                                 + torch.where(x + torch.arange(x.shape[-1]) < 5, x, -x), steps=torch.rand(2)), 2)

    def test_cumulative_norm(self) -> None:
        self.assert_exported(nn.Sequential(nn.Conv1d(1, 8, 3), nn.PReLU(), CumulativeNorm(8), nn.Conv1d(8, 2, 3, padding=2)))

    def test_lines_between_frames(self) -> None:
        for factor in (2, 3, 4, 5):
            for mode in ("linear", "nearest", "nearest-exact"):
                with self.subTest(factor=factor, mode=mode):
                    self.assert_exported(own(lambda m, x: F.interpolate(x, scale_factor=factor, mode=mode)), 2)
                    self.assert_exported(own(lambda m, x: F.interpolate(x, scale_factor=1 / factor, mode=mode)), 2)
        self.assert_exported(nn.Sequential(nn.Conv1d(1, 3, 3), nn.Upsample(scale_factor=2, mode="linear"), nn.Conv1d(3, 1, 3)))


class OfWindowsTest(IdiomCase):
    def test_what_streams_can_do_too(self) -> None:
        for function in (
            lambda m, x: x.cumsum(-1) + x.cummax(-1)[0], lambda m, x: x.argmax(-1).float(), lambda m, x: x.argmin(1).float(),
            lambda m, x: torch.where(x > x.mean(-1, keepdim=True), x, -x), lambda m, x: F.pad(x, (3, 2), mode="reflect"),
            lambda m, x: F.interpolate(x, scale_factor=2, mode="linear"), lambda m, x: x.cumsum(-1) / torch.arange(1, 9),
            lambda m, x: x.erf() + torch.floor(3 * x) + x.abs() ** 1.7,
        ):
            self.assert_exported(Windowed(own(function), 8, 4), 2)

    def test_windows_seen_as_blocks(self) -> None:
        for function in (
            lambda m, x: x.unflatten(-1, (4, 2)).mean(-1), lambda m, x: x.view(x.shape[0], 2, 4, 2).amax(-1),
            lambda m, x: x.reshape(x.shape[0], 2, 4, 2).transpose(2, 3).flatten(1),
        ):
            self.assert_exported(Windowed(own(function), 8, 4), 2)


class LengthUNet(nn.Module):
    """A network that must be given whole strides."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.middle, self.leave = (nn.Conv1d(*each, padding=1) for each in ((1, 4, 3), (4, 4, 3), (8, 1, 3)))
        self.down = nn.ModuleList(nn.Conv1d(4, 4, 4, 2, 1) for _ in range(2))
        self.up = nn.ModuleList(nn.ConvTranspose1d(each, 4, 4, 2, 1) for each in (4, 8))

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[-1]
        a = self.enter(F.pad(x, (0, (4 - length % 4) % 4)))
        b = self.down[0](a).relu()
        y = self.up[0](self.middle(self.down[1](b).relu()))
        y = self.up[1](torch.cat([y, b], 1))
        return self.leave(torch.cat([y, a], 1))[..., :length]


class WaveUNet(nn.Module):
    """Convolutions without padding: up to the next length that their strides leave nothing of, and cut again."""

    def __init__(self, depth: int, kernel: int = 8, stride: int = 4) -> None:
        super().__init__()
        self.depth, self.kernel, self.stride = depth, kernel, stride
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        inputs, width = 1, 4
        for i in range(depth):
            self.encoder.append(nn.Sequential(nn.Conv1d(inputs, width, kernel, stride), nn.ReLU(), nn.Conv1d(width, 2 * width, 1),
                                              nn.GLU(1)))
            self.decoder.insert(0, nn.Sequential(nn.Conv1d(width, 2 * width, 1), nn.GLU(1),
                                                 nn.ConvTranspose1d(width, inputs, kernel, stride), *[nn.ReLU()] * (i > 0)))
            inputs, width = width, 2 * width
        self.lstm = nn.LSTM(inputs, inputs)

    def valid_length(self, length: int) -> int:
        for _ in range(self.depth):
            length = max(math.ceil((length - self.kernel) / self.stride) + 1, 1)
        for _ in range(self.depth):
            length = (length - 1) * self.stride + self.kernel
        return length

    def forward(self, x: Tensor) -> Tensor:
        length, skips = x.shape[-1], []
        x = F.pad(x, (0, self.valid_length(length) - length))
        for layer in self.encoder:
            x = layer(x)
            skips.append(x)
        x = self.lstm(x.permute(2, 0, 1))[0].permute(1, 2, 0)
        for layer in self.decoder:
            x = layer(x + skips.pop()[..., :x.shape[-1]])
        return x[..., :length]


class PadTest(IdiomCase):
    def test_reflection(self) -> None:
        lengths = (4, 7, 8, 9, 16, 40, 131)
        self.assert_exported(own(lambda m, x: F.pad(x, (3, 2), mode="reflect")), 2, lengths)
        self.assert_exported(own(lambda m, x: F.pad(x, (3, -2), mode="reflect")), 2, lengths)
        self.assert_exported(nn.Sequential(nn.ReflectionPad1d(3), nn.Conv1d(1, 2, 7), nn.ReflectionPad1d((2, 1)),
                                           nn.Conv1d(2, 1, 4)), 1, lengths)
        conv = nn.Conv1d(1, 1, 7, padding=3, padding_mode="reflect")
        self.assert_exported(nn.Sequential(conv, nn.ReLU(), nn.Conv1d(1, 2, 3, padding=2, dilation=2, padding_mode="reflect")), 1,
                             lengths)
        description = self.assert_exported(own(lambda m, x: x + m.conv(x), conv=conv), 1, lengths)
        self.assertEqual([node["path"] for node in description["nodes"]], ["pad", "conv", "add"])
        valid = describe(nn.Sequential(nn.ReflectionPad1d(3), conv), padding="valid")[0]
        self.assertEqual([(node["type"], node["padding"]) for node in valid["layers"]], [("Conv1d", 0)])

    def test_whole_strides(self) -> None:
        description = self.assert_exported(LengthUNet(), 1, range(9, 41))
        pad = description["nodes"][0]
        self.assertEqual((pad["type"], pad["right"], pad["multiple"], pad["offset"]), ("Pad", 0, 4, 0))

        def mirrored(m: nn.Module, x: Tensor) -> Tensor:
            length = x.shape[-1]
            if length % 4:
                x = F.pad(x, (0, 4 - length % 4), mode="reflect")
            return m.up(m.middle(m.down(x)))[..., :length]

        self.assert_exported(own(mirrored, down=nn.Conv1d(1, 3, 4, 4), middle=nn.Conv1d(3, 3, 3, padding=1),
                                 up=nn.ConvTranspose1d(3, 1, 4, 4)), 1, range(9, 41))

    def test_valid_lengths(self) -> None:
        self.assert_exported(WaveUNet(2), 1, (*range(30, 70), 997))
        self.assert_exported(WaveUNet(3), 1, (148, 149, 212, 213, 997))
        self.assert_exported(WaveUNet(5), 1, (4000, 4001))

    def test_what_goes_with_the_length(self) -> None:
        self.assert_not_exported(own(lambda m, x: F.pad(x, (x.shape[-1] % 4, 0))), "pads the start by a number that depends")
        self.assert_not_exported(own(lambda m, x: F.pad(x, (0, x.shape[-1] // 2))),
                                 r"pads by a number that depends on the signal's length: .* 96 and 192; .* up to a multiple of a "
                                 r"number \(.*F.pad\(x, \(0, x.shape\[-1\] // 2\)\)")


# --- what is refused ----------------------------------------------------------------------------------------------------


class RefusalTest(IdiomCase):
    def test_what_a_file_cannot_say(self) -> None:
        class SelfAttention(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.qkv = nn.Linear(4, 12)

            def forward(self, x: Tensor) -> Tensor:
                q, k, v = self.qkv(x.transpose(1, 2)).chunk(3, dim=-1)
                w = F.softmax(torch.matmul(q, k.transpose(1, 2)) / 2, dim=-1)
                return torch.matmul(w, v).transpose(1, 2)

        for net, channels, pattern in (
            (SelfAttention(), 4, r"\(SelfAttention\): attends to all frames of the signal.*a stream needs a limit.*torch.matmul\(w, v"),
            (nn.TransformerEncoderLayer(4, 2, batch_first=True),
             4, "TransformerEncoderLayer|forward fails|unknown module class"),
            (own(lambda m, x: torch.cummax(x, -1)[1]), 2, "uses the places that cummax gives"),
            (own(lambda m, x: {"y": x, "z": None}), 2, "its output 'z' is None, not a signal; say which outputs are wanted"),
            (own(lambda m, x: x.argmax(-1)), 2, "argmax needs the whole signal"),
            (own(lambda m, x: F.one_hot((x[:, 0] + 1).long())), 2, "one_hot without num_classes"),
            (own(lambda m, x: x / (x.mean(1, keepdim=True).std(-1, keepdim=True) + 1e-5)), 2,
             r"a deviation over the time: it needs the whole signal, .*Windowed.*; of all frames so far it can: .*cumsum.*std\(-1.*, "
             r"which gives \(2, 1, 1\)"),
            (own(lambda m, x: x + m.pe[:, :, :x.shape[-1]], pe=torch.rand(1, 2, 9000)), 2,
             "values depend on the place in time"),
            (own(lambda m, x: x / x.abs().max()), 2, "over all axes"),
            (own(lambda m, x: x / x.abs().amax(dim=(1, 2), keepdim=True)), 2, "whole signal"),
            (own(lambda m, x: x if x.abs().max() < 2 else x / 2), 2, r"decides by the values of the signal \(bool\)"),
            (own(lambda m, x: x * float(x.mean())), 2, r"decides by the values of the signal \(float\)"),
            (own(lambda m, x: torch.from_numpy(x.numpy() * 2)), 2, r"decides by the values of the signal \(numpy\)"),
            (own(lambda m, x: x + torch.randn_like(x)), 2, r"makes something random, .*randn_like"),
            (own(lambda m, x: x * torch.bernoulli(torch.full_like(x, 0.5))), 2, "makes something random"),
            (own(lambda m, x: F.dropout(x, 0.5)), 2, "training=self.training"),
            (own(lambda m, x: x[..., ::-1] if False else x.flip(-1)), 2, "flip needs"),
            (own(lambda m, x: F.interpolate(x, size=100)), 2, "interpolates to a size|by an integer scale_factor"),
            (own(lambda m, x: F.interpolate(x, scale_factor=2, mode="linear", align_corners=True)), 2, "align_corners=True"),
            (own(lambda m, x: F.interpolate(x, scale_factor=1.5, mode="linear")), 2, "by a factor that is no integer"),
            (own(lambda m, x: x.view(x.shape[0], -1)), 2, "mixes time and channels"),
            (own(lambda m, x: torch.lgamma(x)), 2, r"lgamma is not supported.*register\(\)"),
            (own(lambda m, x: x.sort(dim=1)[0]), 2, r"sort over the 2 channels is not supported; amax, amin, argmax"),
            (own(lambda m, x: x.topk(1, dim=1)[0]), 2, r"topk over the 2 channels is not supported; amax, amin, argmax"),
            (own(lambda m, x: m.n(x), n=nn.GroupNorm(1, 2)), 2, r"n \(GroupNorm\): needs the whole signal.*: Windowed\(net, "
                                                                r"size, stride\)"),
            (own(lambda m, x: m.n(x), n=nn.InstanceNorm1d(2)), 2, r"n \(InstanceNorm1d\): needs the whole signal"),
            (own(lambda m, x: m.p(x).expand_as(x), p=nn.AdaptiveAvgPool1d(1)), 2, r"p \(AdaptiveAvgPool1d\): needs the whole "
                                                                                  r"signal"),
        ):
            with self.subTest(pattern=pattern):
                self.assert_not_exported(net, pattern, channels)

    def test_loops_over_frames(self) -> None:
        class Loop(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.cell = nn.GRUCell(2, 3)

            def forward(self, x: Tensor) -> Tensor:
                h, outputs = torch.zeros(x.shape[0], 3), []
                for frame in x.unbind(-1):
                    h = self.cell(frame, h)
                    outputs.append(h)
                return torch.stack(outputs, dim=-1)

        self.assert_not_exported(Loop(), r"^cell \(GRUCell\): is one step of a recurrence, .*; use nn.GRU, which", 2)


if __name__ == "__main__":
    unittest.main()
