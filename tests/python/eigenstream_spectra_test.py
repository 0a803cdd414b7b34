"""Networks over complex spectra, exported as they are. CTest runs them."""

from __future__ import annotations

import sys
import unittest
from typing import Any, List, Sequence

try:
    import torch
except ImportError:
    print("skipped: this Python has no torch")
    sys.exit(77)  # CTest counts it as skipped

import torch.nn.functional as F
from torch import Tensor, nn

from eigenstream_export_test import Case  # noqa: E402  (puts the exporter's folder on the path)
from eigenstream_idioms_test import own  # noqa: E402
from eigenstream import ExportError, Windowed, describe, export  # noqa: E402

try:
    import torchaudio
    from torchaudio import transforms
except (ImportError, OSError):  # one that does not fit torch fails to load
    torchaudio = None

N, HOP = 32, 8


def spectra(x: Tensor, window: Any = torch.hann_window(N), n_fft: int = N, hop: int = HOP, **options: Any) -> Tensor:
    """Those of (batch, 1, time)."""
    return torch.stft(x.squeeze(1), n_fft, hop, window=window, return_complex=True, **options)


def signal(y: Tensor, window: Any = torch.hann_window(N), n_fft: int = N, hop: int = HOP, **options: Any) -> Tensor:
    return torch.istft(y, n_fft, hop, window=window, **options).unsqueeze(1)


def types_in(node: Any) -> List[str]:
    return [each["type"] for each in node.get("layers", node.get("nodes", []))]


class SpectraCase(Case):
    def assert_exported(self, net: nn.Module, channels: int = 1, lengths: Sequence[int] = (40, 41, 47, 48, 130), tolerance: float = 1e-5,
                        **options: Any) -> Any:
        """What is written streams to the module's own output, numbers in the order of (batch, ..., time). Returns the description."""
        net.eval()
        path = self.folder / "net.safetensors"
        export(net, path, inputs=[channels], **options)
        for frames in lengths:
            x = torch.rand(2, channels, frames) * 2 - 1
            with torch.no_grad():
                expected = net(x).flatten(1, -2)
            for given in self.run_tool(path, x).values():
                given = given.flatten(1, -2)
                self.assertEqual(given.shape, expected.shape, frames)
                apart = float((given - expected).abs().max())
                self.assertLessEqual(apart, tolerance * float(expected.abs().max()), frames)
        return describe(net, inputs=[channels], **options)[0]

    def assert_refused(self, net: nn.Module, pattern: str) -> None:
        with self.assertRaisesRegex(ExportError, pattern):
            describe(net.eval(), inputs=[1])


class StftTest(SpectraCase):
    def test_options(self) -> None:
        for options in ({}, {"center": False}, {"pad_mode": "constant"}, {"pad_mode": "replicate"}, {"normalized": True},
                        {"window": None}, {"window": torch.hann_window(N).sqrt()}, {"window": torch.rand(N) + 0.1},
                        {"window": torch.hamming_window(20), "win_length": 20}, {"n_fft": 31, "hop": 7, "window": torch.hann_window(31)}):
            with self.subTest(options):
                node = self.assert_exported(own(lambda m, x, options=options: torch.view_as_real(spectra(x, **options)).permute(0, 3, 1, 2)))
                self.assertEqual(types_in(node)[0], "Stft")

    def test_several_channels_are_rows_of_the_batch(self) -> None:
        def both(m: nn.Module, x: Tensor) -> Tensor:
            y = torch.stft(x.reshape(-1, x.shape[-1]), N, HOP, window=torch.hann_window(N), return_complex=True)
            return y.abs().reshape(x.shape[0], x.shape[1], *y.shape[1:])

        self.assert_exported(own(both), 2)

    def test_the_way_back(self) -> None:
        for options in ({}, {"normalized": True}, {"window": torch.hann_window(N).sqrt()}, {"window": torch.rand(N) + 0.3}):
            node = self.assert_exported(own(lambda m, x, options=options: signal(spectra(x, **options) * 0.5, **options)))
            self.assertEqual(types_in(node), ["Stft", "Affine", "Istft"] if "Affine" in types_in(node) else types_in(node))
        self.assert_exported(own(lambda m, x: signal(spectra(x), length=x.shape[-1])))
        half = {"window": torch.hann_window(N).sqrt(), "hop": N // 2}  # whose last sample is next to nothing
        self.assert_exported(own(lambda m, x: signal(spectra(x, **half), length=x.shape[-1], **half)))

    def test_masks(self) -> None:
        class Mask(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.rnn, self.mask = nn.GRU(N // 2 + 1, 12, batch_first=True), nn.Linear(12, N // 2 + 1)

            def forward(self, x: Tensor) -> Tensor:
                y = spectra(x)
                mask = torch.sigmoid(self.mask(self.rnn(y.abs().transpose(1, 2))[0])).transpose(1, 2)
                return signal(y * mask, length=x.shape[-1])

        node = self.assert_exported(Mask())
        # The product is one of frames, with one mask for both parts.
        self.assertEqual([each for each in types_in(node) if each in ("Stft", "Istft", "ChannelSelect", "Reshape")].count("Reshape") <= 2, True)

        class ComplexMask(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv = nn.Conv2d(2, 2, (3, 3))

            def forward(self, x: Tensor) -> Tensor:
                y = torch.view_as_real(spectra(x)).permute(0, 3, 2, 1)  # (batch, 2, frames, bins)
                mask = self.conv(F.pad(y, (1, 1, 2, 0)))
                y = torch.complex(y[:, 0] * mask[:, 0] - y[:, 1] * mask[:, 1], y[:, 0] * mask[:, 1] + y[:, 1] * mask[:, 0])
                return signal(y.transpose(1, 2))

        self.assert_exported(ComplexMask())

        class Product(ComplexMask):
            def forward(self, x: Tensor) -> Tensor:
                y = spectra(x)
                mask = self.conv(F.pad(torch.view_as_real(y).permute(0, 3, 2, 1), (1, 1, 2, 0)))
                return signal(y * torch.view_as_complex(mask.permute(0, 3, 2, 1).contiguous()))

        self.assert_exported(Product())


class ComplexTest(SpectraCase):
    def test_arithmetic(self) -> None:
        for function in (lambda y: y + y * (2 + 1j), lambda y: (1j - y) * y.conj(), lambda y: y / (y * 0.05 + 3), lambda y: y / 2 - y.abs(),
                         lambda y: y / (1 + 2j), lambda y: y * y.real, lambda y: y ** 2, lambda y: -y, lambda y: 1 - y, lambda y: y.imag * y,
                         lambda y: torch.complex(y.imag, y.real), lambda y: torch.polar(y.abs(), y.angle() + 1), lambda y: y.sum(1, keepdim=True) + y,
                         lambda y: torch.cat([y, y * 1j], 1), lambda y: torch.exp(y * 0.1), lambda y: y * torch.linspace(0, 1, y.shape[1])[:, None],
                         lambda y: y * torch.polar(torch.ones(y.shape[1]), torch.linspace(0, 6, y.shape[1]))[:, None],
                         lambda y: y[:, 2:9].transpose(1, 2).transpose(1, 2), lambda y: y / (y.abs() + 1), lambda y: torch.view_as_complex(torch.view_as_real(y))):
            self.assert_exported(own(lambda m, x, function=function: torch.view_as_real(function(spectra(x))).permute(0, 3, 1, 2)), tolerance=3e-5)

    def test_real_ones_of_them(self) -> None:
        for function in (torch.abs, torch.real, torch.imag, lambda y: y.real, lambda y: y.abs() ** 2, lambda y: (y * y.conj()).real,
                         lambda y: torch.log1p(y.abs()) * torch.cos(y.angle())):
            self.assert_exported(own(lambda m, x, function=function: function(spectra(x))), tolerance=3e-5)

    def test_what_is_refused(self) -> None:
        for function, pattern in (
                (lambda x: spectra(x), r"its forward gives complex numbers .*view_as_real\(x\), or x.abs\(\)"),
                (lambda x: torch.sin(spectra(x)).abs(), r"sin of complex numbers is not supported"),
                (lambda x: spectra(x, onesided=False).abs(), r"only bins 0 to n_fft / 2"),
                (lambda x: spectra(x, pad_mode="circular").abs(), r"the padding mode 'circular'"),
                (lambda x: signal(spectra(x), length=x.shape[-1] + 40), r"zeros behind them are not supported"),
                (lambda x: (spectra(x) ** 3).abs(), r"a power of 3 of complex numbers")):
            self.assert_refused(own(lambda m, x, function=function: function(x)), pattern)
        self.assert_refused(Windowed(own(lambda m, x: spectra(x).abs()), 64, 32), r"stft inside a Windowed")


@unittest.skipIf(torchaudio is None, "without torchaudio")
class TransformsTest(SpectraCase):
    def test_spectrograms(self) -> None:
        mel = {"sample_rate": 16000, "n_fft": 64, "hop_length": 16, "n_mels": 8}
        for transform in (transforms.Spectrogram(N, hop_length=HOP), transforms.Spectrogram(N, hop_length=HOP, power=1.0, normalized=True),
                          transforms.MelSpectrogram(**mel), transforms.MelSpectrogram(**mel, mel_scale="slaney", norm="slaney", power=1.0),
                          transforms.MFCC(16000, 6, log_mels=True, melkwargs={key: mel[key] for key in ("n_fft", "hop_length", "n_mels")}),
                          nn.Sequential(transforms.MelSpectrogram(**mel), transforms.AmplitudeToDB(top_db=None))):
            for channels in (1, 2):
                self.assert_exported(own(lambda m, x: m.transform(x), transform=transform), channels, tolerance=3e-5)
        self.assert_exported(own(lambda m, x: m.transform(x.squeeze(1)), transform=transforms.MelSpectrogram(**mel)))

    def test_the_way_back(self) -> None:
        both = {"stft": transforms.Spectrogram(N, hop_length=HOP, power=None), "istft": transforms.InverseSpectrogram(N, hop_length=HOP)}
        self.assert_exported(own(lambda m, x: m.istft(m.stft(x) * 0.5, x.shape[-1]), **both))
        self.assert_exported(own(lambda m, x: m.istft(m.stft(x) * 0.5), **both), 2)

    def test_filters(self) -> None:
        a, b = torch.tensor([[1.0, -1.143, 0.413], [1.1, -1.6, 0.8]]), torch.tensor([[0.067, 0.135, 0.067], [1.2, -1.6, 0.7]])
        functional = torchaudio.functional
        for function in (lambda x: functional.lfilter(x, a[0], b[0], clamp=False), lambda x: functional.lfilter(x * 3, a[1], b[1]),
                         lambda x: functional.lfilter(x, a, b, clamp=False), lambda x: functional.lowpass_biquad(x, 16000, 1000.0),
                         lambda x: functional.highpass_biquad(functional.treble_biquad(x, 16000, 3.0), 16000, 80.0),
                         lambda x: functional.lfilter(x.sum(1), a[0, :2], b[0, :2]).unsqueeze(1)):
            node = self.assert_exported(own(lambda m, x, function=function: function(x)), 2, tolerance=3e-5)
            self.assertIn("RecursiveFilter", types_in(node))

    def test_what_is_refused(self) -> None:
        self.assert_refused(own(lambda m, x: m.t(x), t=transforms.MFCC(16000, 6, melkwargs={"n_fft": 64, "n_mels": 8})),
                            r"its top_db is below the loudest of the whole signal.*log_mels=True")


if __name__ == "__main__":
    unittest.main()
