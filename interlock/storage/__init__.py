"""The database: SQLite by default, PostgreSQL by its URL, one code for both."""
