"""Networks that others trained, from the files that they left: classes written anew, as one writes them for whole signals, exported as
they are. The weights lie beside the project where it is developed; elsewhere random ones stand in their place. CTest runs them."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

try:
    import torch
except ImportError:
    print("skipped: this Python has no torch")
    sys.exit(77)  # CTest counts it as skipped

import torch.nn.functional as F
from torch import Tensor, nn

from eigenstream_export_test import Case, read_safetensors  # noqa: E402  (puts the exporter's folder on the path)
from eigenstream import Windowed, export  # noqa: E402

MODELS = Path(__file__).resolve().parents[2] / ".." / "shared" / "models"


# --- GTCRN (Rong et al., 2024), a denoiser of speech over spectra ---------------------------------------------------------


class Neighbours(nn.Module):
    """Each channel beside its neighbours in frequency."""

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (1, 1))
        f = x.shape[3]
        return torch.stack([padded[..., k:k + f] for k in range(3)], 2).flatten(1, 2)


class Bands(nn.Module):
    """Low bins as they are, high ones in bands."""

    def __init__(self, low: int = 65, high: int = 192, bands: int = 64) -> None:
        super().__init__()
        self.low = low
        self.erb_fc, self.ierb_fc = nn.Linear(high, bands, bias=False), nn.Linear(bands, high, bias=False)

    def merge(self, x: Tensor) -> Tensor:
        return torch.cat([x[..., :self.low], self.erb_fc(x[..., self.low:])], -1)

    def split(self, x: Tensor) -> Tensor:
        return torch.cat([x[..., :self.low], self.ierb_fc(x[..., self.low:])], -1)


class ConvBlock(nn.Module):
    def __init__(self, i: int, o: int, groups: int, transposed: bool = False, last: bool = False) -> None:
        super().__init__()
        conv = nn.ConvTranspose2d if transposed else nn.Conv2d
        self.conv = conv(i, o, (1, 5), stride=(1, 2), padding=(0, 2), groups=groups)
        self.bn, self.act = nn.BatchNorm2d(o), nn.Tanh() if last else nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))


class TimeAttention(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.att_gru, self.att_fc = nn.GRU(channels, 2 * channels, batch_first=True), nn.Linear(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        power = x.square().mean(3).transpose(1, 2)
        weight = torch.sigmoid(self.att_fc(self.att_gru(power)[0]))
        return x * weight.transpose(1, 2)[..., None]


class ShuffledBlock(nn.Module):
    """Half of the channels through a dilated convolution over time, interleaved with the other half."""

    def __init__(self, dilation: int, transposed: bool = False) -> None:
        super().__init__()
        conv = nn.ConvTranspose2d if transposed else nn.Conv2d
        self.transposed, self.past = transposed, 2 * dilation
        self.sfe = Neighbours()
        self.point_conv1, self.point_bn1, self.point_act = conv(24, 16, 1), nn.BatchNorm2d(16), nn.PReLU()
        padding = (2 * dilation, 1) if transposed else (0, 1)
        self.depth_conv = conv(16, 16, 3, padding=padding, dilation=(dilation, 1), groups=16)
        self.depth_bn, self.depth_act = nn.BatchNorm2d(16), nn.PReLU()
        self.point_conv2, self.point_bn2 = conv(16, 8, 1), nn.BatchNorm2d(8)
        self.tra = TimeAttention(8)

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, 1)
        h = self.point_act(self.point_bn1(self.point_conv1(self.sfe(first))))
        h = self.depth_act(self.depth_bn(self.depth_conv(F.pad(h, (0, 0, self.past, 0)))))
        h = self.tra(self.point_bn2(self.point_conv2(h)))
        return torch.stack([h, second], 2).flatten(1, 2)


class GroupedGru(nn.Module):
    def __init__(self, size: int, hidden: int, both: bool) -> None:
        super().__init__()
        self.rnn1 = nn.GRU(size // 2, hidden // 2, batch_first=True, bidirectional=both)
        self.rnn2 = nn.GRU(size // 2, hidden // 2, batch_first=True, bidirectional=both)

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, -1)
        return torch.cat([self.rnn1(first)[0], self.rnn2(second)[0]], -1)


class DualPath(nn.Module):
    """Recurrent over the bins of a frame, then over time for each bin."""

    def __init__(self) -> None:
        super().__init__()
        self.intra_rnn, self.intra_fc, self.intra_ln = GroupedGru(16, 8, True), nn.Linear(16, 16), nn.LayerNorm((33, 16), eps=1e-8)
        self.inter_rnn, self.inter_fc, self.inter_ln = GroupedGru(16, 16, False), nn.Linear(16, 16), nn.LayerNorm((33, 16), eps=1e-8)

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)  # (B, T, F, C)
        inside = self.intra_fc(self.intra_rnn(x.reshape(-1, 33, 16)))
        x = x + self.intra_ln(inside.reshape(x.shape[0], -1, 33, 16))
        over = x.permute(0, 2, 1, 3)  # (B, F, T, C)
        over = self.inter_fc(self.inter_rnn(over.reshape(-1, over.shape[2], 16))).reshape(over.shape)
        x = x + self.inter_ln(over.permute(0, 2, 1, 3))
        return x.permute(0, 3, 1, 2)


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.en_convs = nn.ModuleList([ConvBlock(9, 16, 1), ConvBlock(16, 16, 2)] + [ShuffledBlock(d) for d in (1, 2, 5)])


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.de_convs = nn.ModuleList([ShuffledBlock(d, True) for d in (5, 2, 1)] + [
            ConvBlock(16, 16, 2, True), ConvBlock(16, 2, 1, True, last=True)])


class Gtcrn(nn.Module):
    """Spectra in, spectra out: (B, F, T, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.erb, self.sfe = Bands(), Neighbours()
        self.encoder, self.dpgrnn1, self.dpgrnn2, self.decoder = Encoder(), DualPath(), DualPath(), Decoder()

    def forward(self, spectrum: Tensor) -> Tensor:
        re, im = spectrum[..., 0].transpose(1, 2), spectrum[..., 1].transpose(1, 2)
        x = torch.stack([torch.sqrt(re ** 2 + im ** 2 + 1e-12), re, im], 1)
        x = self.sfe(self.erb.merge(x))
        skips: List[Tensor] = []
        for conv in self.encoder.en_convs:
            x = conv(x)
            skips.append(x)
        x = self.dpgrnn2(self.dpgrnn1(x))
        for conv, skip in zip(self.decoder.de_convs, reversed(skips)):
            x = conv(x + skip)
        mask = self.erb.split(x)
        real = re * mask[:, 0] - im * mask[:, 1]
        imaginary = re * mask[:, 1] + im * mask[:, 0]
        return torch.stack([real, imaginary], 1).permute(0, 3, 2, 1)


# --- CREPE (Kim et al., 2018), the pitch of 1024 samples ------------------------------------------------------------------


class Crepe(nn.Module):
    def __init__(self, normalised: bool) -> None:
        super().__init__()
        sizes = [1, 128, 16, 16, 16, 32, 64]
        for k in range(1, 7):
            conv = nn.Conv2d(sizes[k - 1], sizes[k], (512 if k == 1 else 64, 1), stride=(4 if k == 1 else 1, 1))
            setattr(self, f"conv{k}", conv)
            setattr(self, f"conv{k}_BN", nn.BatchNorm2d(sizes[k], eps=0.0010000000474974513))
        self.classifier = nn.Linear(256, 360)
        self.normalised = normalised

    def forward(self, x: Tensor) -> Tensor:
        if self.normalised:
            x = x - x.mean(2, keepdim=True)
            x = x / x.std(2, keepdim=True).clamp(min=1e-10)
        x = x[..., None]
        for k in range(1, 7):
            x = F.pad(x, (0, 0, 254, 254) if k == 1 else (0, 0, 31, 32))
            x = getattr(self, f"conv{k}_BN")(F.relu(getattr(self, f"conv{k}")(x)))
            x = F.max_pool2d(x, (2, 1))
        return torch.sigmoid(self.classifier(x.permute(0, 2, 1, 3).reshape(-1, 256)))


# --- AresGW (Nousi et al., 2022), a detector of gravitational waves -------------------------------------------------------


class Dain(nn.Module):
    """Deep adaptive input normalisation: mean, deviation and gate of a window, each through a matrix."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.mean_layer, self.scaling_layer = nn.Linear(size, size, bias=False), nn.Linear(size, size, bias=False)
        self.gating_layer = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        x = x - self.mean_layer(x.mean(2))[..., None]
        deviation = self.scaling_layer(torch.sqrt(x.square().mean(2) + 1e-8))
        x = x / torch.where(deviation <= 1e-8, torch.ones_like(deviation), deviation)[..., None]
        return x * torch.sigmoid(self.gating_layer(x.mean(2)))[..., None]


class ResidualBlock(nn.Module):
    def __init__(self, i: int, o: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(i, o, 3, padding=1), nn.BatchNorm1d(o), nn.ReLU(),
                                  nn.Conv1d(o, o, 3, stride=stride, padding=1), nn.BatchNorm1d(o))
        self.x_transform = nn.Conv1d(i, o, 1, stride=stride) if i != o or stride != 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.x_transform(x))


class AresNet(nn.Module):
    def __init__(self, logits: bool) -> None:
        super().__init__()
        blocks, channels = [], 2
        for size, stride, count in ((8, 1, 4), (16, 2, 3), (32, 2, 3), (64, 2, 3), (64, 2, 3), (64, 2, 3), (32, 1, 5), (16, 1, 3)):
            for k in range(count):
                blocks.append(ResidualBlock(channels, size, stride if k == 0 else 1))
                channels = size
        self.feature_extractor = nn.Sequential(*blocks)
        self.cls_head = nn.Sequential(nn.Conv1d(16, 32, 64), nn.BatchNorm1d(32), nn.ReLU(), nn.Conv1d(32, 2, 1))
        self.logits = logits

    def forward(self, x: Tensor) -> Tensor:
        x = self.cls_head(self.feature_extractor(x)).squeeze(2)
        return x if self.logits else torch.softmax(x, 1)


class Aresgw(nn.Module):
    def __init__(self, logits: bool = False) -> None:
        super().__init__()
        self.norm, self.net = Dain(2), AresNet(logits)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self.norm(x))


class ModelsTest(Case):
    def reference(self, name: str) -> Optional[Dict[str, Tensor]]:
        path = MODELS / "reference" / f"{name}.safetensors"
        return read_safetensors(path)[1] if path.exists() else None

    def load(self, net: nn.Module, path: str, key: Optional[str] = None, drop: Tuple[str, ...] = ()) -> bool:
        """The weights of a file; random ones where it is not."""
        torch.manual_seed(1)
        for name, buffer in net.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
        net.eval()
        if not (MODELS / path).exists():
            print(f"skipped: there is no {MODELS / path}; random weights")
            return False
        state = torch.load(MODELS / path, map_location="cpu")
        state = state if key is None else state[key]
        net.load_state_dict({name: value for name, value in state.items() if not name.startswith(drop or ("-",))})
        return True

    def streamed(self, net: nn.Module, x: Tensor, **options: Any) -> Tensor:
        """What the tool makes of x, (channels, *space, time) or (channels, time)."""
        path = self.folder / "net.safetensors"
        export(net, path, **options)
        return next(iter(self.run_tool(path, x[None]).values()))[0]

    def test_gtcrn(self) -> None:
        net = Gtcrn()
        trained = self.load(net, "gtcrn/model_trained_on_dns3.tar", "model")
        reference = self.reference("gtcrn") if trained else None
        x = torch.randn(2, 257, 12) if reference is None else reference["spec_in"]
        with torch.no_grad():
            whole = net(x.permute(1, 2, 0)[None])[0].permute(2, 0, 1)
        given = self.streamed(net, x.permute(1, 0, 2), inputs=[(257, 2)], time_axis=2)
        given = given.reshape(257, 2, -1).permute(1, 0, 2)
        self.assertLess(float((given - whole).abs().max()), 1e-4)
        if reference is not None:
            self.assertLess(float((given - reference["spec_out"]).abs().max()), 1e-4)

    def test_crepe(self) -> None:
        for normalised, name in ((False, "y_plain"), (True, "y_normalised")):
            net = Crepe(normalised)
            trained = self.load(net, "crepe/tiny.pth")
            reference = self.reference("crepe_tiny") if trained else None
            x = torch.randn(1, 3000) if reference is None else reference["x"]
            given = self.streamed(Windowed(net, 1024, 160, padding=(512, 512)), x, inputs=[1])
            if reference is not None:
                self.assertLess(float((given[:, :50] - reference[name]).abs().max()), 5e-6)
            with torch.no_grad():
                windows = F.pad(x, (512, 512)).unfold(1, 1024, 160)[0][:, None]
                self.assertLess(float((given - net(windows).t()).abs().max()), 5e-6)

    def test_aresgw(self) -> None:
        for logits, name, bound in ((False, "y", 5e-6), (True, "logits", 2e-5)):
            net = Aresgw(logits)
            trained = self.load(net, "aresgw/weights.pt", drop=("whiten",))
            reference = self.reference("aresgw") if trained else None
            x = torch.randn(2, 3000) if reference is None else reference["x"]
            given = self.streamed(Windowed(net, 2048, 204), x, inputs=[2])
            if reference is not None:
                self.assertLess(float((given - reference[name]).abs().max()), bound)
            with torch.no_grad():
                windows = x.unfold(1, 2048, 204).transpose(0, 1)
                self.assertLess(float((given - net(windows).t()).abs().max()), bound * 10 if reference is None else bound)


if __name__ == "__main__":
    unittest.main()
