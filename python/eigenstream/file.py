"""Writes model files."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import math
import os
import re
import secrets
import stat
import sys
from array import array
from typing import Any, BinaryIO, Dict, Iterator, Mapping, Optional

import torch
from torch import Tensor

from . import format
from .errors import ExportError, is_unicode
from .format import FORMAT_VERSION, Node, PathLike


def raw_bytes(tensor: Tensor) -> memoryview:
    """The elements of a contiguous float32 tensor on the CPU, little-endian, without the help of numpy."""
    if tensor.dtype != torch.float32 or tensor.device.type != "cpu" or not tensor.is_contiguous():
        raise ExportError(f"only contiguous float32 tensors on the CPU can be written, not {tensor.dtype}")
    count = 4 * tensor.numel()
    data = (ctypes.c_char * count).from_address(tensor.data_ptr()) if count else (ctypes.c_char * 0)()
    data.tensor = tensor  # alive as long as its memory is looked at
    if sys.byteorder == "big":
        swapped = array("f")
        swapped.frombytes(memoryview(data))
        swapped.byteswap()
        return memoryview(swapped).cast("B")
    return memoryview(data).cast("B")


@contextlib.contextmanager
def _output_file(path: PathLike) -> Iterator[BinaryIO]:
    """A file that appears complete or, on any error, not at all: it is written under another name beside its own. A link
    is written through. Errors: OSError from the file system, also for what is there and is no regular file.
    """
    name = os.fsdecode(path)
    if not os.path.basename(name):
        raise OSError(f"{name!r} is not the name of a file")
    target = os.path.realpath(name)
    mode = None
    if os.path.lexists(target):
        mode = os.stat(target).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        if not stat.S_ISREG(mode):
            raise OSError(f"{name!r} is not a regular file")
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
    unfinished = f"{target}.{secrets.token_hex(4)}.tmp"
    try:
        with open(unfinished, "xb") as file:
            yield file
        if mode is not None:
            os.chmod(unfinished, stat.S_IMODE(mode))
        os.replace(unfinished, target)
    except BaseException:
        if os.path.exists(unfinished):
            os.remove(unfinished)
        raise


def write_safetensors(path: PathLike, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write float32 tensors and string metadata as a safetensors file, in the order given.

    The file appears at once or, on any error, not at all; a link is written through. Errors: ExportError for what the
    format cannot hold, OSError from the file system, also for a device, a pipe or a directory in the file's place.
    """
    if not all(isinstance(text, str) for text in (*tensors, *metadata, *metadata.values())):
        raise ExportError("metadata must map strings to strings, and tensors must have strings for names")
    if "__metadata__" in tensors:
        raise ExportError("no tensor can have the name __metadata__")
    header: Dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + 4 * tensor.numel()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [begin, end]}
    try:
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ExportError(f"a tensor's name or the metadata is not valid Unicode: {error}") from None
    text += b" " * (-len(text) % 8)
    if len(text) > format.MAX_HEADER_BYTES:
        raise ExportError(f"the header has {len(text)} bytes, at most {format.MAX_HEADER_BYTES} are allowed")
    if 8 + len(text) + end > format.MAX_FILE_BYTES:
        raise ExportError(f"the file would have {8 + len(text) + end} bytes, at most {format.MAX_FILE_BYTES} are allowed")
    with _output_file(path) as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for tensor in tensors.values():
            file.write(raw_bytes(tensor))


def checked_metadata(metadata: Optional[Mapping[str, str]]) -> Dict[str, str]:
    """The user's own strings. The program reads one of them."""
    if metadata is not None and not isinstance(metadata, Mapping):
        raise ExportError(f"metadata must map strings to strings, and is a {type(metadata).__name__}")
    for key, value in (metadata or {}).items():
        if not (isinstance(key, str) and isinstance(value, str)):
            raise ExportError(f"metadata must map strings to strings, not {key!r} to {value!r}")
        if not is_unicode(key, value):
            raise ExportError(f"metadata {key!r}: {value!r} is not valid Unicode")
        if key == "sample_rate_hz":
            number = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", value)
            if number is None or not 0 < float(value) < math.inf:
                raise ExportError(f"metadata sample_rate_hz is {value!r}, not a positive number such as '16000'")
    return dict(metadata or {})


def save(path: PathLike, description: Node, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    model: Dict[str, Any] = {"version": FORMAT_VERSION}
    if metadata:
        model["metadata"] = metadata
    model["network"] = description
    text = json.dumps(model, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    write_safetensors(path, tensors, {"eigenstream": text})
