"""The layout of the project's page in W&B: training curves, quality, detection, and a table of runs."""

from typing import Any

TRAINING = {
    "Losses of the generator": ("train/loss_generator", "train/loss_reconstruction", "train/loss_adversarial"),
    "Loss of the discriminator": ("train/loss_discriminator",),
    "Error on a left-out subject, SUVR": ("val/mae",),
    "Contrast on a left-out subject, 1: as measured": ("val/contrast",),
    "Gradient norms": ("train/gradient_norm", "train/gradient_norm_discriminator"),
    "Learning rates": ("train/learning_rate", "train/learning_rate_discriminator"),
    "Patches a second": ("train/patches_per_second",),
    "Autoencoder of the detector": ("train/loss_autoencoder",),
}
PICTURE = "example"
QUALITY = ("quality/mae", "quality/ssim", "quality/psnr", "quality/gap_closed", "quality/variance_ratio")
DETECTION = (
    "evaluate/n_detected",
    "evaluate/sensitivity",
    "evaluate/mean_rank_censored",
    "evaluate/false_clusters_per_control",
)
TABLES = {"Quality of synthesis": "quality", "Detection": "rank_table"}
PINNED = ("val/mae", "quality/mae", "quality/ssim", "evaluate/n_detected", "evaluate/mean_rank_censored", "seconds")


def workspace(entity: str, project: str) -> Any:
    """The layout, not saved yet.

    Args:
        entity: user or team that the project belongs to.
        project: its name.

    Raises:
        ImportError: wandb-workspaces is not installed.
    """
    import wandb_workspaces.reports.v2 as panels
    import wandb_workspaces.workspaces as ws

    curves: list[Any] = [panels.LinePlot(title=title, x="Step", y=list(keys)) for title, keys in TRAINING.items()]
    sections: dict[str, list[Any]] = {"Training": [*curves, panels.MediaBrowser(title=PICTURE, media_keys=[PICTURE])]}
    for (name, table), keys in zip(TABLES.items(), (QUALITY, DETECTION), strict=True):
        bars = [panels.BarPlot(title=key, metrics=[key]) for key in keys]
        sections[name] = [*bars, panels.WeavePanelSummaryTable(table_name=table)]
    return ws.Workspace(
        name="synthpet-uad overview",
        entity=entity,
        project=project,
        sections=[ws.Section(name=name, panels=found, is_open=True) for name, found in sections.items()],
        runset_settings=ws.RunsetSettings(
            groupby=[ws.Metric("Group"), ws.Metric("JobType")],
            pinned_columns=[f"summary:{key}" for key in PINNED],
        ),
    )
