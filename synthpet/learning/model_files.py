"""Model files from a stranger: arrays and weights are read without running code, and without trusting their sizes.

What a header claims is held against the file's length before anything is allocated.
"""

import hashlib
import math
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from synthpet.errors import DataError, UsageError

if TYPE_CHECKING:
    from torch import nn

    Network = TypeVar("Network", bound=nn.Module)

MAX_CONFIG_BYTES = 1_000_000
BOMB_BYTES = 100_000_000  # uncompressed size from which
BOMB_RATIO = 100  # an archive may not be so many times smaller than its content
MAX_NUMBER = 2**20  # in a network's options: no width, size or count is larger


def read_arrays(path: Path, needed: Iterable[str] = ()) -> dict[str, NDArray]:
    """The arrays of an ``.npz`` file, checked by the archive's checksums; objects are refused.

    Args:
        path: the file.
        needed: arrays that have to be among them.

    Raises:
        DataError: not an archive of plain arrays, damaged, or with sizes that its length cannot hold.
    """
    check_is_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > max(BOMB_BYTES, BOMB_RATIO * path.stat().st_size):
                raise ValueError(f"claims {total:,} bytes in {path.stat().st_size:,}")
            if damaged := archive.testzip():
                raise ValueError(f"checksum of {damaged} is wrong")
            found = {member.filename.removesuffix(".npy"): _read_array(archive, member) for member in members}
            if missing := sorted(set(needed) - set(found)):
                raise ValueError(f"no {', '.join(missing)}")
            return found
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, RuntimeError) as error:
        raise DataError(
            f"E_MODEL {path}: cannot be read ({error}); expected arrays as written by this project, without objects. "
            "Make it again, or get the file again from whoever made it"
        ) from error


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray:
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(stream)
        needed = stream.tell() + math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise ValueError(f"{member.filename} holds objects, which allow_pickle=True would run")
    if needed != member.file_size:
        raise ValueError(
            f"{member.filename}: shape {shape} of type {dtype} needs {needed:,} bytes, found {member.file_size:,}"
        )
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def load_network(build: Callable[[], "Network"], weights: Path, options: Any) -> "Network":
    """Build a network from a stranger's options and give it the weights of a safetensors file.

    The network is first built without memory; only when every tensor is of the size that the file holds (its length is
    checked by safetensors) is it built for real.

    Args:
        build: makes the network from ``options``.
        weights: safetensors.
        options: what ``build`` uses, as read from a file: plain values.

    Returns:
        The network in evaluation mode.

    Raises:
        DataError: options and weights do not belong together, or either cannot be read.
    """
    import torch
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    check_is_file(weights)
    try:
        _check_numbers(options)
        with torch.device("meta"):
            expected = {name: list(tensor.shape) for name, tensor in build().state_dict().items()}
        with safe_open(weights, framework="numpy") as stored:
            found = {name: stored.get_slice(name).get_shape() for name in stored.keys()}  # noqa: SIM118 - no mapping
        if different := sorted(k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k)):
            name = different[0]
            raise ValueError(
                f"{len(different)} tensors differ, {name}: {found.get(name)}, expected {expected.get(name)}"
            )
        network = build()
        state = load_file(weights)
        if bad := sorted(name for name, tensor in state.items() if not torch.isfinite(tensor).all()):
            raise ValueError(f"{len(bad)} tensors hold values that are not numbers, {bad[0]}")
        network.load_state_dict(state)
    except (RuntimeError, OSError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, SafetensorError,
            UsageError) as error:  # fmt: skip
        raise DataError(
            f"E_MODEL {weights}: does not fit the options beside it ({error}); expected both files as one training "
            "wrote them: train again, or get both again from whoever made them"
        ) from error
    return network.eval()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A Lightning checkpoint as plain values and tensors; anything else in it is refused, not run.

    Raises:
        DataError: damaged, compressed (Torch's own are not), or with objects that would run code.
    """
    import pickle

    import torch

    try:
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("it is compressed")
            if damaged := archive.testzip():  # Torch itself ignores the checksums
                raise ValueError(f"checksum of {damaged} is wrong")
            if any(member.external_attr for member in archive.infolist()):
                raise ValueError("a tensor is marked as a folder")  # Torch would leave its memory unset
            if archive.comment and archive.comment != _digest_before(path, len(archive.comment)):
                raise ValueError("its SHA-256 is wrong")
        content = torch.load(path, map_location="cpu", weights_only=True)
        int(content["state_dict"]["step"])
        if not content["optimizer_states"] or not content["loops"] or not isinstance(content["callbacks"], dict):
            raise ValueError("its optimizers, loops or callbacks are missing")  # Lightning would begin them anew
        return content
    except (pickle.UnpicklingError, zipfile.BadZipFile, OSError, EOFError, ValueError, TypeError, KeyError, LookupError,
            AttributeError, RuntimeError, ArithmeticError) as error:  # fmt: skip
        raise DataError(
            f"E_CHECKPOINT {path}: cannot be continued ({str(error).splitlines()[0] if str(error) else error!r}); "
            "expected a checkpoint of this training. Delete it to train anew"
        ) from error


def _digest_before(path: Path, n_last: int) -> bytes:
    return hashlib.sha256(path.read_bytes()[:-n_last]).hexdigest().encode()


def read_options(path: Path) -> str:
    """The text of a model's options.

    Raises:
        DataError: missing, far longer than any options are, or not UTF-8.
    """
    check_is_file(path)
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ValueError(f"{path.stat().st_size:,} bytes")
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"E_MODEL {path}: {error}; expected the options of a trained model") from error


def check_is_file(path: Path) -> Path:
    """Return the path of a file.

    Raises:
        DataError: it is missing, or a pipe, a device or a folder, which would never end.
    """
    if not path.is_file():
        raise DataError(
            f"E_MODEL {path}: no file; expected one as a training writes it; get it again from whoever made it"
        )
    return path


def plain_yaml(path: Path) -> Any:
    """The content of a model's YAML: plain values, without anchors, which a kilobyte of can stand for gigabytes.

    Raises:
        DataError: it is anything else.
    """
    import yaml

    text = read_options(path)
    try:
        if any(getattr(event, "anchor", None) for event in yaml.parse(text, Loader=yaml.CSafeLoader)):
            raise ValueError("it has anchors or aliases")
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:  # also tags that make objects
        raise DataError(f"E_MODEL {path}: {error}; expected plain YAML, as a training writes it") from error


def _check_numbers(node: Any) -> None:
    """No number of a network's options may be absurd, and no list long: they decide how much is built."""
    if isinstance(node, dict | list | tuple):
        if len(node) > 64:
            raise ValueError(f"{len(node)} options in one place")
        for child in node.values() if isinstance(node, dict) else node:
            _check_numbers(child)
    elif isinstance(node, int | float) and not abs(node) <= MAX_NUMBER:
        raise ValueError(f"{node}: no option is that large")
