"""Write a torch network as an eigenstream model file.

A model file is one ``.safetensors`` file: the tensors under their ``state_dict`` names, and the network description as
JSON in the file's metadata (``docs/model-file.md`` and ``docs/types.md`` have every field). Needs torch and the standard
library only.

    from eigenstream import OverChannels, Residual, Snake, export
    export(nn.Sequential(nn.Conv1d(1, 8, 5, padding=2), Residual(Snake(8), nn.Conv1d(8, 8, 3))), "net.safetensors")

``Recurrent(nn.GRU(8, 16))`` puts a recurrent layer into an ``nn.Sequential``. What needs the whole signal runs over windows
of it: ``Windowed(nn.Sequential(nn.Conv1d(1, 8, 5), nn.GroupNorm(2, 8), nn.AdaptiveAvgPool1d(1)), size=400, stride=160)``. Or
from the shell::

    python3 -m eigenstream package.module:factory net.safetensors --weights state.pt --meta sample_rate_hz=16000

A module with a ``forward`` of its own is run on signals of several lengths, and what it does to them is recorded: arithmetic,
concatenation, slices and activations between its layers become a graph.

What is written is always the network in inference mode: dropout is gone, batch norm uses its running statistics, weights that
are computed from others (weight norm, spectral norm) are computed once. Whatever the format cannot say is an error that names
the module; nothing is ever left out silently.
"""

from .cli import export, main
from .continual import Continual, RecyclingPositionalEncoding, continual
from .controls import Control
from .describer import describe
from .errors import ExportError
from .file import write_safetensors
from .format import REDUCTIONS
from .known import register
from .modules import OnlineAverager, OverChannels, OverlapAdd, Parallel, Recurrent, Residual, Snake, Snapshotter, Windowed

__all__ = ["REDUCTIONS", "Continual", "Control", "ExportError", "OnlineAverager", "OverChannels", "OverlapAdd", "Parallel", "Recurrent",
           "RecyclingPositionalEncoding", "Residual", "Snake", "Snapshotter", "Windowed", "continual", "describe", "export", "main",
           "register", "write_safetensors"]
