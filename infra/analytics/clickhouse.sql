-- Lines of players' reports, for whoever has outgrown windows: any slicing, single sessions, other times.
--   clickhouse-client --multiquery < clickhouse.sql
-- Filled by edges, a row for each event:
--   tidegate-host --raw-url 'http://HOST:8123/?query=INSERT%20INTO%20tidegate.beacons%20FORMAT%20JSONEachRow'
-- A player sends a report again until it is taken, and so does an edge, so a line may stand here twice until parts merge.
CREATE DATABASE IF NOT EXISTS tidegate;

CREATE TABLE IF NOT EXISTS tidegate.beacons
(
    -- When an edge took it, by the edge's clock.
    at         DateTime64(3, 'UTC'),
    stream     LowCardinality(String),
    edge       LowCardinality(String),
    country    LowCardinality(String),
    network    LowCardinality(String),
    -- CMCD version 2 (CTA-5004-B), as the player wrote it. The session is a random name of one page load.
    line       String,
    session    String MATERIALIZED extract(line, '(?:^|,)sid="([^"]*)"'),
    number     UInt32 MATERIALIZED toUInt32OrZero(extract(line, '(?:^|,)sn=([0-9]+)')),
    event      LowCardinality(String) MATERIALIZED extract(line, '(?:^|,)e=([a-z]+)'),
    state      LowCardinality(String) MATERIALIZED extract(line, '(?:^|,)sta=([a-z]+)'),
    error      LowCardinality(String) MATERIALIZED extract(line, '(?:^|,)ec=\\("([^"]*)"'),
    kbps       UInt32 MATERIALIZED toUInt32OrZero(extract(line, '(?:^|,)br=\\(([0-9]+)')),
    startup_ms Nullable(UInt32) MATERIALIZED toUInt32OrNull(extract(line, '(?:^|,)msd=([0-9]+)')),
    latency_ms Nullable(UInt32) MATERIALIZED toUInt32OrNull(extract(line, '(?:^|,)ltc=([0-9]+)')),
    -- What our player says of the time since its event before; other players are worked out from their states.
    since      Array(UInt32) MATERIALIZED arrayMap(word -> toUInt32OrZero(word), splitByChar(' ', extract(line, 'com\\.tidegate-since="([^"]*)"'))),
    played_ms  UInt32 MATERIALIZED if(length(since) = 5, least(since[2], 90000), 0),
    stalled_ms UInt32 MATERIALIZED if(length(since) = 5, least(since[3], 90000), 0),
    stalls     UInt32 MATERIALIZED if(length(since) = 5, least(since[4], 900), 0)
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(at)
ORDER BY (stream, session, number)
TTL toDateTime(at) + INTERVAL 30 DAY;

-- The figures of each minute, added up as lines come in.
CREATE TABLE IF NOT EXISTS tidegate.minutes
(
    minute     DateTime('UTC'),
    stream     LowCardinality(String),
    country    LowCardinality(String),
    played_ms  SimpleAggregateFunction(sum, UInt64),
    stalled_ms SimpleAggregateFunction(sum, UInt64),
    stalls     SimpleAggregateFunction(sum, UInt64),
    plays      SimpleAggregateFunction(sum, UInt64),
    errors     SimpleAggregateFunction(sum, UInt64),
    sessions   AggregateFunction(uniqCombined(12), String),
    startup    AggregateFunction(quantiles(0.5, 0.95, 0.99), Nullable(UInt32)),
    latency    AggregateFunction(quantiles(0.5, 0.95, 0.99), Nullable(UInt32))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (stream, minute, country)
TTL minute + INTERVAL 13 MONTH;

CREATE MATERIALIZED VIEW IF NOT EXISTS tidegate.minutes_of_beacons TO tidegate.minutes AS
SELECT
    toStartOfMinute(toDateTime(b.at, 'UTC')) AS minute,
    b.stream AS stream,
    b.country AS country,
    sum(toUInt64(b.played_ms)) AS played_ms,
    sum(toUInt64(b.stalled_ms)) AS stalled_ms,
    sum(toUInt64(b.stalls)) AS stalls,
    countIf(b.startup_ms IS NOT NULL) AS plays,
    countIf(b.error != '') AS errors,
    uniqCombinedState(12)(b.session) AS sessions,
    quantilesState(0.5, 0.95, 0.99)(b.startup_ms) AS startup,
    quantilesState(0.5, 0.95, 0.99)(b.latency_ms) AS latency
FROM tidegate.beacons AS b
GROUP BY minute, stream, country;

-- Viewers by minute of the last hour:
--   SELECT minute, sum(played_ms) / 60000 AS viewers, uniqCombinedMerge(12)(sessions) AS sessions,
--          sum(stalled_ms) / (sum(stalled_ms) + sum(played_ms)) AS rebuffer, quantilesMerge(0.5, 0.95, 0.99)(latency) AS latency_ms
--   FROM tidegate.minutes WHERE stream = 'demo' AND minute > now() - INTERVAL 1 HOUR GROUP BY minute ORDER BY minute;
