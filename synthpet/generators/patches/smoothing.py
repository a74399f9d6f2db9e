"""Gaussian smoothing of patches within the brain, through which gradients flow."""

from collections.abc import Sequence

import torch
from torch import Tensor

from synthpet.template.smoothing import FWHM_PER_SIGMA


def smooth_patches(images: Tensor, mask: Tensor, fwhm_voxels: Sequence[float]) -> Tensor:
    """Smooth patches within the brain: what lies outside neither counts nor is filled.

    Args:
        images: (B, C, I, J, K).
        mask: (B, 1, I, J, K), 1 in the brain and 0 outside.
        fwhm_voxels: full width at half maximum along I, J, K; 0 changes nothing.
    """
    from monai.networks.layers import gaussian_1d, separable_filtering

    if not any(fwhm_voxels):
        return images
    with torch.autocast(images.device.type, enabled=False):
        kernels = [gaussian_1d(torch.tensor(w / FWHM_PER_SIGMA, device=images.device)) for w in fwhm_voxels]
        within, inside = images.float() * mask, mask.float()
        return separable_filtering(within, kernels) / separable_filtering(inside, kernels).clamp_min(1e-6) * inside
