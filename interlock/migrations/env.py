"""What Alembic runs to apply the steps: on the connection that `interlock.storage.migrate` gives."""

from alembic import context
from sqlalchemy import Connection

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
