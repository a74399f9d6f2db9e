"""Batch norm at inference is an affine map: as part of the convolution before it, it costs no pass over memory."""

from itertools import pairwise

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_norms(layers: nn.Sequential) -> None:
    """Make each batch norm that follows a convolution part of it, in place; the output is the same up to rounding.

    Args:
        layers: in evaluation mode.
    """
    for k, (layer, following) in enumerate(pairwise(list(layers))):
        if isinstance(layer, _ConvNd) and isinstance(following, _BatchNorm):
            layers[k] = fuse_conv_bn_eval(layer, following)
            layers[k + 1] = nn.Identity()
