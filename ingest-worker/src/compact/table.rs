//! Figures of all streams as a Parquet file. What a row says is decided in `tidegate-beacon`; the columns are named and described in
//! `functions/analytics/README.md`.

use std::sync::Arc;

use parquet::{
    basic::Compression,
    data_type::{ByteArray, ByteArrayType, DataType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::parser::parse_message_type,
};
use tidegate_beacon::{Of, Row, Whole};
use tidegate_stream::StreamId;

/// A file that is being made, in memory.
pub(super) struct Table {
    writer: SerializedFileWriter<Vec<u8>>,
    rows: Vec<(StreamId, Row)>,
}

/// Rows of a row group: engines read one at a time, and so many wait in memory.
const GROUP_ROWS: usize = 16_384;

type Number = fn(&Row) -> Option<u64>;

/// What every row has.
const COUNTS: [(&str, Number); 12] = [
    ("played_ms", |row| Some(row.tally.played_ms)),
    ("stalled_ms", |row| Some(row.tally.stalled_ms)),
    ("rebuffers", |row| Some(row.tally.stalls)),
    ("attempts", |row| Some(row.tally.attempts)),
    ("plays", |row| Some(row.tally.plays)),
    ("start_failures", |row| Some(row.tally.start_failures)),
    ("exits_before_start", |row| Some(row.tally.exits_before_start)),
    ("errors", |row| Some(row.tally.errors)),
    ("kilobits", |row| Some(row.tally.kilobits)),
    ("uniques", |row| Some(row.uniques)),
    ("startup_ms_count", |row| Some(row.startup_ms.count)),
    ("latency_ms_count", |row| Some(row.latency_ms.count)),
];

/// What only some have: quantiles where there is a value, and what is known of all viewers alone.
const MORE: [(&str, Number); 13] = [
    ("watched_ms", |row| Some(whole(row)?.watched_ms)),
    ("viewers_peak", |row| Some(whole(row)?.viewers_peak)),
    ("dropped_frames", |row| Some(whole(row)?.dropped_frames)),
    ("events", |row| Some(whole(row)?.events)),
    ("dropped_events", |row| Some(whole(row)?.dropped_events)),
    ("startup_ms_p50", |row| row.startup_ms.at[0]),
    ("startup_ms_p90", |row| row.startup_ms.at[1]),
    ("startup_ms_p95", |row| row.startup_ms.at[2]),
    ("startup_ms_p99", |row| row.startup_ms.at[3]),
    ("latency_ms_p50", |row| row.latency_ms.at[0]),
    ("latency_ms_p90", |row| row.latency_ms.at[1]),
    ("latency_ms_p95", |row| row.latency_ms.at[2]),
    ("latency_ms_p99", |row| row.latency_ms.at[3]),
];

fn whole(row: &Row) -> Option<&Whole> {
    match &row.of {
        Of::All(whole) => Some(whole),
        Of::Value(..) => None,
    }
}

fn dimension(row: &Row) -> &'static str {
    match row.of {
        Of::All(_) => "all",
        Of::Value(dimension, _) => dimension.as_str(),
    }
}

fn value(row: &Row) -> Option<&str> {
    match &row.of {
        Of::All(_) => None,
        Of::Value(_, value) => Some(value),
    }
}

impl Table {
    /// No rows.
    pub(super) fn new() -> Result<Self, ParquetError> {
        let counts = COUNTS.map(|(name, _)| format!("REQUIRED INT64 {name};")).concat();
        let more = MORE.map(|(name, _)| format!("OPTIONAL INT64 {name};")).concat();
        let schema = parse_message_type(&format!(
            "message figures {{ REQUIRED BYTE_ARRAY stream (STRING); REQUIRED INT64 begins (TIMESTAMP(MILLIS,true)); REQUIRED INT64 length_ms; \
             REQUIRED BYTE_ARRAY dimension (STRING); OPTIONAL BYTE_ARRAY value (STRING); {counts} {more} }}"
        ))?;
        // Names repeat and are numbered, and counts are small: compressing takes a library in C and saves little more.
        let properties = WriterProperties::builder().set_compression(Compression::UNCOMPRESSED).set_created_by("tidegate".into()).build();
        let writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
        Ok(Self { writer, rows: Vec::new() })
    }

    /// Adds the rows of a stream.
    pub(super) fn add(&mut self, stream: &StreamId, rows: Vec<Row>) -> Result<(), ParquetError> {
        self.rows.extend(rows.into_iter().map(|row| (stream.clone(), row)));
        if self.rows.len() >= GROUP_ROWS { self.write_group() } else { Ok(()) }
    }

    /// The bytes of the file so far.
    pub(super) fn len(&self) -> usize {
        self.writer.bytes_written()
    }

    /// The file.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, ParquetError> {
        self.write_group()?;
        self.writer.into_inner()
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        let mut group = self.writer.next_row_group()?;
        texts(&mut group, rows.iter().map(|(stream, _)| Some(stream.as_str())), false)?;
        numbers(&mut group, rows.iter().map(|(_, row)| Some(row.at_ms)), false)?;
        numbers(&mut group, rows.iter().map(|(_, row)| Some(row.length_ms)), false)?;
        texts(&mut group, rows.iter().map(|(_, row)| Some(dimension(row))), false)?;
        texts(&mut group, rows.iter().map(|(_, row)| value(row)), true)?;
        for (_, number) in COUNTS {
            numbers(&mut group, rows.iter().map(|(_, row)| number(row)), false)?;
        }
        for (_, number) in MORE {
            numbers(&mut group, rows.iter().map(|(_, row)| number(row)), true)?;
        }
        group.close()?;
        Ok(())
    }
}

type Group<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

fn texts<'t>(group: &mut Group<'_>, values: impl Iterator<Item = Option<&'t str>>, optional: bool) -> Result<(), ParquetError> {
    column::<ByteArrayType>(group, values.map(|value| value.map(ByteArray::from)), optional)
}

fn numbers(group: &mut Group<'_>, values: impl Iterator<Item = Option<u64>>, optional: bool) -> Result<(), ParquetError> {
    column::<Int64Type>(group, values.map(|value| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX))), optional)
}

/// The next column of a group.
fn column<T: DataType>(group: &mut Group<'_>, values: impl Iterator<Item = Option<T::T>>, optional: bool) -> Result<(), ParquetError> {
    let mut defined = Vec::new();
    let there = values.inspect(|value| defined.push(i16::from(value.is_some())));
    let there: Vec<T::T> = there.flatten().collect();
    let mut column = group.next_column()?.ok_or_else(|| ParquetError::General("the schema has fewer columns than a row".into()))?;
    column.typed::<T>().write_batch(&there, optional.then_some(&*defined), None)?;
    column.close()
}
