"""From one space to another: transforms as files, rigid and nonlinear registration, native space."""

__all__ = ["itk", "native", "registration", "rigid", "transform"]
