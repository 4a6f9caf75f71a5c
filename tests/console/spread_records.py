"""Spreads the records of a gateway over the last minutes, as a day's work would, for pictures alone."""

import math
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

MINUTES = 50
PATIENCE = 30.0  # seconds that another writer may hold the database


def busy(minute: int) -> float:
    """Return how much is going on in a minute, as a share of the others."""
    return 4 + 2 * math.sin(minute / 6) + 1.5 * math.sin(minute / 2.1 + 1) + minute / 25


def spread(database: Path) -> None:
    """Give every record another time, in the order in which they were made."""
    shares = [busy(minute) for minute in range(MINUTES)]
    start = datetime.now(UTC) - timedelta(minutes=MINUTES)
    with closing(sqlite3.connect(database, timeout=PATIENCE)) as connection, connection:
        ids = [each for (each,) in connection.execute("SELECT id FROM records ORDER BY id")]
        for place, each in enumerate(ids):
            rest = sum(shares) * (place + 0.5) / len(ids)
            minute = 0
            while rest > shares[minute]:
                rest -= shares[minute]
                minute += 1
            time = start + timedelta(minutes=minute + rest / shares[minute])
            stored = time.strftime("%Y-%m-%d %H:%M:%S.%f")
            connection.execute("UPDATE records SET time = ? WHERE id = ?", (stored, each))


if __name__ == "__main__":
    spread(Path(sys.argv[1]) / "interlock.db")
