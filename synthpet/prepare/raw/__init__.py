"""What a folder holds: its people, the images of each, what participants.tsv says of them; no image is opened here."""

from synthpet.prepare.raw.options import RawOptions
from synthpet.prepare.raw.people import RawData, read_raw
from synthpet.prepare.raw.subject import RawSubject

__all__ = ["RawData", "RawOptions", "RawSubject", "attenuation", "inheritance", "layouts", "look", "read_raw"]
