"""All the commands, put together."""

from barograph.cli import (
    backup,
    device,
    doctor,
    export,
    import_files,
    latest,
    move,
    report,
    restore,
    serve,
    show_config,
    simulate,
    summary,
    user,
    worker,
)
from barograph.cli.complaint import complain
from barograph.cli.top import new_app
from barograph.client import BarographClientError, ServerError, Unauthenticated

app = new_app()
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("simulate")(simulate.simulate)
app.add_typer(user.app, name="user")
app.add_typer(device.app, name="device")
app.command("latest")(latest.latest)
app.command("summary")(summary.summary)
app.command("report")(report.report)
app.command("import")(import_files.import_files)
app.command("export")(export.export)
app.command("backup")(backup.backup)
app.command("restore")(restore.restore)
app.command("move")(move.move)
app.command("doctor")(doctor.doctor)
app.command("config")(show_config.show_config)


def run(arguments: list[str]) -> int:
    """Run a command that may talk to a server; 1 where the server refused it."""
    try:
        app(arguments)
    except BarographClientError as error:
        complain(str(error))
        if isinstance(error, ServerError) and len(error.errors) > 1:
            for problem in error.errors:
                complain(f"{problem.at}: {problem.message}")
        if isinstance(error, Unauthenticated):
            complain("give a token with --token, or in the environment as BAROGRAPH_TOKEN")
        return 1
    return 0
