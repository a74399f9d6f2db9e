"""What a person's images must look like on the template: the rules that preparation's pages and validation share."""

__all__ = ["alignment", "flags", "measures", "subject"]
