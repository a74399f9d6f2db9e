"""Which processor computes, and in which precision: decided here for every command. Torch is imported when asked."""


def has_gpu(accelerator: str) -> bool:
    """Whether a GPU computes: there is one, and ``trainer.accelerator`` (``auto``, ``cpu``, ``gpu``) allows it."""
    import torch

    return accelerator != "cpu" and torch.cuda.is_available()


def device_name(accelerator: str) -> str:
    """``cuda`` or ``cpu``: where networks and solvers of a command compute."""
    return "cuda" if has_gpu(accelerator) else "cpu"


def resolve_precision(precision: str, accelerator: str) -> str:
    """``auto`` becomes ``bf16-mixed`` where the hardware multiplies bfloat16 matrices (GPU, AMX), else ``32-true``.

    On a CPU with AMX a training step takes about a third of the time; the generator's last layer and the losses stay
    in float32.
    """
    import torch

    if precision != "auto":
        return precision
    if has_gpu(accelerator):
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    return "bf16-mixed" if torch.cpu._is_amx_tile_supported() else "32-true"
