"""The semi-3D form: adjacent transverse slices as channels of a 2D network."""

from torch import Tensor, nn


class SlicesAsChannels(nn.Module):
    """Let a 2D network see a stack of K slices: (B, C, I, J, K) as (B, C*K, I, J) and back.

    Args:
        network: takes (B, C*K, I, J), returns (B, D*K, I, J), or (B, D, I, J) with ``unfold=False``.
        unfold: whether the network's output channels are slices again.
    """

    def __init__(self, network: nn.Module, n_slices: int, *, unfold: bool = True) -> None:
        super().__init__()
        self.network = network
        self.n_slices = n_slices
        self.unfold = unfold

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, I, J, K) to (B, D, I, J, K); without unfolding to (B, D, I, J)."""
        b, c, i, j, k = x.shape
        y = self.network(x.permute(0, 1, 4, 2, 3).reshape(b, c * k, i, j))
        if not self.unfold:
            return y
        return y.reshape(b, -1, self.n_slices, *y.shape[2:]).permute(0, 1, 3, 4, 2)  # (B, D, I, J, K)
