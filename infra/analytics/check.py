"""Runs clickhouse.sql in an embedded ClickHouse (chdb-core, from PyPI), fills it with rows as edges send them, and asks what its comment says.

check.py COMMAND...: the command makes rows of lines (`cargo run -p tidegate-raw --example rows`).
"""

import json
import pathlib
import subprocess
import sys
import tempfile

from chdb import session

here = pathlib.Path(__file__).parent
text = (here / "clickhouse.sql").read_text()
code = "\n".join(line for line in text.splitlines() if not line.strip().startswith("--"))
with tempfile.TemporaryDirectory() as folder:
    database = session.Session(folder)
    for statement in code.split(";"):
        if statement.strip():
            database.query(statement)
    rows = []
    for n in range(3):
        for at, rest in ((0, 'e=ps,msd=400'), (30, 'com.tidegate-since="30000 29000 1000 1 1",e=t'), (31, 'e=e,ec=("decode")')):
            line = f'br=(3000),cid="demo",{rest},ltc=1500,sid="s{n}",sn={at},sta=p,ts=1'
            rows.append(f"{1_795_648_200_123 + at * 1000} {line}")
    rows = subprocess.run(sys.argv[1:], input="\n".join(rows), stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    # The last report comes again.
    rows.append(rows[-1])
    # No double braces in the data: the statement is text.
    database.query("INSERT INTO tidegate.beacons FORMAT JSONEachRow " + "\n".join(rows))
    seen = database.query("SELECT session, number, event, state, error, kbps, startup_ms, latency_ms, played_ms, stalled_ms, stalls "
                          "FROM tidegate.beacons FINAL ORDER BY session, number", "JSONCompactEachRow")
    seen = [json.loads(line) for line in str(seen).splitlines()]
    assert len(seen) == 9, seen
    assert seen[0] == ["s0", 0, "ps", "p", "", 3000, 400, 1500, 0, 0, 0], seen[0]
    assert seen[1] == ["s0", 30, "t", "p", "", 3000, None, 1500, 29000, 1000, 1], seen[1]
    assert seen[2][4] == "decode", seen[2]
    moment = database.query("SELECT min(at), any(stream), any(edge), any(country) FROM tidegate.beacons", "JSONCompactEachRow")
    assert json.loads(str(moment)) == ["2026-11-25 23:10:00.123", "demo", "a", "DE"], moment
    minute = database.query("SELECT sum(played_ms), sum(stalled_ms), sum(plays), uniqCombinedMerge(12)(sessions), quantilesMerge(0.5, 0.95, 0.99)(latency) "
                            "FROM tidegate.minutes WHERE stream = 'demo' GROUP BY minute", "JSONCompactEachRow")
    minute = json.loads(str(minute))
    assert [int(number) for number in minute[:4]] == [87000, 3000, 3, 3], minute
    assert minute[4] == [1500, 1500, 1500], minute
print("clickhouse.sql: tables, materialised view and figures are as they should be")
