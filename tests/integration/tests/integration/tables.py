"""Asks a table of figures with DuckDB what the API was asked: tables.py TABLE.parquet ANSWER.json. Every figure is the same in both."""

import json
import sys
from datetime import datetime

import duckdb

table, answer = sys.argv[1:]
answer = json.load(open(answer))
stream, step_s = answer["stream"], answer["step_s"]
figures = duckdb.execute("SELECT * FROM read_parquet(?) WHERE stream = ?", [table, stream])
assert figures.fetchone(), "the stream has no rows"
COUNTS = {
    "attempts": "attempts", "plays": "plays", "start_failures": "start_failures", "exits_before_start": "exits_before_start",
    "rebuffers": "rebuffers", "rebuffer_ppm": "coalesce(stalled_ms * 1000000 // nullif(stalled_ms + played_ms, 0), 0)",
    "bitrate_bps": "coalesce(kilobits * 1000000 // nullif(played_ms, 0), 0)",
}
WHOLE = {
    "viewers": "(watched_ms + length_ms // 2) // length_ms", "watched_s": "watched_ms // 1000",
    **{name: name for name in ("viewers_peak", "uniques", "dropped_frames", "events", "dropped_events")}, **COUNTS,
}
SPREADS = [f"{name}_{figure}" for name in ("startup_ms", "latency_ms") for figure in ("count", "p50", "p90", "p95", "p99")]

# Point by point.
points = {round(datetime.fromisoformat(point["at"].replace("Z", "+00:00")).timestamp() * 1000): point for point in answer["series"]}
columns = ", ".join(f"{sql} AS {name}" for name, sql in WHOLE.items())
rows = duckdb.execute(
    f"SELECT epoch_ms(begins) AS moment, length_ms, {columns}, {', '.join(SPREADS)}, errors "
    "FROM read_parquet(?) WHERE stream = ? AND dimension = 'all' ORDER BY begins", [table, stream])
names = [column[0] for column in rows.description]
compared = 0
for row in (dict(zip(names, values)) for values in rows.fetchall()):
    assert row["length_ms"] == step_s * 1000, row
    point = points[row["moment"]]
    for name in WHOLE:
        assert row[name] == point[name], (row["moment"], name, row[name], point[name])
    for name in ("startup_ms", "latency_ms"):
        said = point[name] or {"count": 0}
        for figure in ("count", "p50", "p90", "p95", "p99"):
            assert row[f"{name}_{figure}"] == said.get(figure), (row["moment"], name, figure, row, said)
    assert row["errors"] == sum(error["count"] for error in point["errors"]), row
    compared += 1
busy = sum(1 for point in points.values() if point["events"])
assert compared >= busy > 0, (compared, busy)

# And in sum.
sums = duckdb.execute(
    "SELECT sum(attempts), sum(plays), sum(rebuffers), sum(events), sum(errors), sum(stalled_ms) * 1000000 // (sum(stalled_ms) + sum(played_ms)) "
    "FROM read_parquet(?) WHERE stream = ? AND dimension = 'all'", [table, stream]).fetchone()
total = answer["total"]
said = [total[name] for name in ("attempts", "plays", "rebuffers", "events")] + [sum(error["count"] for error in total["errors"]), total["rebuffer_ppm"]]
assert list(sums) == said, (sums, said)

# By the values of a dimension.
dimension = answer["by"]["dimension"]
values = duckdb.execute(
    "SELECT value, sum(played_ms) // 1000, sum(attempts), sum(plays), sum(rebuffers), sum(errors) FROM read_parquet(?) "
    "WHERE stream = ? AND dimension = ? GROUP BY value ORDER BY value", [table, stream, dimension]).fetchall()
said = [tuple(value[name] for name in ("value", "watched_s", "attempts", "plays", "rebuffers", "error_count")) for value in answer["by"]["values"]]
# Where few watched is "other" in the time that is asked for, which is a minute in a row and all of it in the answer.
if dimension in ("country", "region", "network"):
    added = lambda rows: [sum(row[column] for row in rows) for column in range(1, 6)]
    assert added(values) == added(said), (dimension, values, said)
else:
    assert values == sorted(said), (dimension, values, sorted(said))
    # Who watched and quantiles cannot be added up: they are compared where a value has one row.
    for value in answer["by"]["values"]:
        rows = duckdb.execute(
            f"SELECT uniques, {', '.join(SPREADS)} FROM read_parquet(?) WHERE stream = ? AND dimension = ? AND value = ?",
            [table, stream, dimension, value["value"]]).fetchall()
        if len(rows) == 1:
            said = [value["uniques"]] + [(value[name] or {"count": 0}).get(figure) for name in ("startup_ms", "latency_ms") for figure in ("count", "p50", "p90", "p95", "p99")]
            assert list(rows[0]) == said, (dimension, value, rows)
assert len(values) > 1 or dimension != "country", values
print(f"{compared} rows of all viewers and {len(values)} values of {dimension} are what the API says")
