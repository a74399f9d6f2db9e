"""Read what a W&B run holds back from the file that an offline run leaves (LevelDB's log format, protobuf records)."""

import json
import struct
from pathlib import Path
from typing import Any

BLOCK, HEADER, START = 32768, 7, 7


class OfflineRun:
    """One run, or a part of it: who it is, what was logged, which artifacts it used and made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = list(_records(path.read_bytes()))
        run = next(r.run for r in self.records if r.WhichOneof("record_type") == "run")
        self.project, self.group, self.job_type, self.name = run.project, run.run_group, run.job_type, run.display_name
        self.id, self.goes_on = run.run_id, run.resume
        self.config = {item.key: json.loads(item.value_json) for item in run.config.update}
        self.rows: list[dict[str, Any]] = []
        self.axes: dict[str, str] = {}  # of what is drawn over what
        self.summary: dict[str, Any] = {}
        self.used: set[tuple[str, str, str]] = set()  # type, name, digest
        self.made: set[tuple[str, str, str]] = set()
        self.files: set[str] = set()  # names of files in artifacts
        self.alerts: list[str] = []
        for record in self.records:
            self._read(record)

    def _read(self, record: Any) -> None:
        kind = record.WhichOneof("record_type")
        if kind == "history":
            row = {i.key or i.nested_key[0]: json.loads(i.value_json) for i in record.history.item}
            self.rows.append({key: value for key, value in row.items() if key[0] != "_"})
        elif kind == "config":
            self.config |= {i.key or i.nested_key[0]: json.loads(i.value_json) for i in record.config.update}
        elif kind == "metric":
            self.axes[record.metric.glob_name or record.metric.name] = record.metric.step_metric
        elif kind == "summary":
            self.summary |= {i.key or i.nested_key[0]: json.loads(i.value_json) for i in record.summary.update}
        elif kind == "alert":
            self.alerts.append(record.alert.title)
        elif kind == "artifact":
            found = record.artifact
            self.files |= {entry.path for entry in found.manifest.contents}
            (self.used if found.use_after_commit else self.made).add((found.type, found.name, found.digest))

    @property
    def keys(self) -> set[str]:
        """Names of everything that was logged at some step."""
        return set().union(*self.rows)

    def curve(self, name: str) -> list[tuple[int, float]]:
        """Steps and values of one number."""
        step = f"{name.partition('/')[0]}/step"
        return [(row[step], row[name]) for row in self.rows if name in row]

    def uploads(self) -> str:
        """Everything that sharing the run would send, as text: records, tables; not where files lie on this disk."""
        for record in self.records:
            for entry in record.artifact.manifest.contents if record.WhichOneof("record_type") == "artifact" else ():
                entry.ClearField("local_path")
        tables = [path.read_text() for path in self.path.parent.rglob("*.json")]
        return "\n".join([*map(str, self.records), *tables])


def runs_in(work_dir: Path) -> list[OfflineRun]:
    """The runs of a study, or their parts, by time."""
    return [OfflineRun(path) for path in sorted((work_dir / "wandb").glob("offline-run-*/*.wandb"))]


def _records(content: bytes) -> Any:
    from wandb.proto import wandb_internal_pb2

    position, whole = START, b""
    while position + HEADER <= len(content):
        left = BLOCK - position % BLOCK
        if left < HEADER:
            position += left
            continue
        _, length, kind = struct.unpack("<IHB", content[position : position + HEADER])
        chunk = content[position + HEADER : position + HEADER + length]
        position += HEADER + length
        whole = chunk if kind in (1, 2) else whole + chunk  # 1: whole, 2: first, 3: middle, 4: last part
        if kind in (1, 4):
            yield wandb_internal_pb2.Record.FromString(whole)
