"""What a folder holds: its people, the images of each, what participants.tsv says of them; no image is opened here."""

from synthpet.prepare.raw.people import RawData, RawOptions, read_raw
from synthpet.prepare.raw.subject import RawSubject

__all__ = ["RawData", "RawOptions", "RawSubject", "attenuation", "inheritance", "layouts", "look", "read_raw"]
