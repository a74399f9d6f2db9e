"""``python -m synthpet.tracking <entity>``: save the layout of the project's page to W&B, once."""

import argparse
import sys


def main() -> None:
    """Save the layout as a view of the project; needs `wandb login` and `pip install 'synthpet-uad[layout]'`."""
    parser = argparse.ArgumentParser(prog="python -m synthpet.tracking", description=main.__doc__)
    parser.add_argument("entity", help="user or team of W&B that the project belongs to")
    parser.add_argument("--project", default="synthpet-uad", help="logger.project of the runs (default: %(default)s)")
    chosen = parser.parse_args()
    try:
        from synthpet.tracking.client import import_wandb
        from synthpet.tracking.layout import workspace

        import_wandb()

        view = workspace(chosen.entity, chosen.project)
    except ImportError:
        sys.exit("UsageError: wandb-workspaces is not installed; pip install 'synthpet-uad[layout]'")
    view.save()
    sys.stdout.write(f"saved: {view.url}\n")


if __name__ == "__main__":
    main()
