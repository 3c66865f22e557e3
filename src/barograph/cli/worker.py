"""`barograph worker`: run the jobs that servers announce by Celery."""

import logging
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from barograph import config
from barograph.wiring.jobs import build_worker


def worker(
    processes: Annotated[
        int | None,
        typer.Option(
            help="Jobs that run at a time, each in its process. Default: job_workers.", min=1
        ),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="The server's, where the catalog is in it. Default: ./data")
    ] = None,
    config_file: Annotated[
        Path | None, typer.Option("--config", help="A TOML file with settings, as the server's.")
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, typer.Option(help="How much to log.")
    ] = None,
) -> None:
    """Run jobs beside the server: summaries, reports and their delivery.

    Give it the server's settings. It needs [bold]celery_broker[/bold] (redis://… or amqp://…, the
    same as the server's) and readings on a database ([bold]readings_url[/bold]). Start as many as
    you like, on any machine; Ctrl-C or SIGTERM gives running jobs back to the queue. What a killed
    one leaves is finished by another within a minute.

    [dim]Example:[/dim] BAROGRAPH_CELERY_BROKER=redis://localhost barograph worker --processes 2
    """
    settings = config.load(
        config_file, job_workers=processes, data_dir=data_dir, log_level=log_level
    )
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s %(processName)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )
    # What these would say of each message, the job's row says better.
    for talkative in ("celery.worker.strategy", "celery.app.trace", "alembic"):
        logging.getLogger(talkative).setLevel("WARNING")
    sys.exit(build_worker(settings).run())
