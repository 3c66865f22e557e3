"""Runs migrations on the connection that `stores.catalog.migrate` hands over."""

from alembic import context

from barograph.stores.catalog.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite changes a column by copying its table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
