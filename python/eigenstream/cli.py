"""Writing a file, from Python and from the shell."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import operator
import os
import sys
from typing import Any, List, Mapping, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from .controls import Control
from .describer import describe
from .errors import ExportError, one_line
from .file import checked_metadata, save
from .format import PADDING_POLICIES, PathLike
from .known import not_a_module


def export(
    module: nn.Module, path: PathLike, padding: str = "exact", metadata: Optional[Mapping[str, str]] = None,
    inputs: Union[None, Sequence[int], Mapping[str, Union[int, Control]]] = None, check: bool = True, rates: Optional[Sequence[int]] = None, time_axis: int = -1,
    outputs: Optional[Sequence[Union[int, str]]] = None
) -> None:
    """Write `module` in inference mode as the model file `path`.

    `padding`, `inputs`, `check`, `rates`, `time_axis` and `outputs` as in describe(); `metadata` is the user's own strings, of which the
    eigenstream program reads ``sample_rate_hz``, a positive number. The module is only read. The file is written as
    write_safetensors() writes it. Errors: ExportError naming the module's path and type; OSError from the file system.
    """
    metadata = checked_metadata(metadata)
    description, tensors = describe(module, padding, inputs, check, rates, time_axis, outputs)
    save(path, description, tensors, metadata)


def _import(source: str) -> Any:
    """The Python module named `package.module` or stored in `path/to/file.py`."""
    if not source.endswith(".py"):
        sys.path.insert(0, os.getcwd())
        return importlib.import_module(source)
    if not os.path.isfile(source):
        raise FileNotFoundError(f"no such file: {source}")
    sys.path.insert(0, os.path.dirname(os.path.abspath(source)))
    name = os.path.splitext(os.path.basename(source))[0]
    spec = importlib.util.spec_from_file_location(name, source)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _build(target: str) -> nn.Module:
    """The network that `module:factory` names. Whatever the user's code raises becomes an ExportError."""
    source, _, attribute = target.rpartition(":")
    try:
        factory = operator.attrgetter(attribute)(_import(source))
        module = factory if isinstance(factory, nn.Module) or not callable(factory) else factory()
    except Exception as error:
        raise ExportError(f"{target}: {type(error).__name__}: {one_line(error)}") from error
    if not isinstance(module, nn.Module):
        raise ExportError(f"{target}: gives a {type(module).__name__}, {not_a_module(module)}")
    return module


def _load_weights(module: nn.Module, path: str) -> None:
    """Load a state_dict saved by torch.save; strictly, and without running any code from the file."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ExportError(f"{path}: cannot be read as a state_dict: {one_line(error)}") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ExportError(f"{path}: not a plain state_dict (a mapping of names to tensors)")
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ExportError(f"{path}: {one_line(error)}") from error


def _target(text: str) -> str:
    source, _, attribute = text.rpartition(":")
    if not source or not attribute:
        raise argparse.ArgumentTypeError(f"{text!r} is not package.module:factory or path/to/file.py:factory")
    return text


def _channels(text: str) -> List[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as 8,80") from None


def _inputs(text: str) -> List[Union[int, Tuple[int, ...]]]:
    try:
        parts = [[int(extent) for extent in part.split("x")] for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as 8,80, or of extents such as 1x80") from None
    return [tuple(part) if len(part) > 1 else part[0] for part in parts]


def _outputs(text: str) -> List[Union[int, str]]:
    return [int(part) if part.isdigit() else part for part in text.split(",")]


def _meta(text: str) -> Tuple[str, str]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not key=value")
    return key, value


def main(arguments: Optional[Sequence[str]] = None, program: str = "eigenstream") -> int:
    """The command; returns the exit code: 0 done, 1 error (argparse itself leaves with 2 on wrong usage)."""
    parser = argparse.ArgumentParser(
        prog=program, description="Write a torch network as an eigenstream model file."
    )
    parser.add_argument("target", type=_target, metavar="module:factory",
                        help="package.module:factory or path/to/file.py:factory, where factory is a torch module or a "
                             "callable without arguments that returns one")
    parser.add_argument("out", help="the .safetensors file to write")
    parser.add_argument("--weights", metavar="state.pt", help="a state_dict, saved by torch.save, to load first")
    parser.add_argument("--padding", choices=PADDING_POLICIES, default="exact",
                        help="exact: the offline result with its padding (default); valid: no time padding anywhere")
    parser.add_argument("--inputs", type=_inputs, metavar="C[,C...]",
                        help="the channels of each signal that forward takes, if it takes several or no layer says; of the first one, "
                             "if its frames have space, all extents but those of batch and time, as in 1x80")
    parser.add_argument("--rates", type=_channels, metavar="R[,R...]",
                        help="for each of these signals, how many frames of the first one come for one of its frames, as in "
                             "1,256")
    parser.add_argument("--time-axis", type=int, choices=(-1, 0, 1, 2, 3, 4), default=-1,
                        help="which axis of the signals is the time: the last one (default), or its number from 0")
    parser.add_argument("--outputs", type=_outputs, metavar="NAME[,NAME...]",
                        help="which of the signals that forward gives are wanted, by name or number, if not all are")
    parser.add_argument("--meta", action="append", default=[], type=_meta, metavar="key=value",
                        help="a string of your own to store in the file; may be repeated")
    options = parser.parse_args(arguments)
    metadata = dict(options.meta)
    if len(metadata) != len(options.meta):
        parser.error("argument --meta: a key is given twice")
    try:
        metadata = checked_metadata(metadata)
        module = _build(options.target)
        if options.weights is not None:
            _load_weights(module, options.weights)
        description, tensors = describe(module, options.padding, options.inputs, True, options.rates, options.time_axis,
                                        options.outputs)
        save(options.out, description, tensors, metadata)
    except (ExportError, OSError) as error:
        print(f"{program}: error: {one_line(error)}", file=sys.stderr)
        return 1
    count = sum(tensor.numel() for tensor in tensors.values())
    print(f"{options.out}: {len(tensors)} tensors, {count} parameters, padding {options.padding}")
    return 0
