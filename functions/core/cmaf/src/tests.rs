use alloc::{vec, vec::Vec};

use proptest::prelude::*;

use crate::*;

const AAC_48K: &[u8] = &[0x11, 0x90];

fn sample(duration: u32, cts: i32, sync: bool, data: &[u8]) -> Sample<'_> {
    Sample { duration, cts, sync, data }
}

/// The types of the boxes, depth first, as one line.
fn outline(bytes: &[u8]) -> alloc::string::String {
    let mut text = alloc::string::String::new();
    for found in Boxes::new(bytes) {
        let found = found.unwrap();
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(core::str::from_utf8(&found.kind).unwrap());
        if matches!(&found.kind, b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" | b"dinf" | b"mvex" | b"moof" | b"traf") {
            text.push('(');
            text.push_str(&outline(found.body));
            text.push(')');
        }
    }
    text
}

#[test]
fn an_audio_chunk_is_these_bytes() {
    let chunk = ChunkHead { sequence: 7, decode_time: 48_000, utc_us: None };
    let bytes = write_chunk(&chunk, &[sample(1024, 0, true, b"abc"), sample(1024, 0, true, b"de")]).unwrap();
    let golden: Vec<u8> = [
        b"\0\0\0\x68moof\0\0\0\x10mfhd\0\0\0\0\0\0\0\x07".as_slice(),
        b"\0\0\0\x50traf\0\0\0\x18tfhd\0\x02\0\x28\0\0\0\x01\0\0\x04\0\x02\0\0\0",
        b"\0\0\0\x14tfdt\x01\0\0\0\0\0\0\0\0\0\xbb\x80",
        b"\0\0\0\x1ctrun\x01\0\x02\x01\0\0\0\x02\0\0\0\x70\0\0\0\x03\0\0\0\x02",
        b"\0\0\0\x0dmdatabcde",
    ]
    .concat();
    assert_eq!(bytes, golden);
}

#[test]
fn a_video_chunk_with_b_frames_and_wall_clock_is_these_bytes() {
    let chunk = ChunkHead { sequence: 1, decode_time: 90_000, utc_us: Some(1_500_000) };
    let bytes =
        write_chunk(&chunk, &[sample(3000, 0, true, b"I"), sample(3000, 3000, false, b"P"), sample(3000, -3000, false, b"b")]).unwrap();
    let golden: Vec<u8> = [
        b"\0\0\0\x20prft\x01\0\0\x18\0\0\0\x01\x83\xaa\x7e\x81\x80\0\0\0\0\0\0\0\0\x01\x5f\x90".as_slice(),
        b"\0\0\0\x74moof\0\0\0\x10mfhd\0\0\0\0\0\0\0\x01",
        b"\0\0\0\x5ctraf\0\0\0\x1ctfhd\0\x02\0\x38\0\0\0\x01\0\0\x0b\xb8\0\0\0\x01\x01\x01\0\0",
        b"\0\0\0\x14tfdt\x01\0\0\0\0\0\0\0\0\x01\x5f\x90",
        b"\0\0\0\x24trun\x01\0\x08\x05\0\0\0\x03\0\0\0\x7c\x02\0\0\0\0\0\0\0\0\0\x0b\xb8\xff\xff\xf4\x48",
        b"\0\0\0\x0bmdatIPb",
    ]
    .concat();
    assert_eq!(bytes, golden);
    let read = read_chunk(&bytes, &Defaults::default()).unwrap();
    assert_eq!(read.producer_time, Some(ProducerTime { utc_us: 1_500_000, media_time: 90_000 }));
    assert_eq!(read.samples[2].cts, -3000);
}

#[test]
fn an_init_segment_has_the_boxes_that_cmaf_wants() {
    let avc = CodecConfig::avc(avc::tests::AVCC_720P).unwrap();
    let init = write_init(&avc, 30_000);
    let golden = "ftyp moov(mvhd trak(tkhd mdia(mdhd hdlr minf(vmhd dinf(dref) stbl(stsd stts stsc stco stsz)))) mvex(trex))";
    assert_eq!(outline(&init), golden);
    assert_eq!(&init[..28], b"\0\0\0\x1cftypiso6\0\0\0\0iso6cmfccmf2".as_slice());
    let read = read_init(&init).unwrap();
    assert_eq!((read.timescale, read.codec().as_str(), read.size()), (30_000, "avc1.64001f", Some((1280, 720))));
    assert_eq!(read.config, avc);
}

#[test]
fn an_audio_init_segment_gives_back_its_configuration() {
    for config in [AAC_48K, &[0x12, 0x08], &[0x2b, 0x11, 0x88, 0x00]] {
        let aac = CodecConfig::aac(config).unwrap();
        let read = read_init(&write_init(&aac, 48_000)).unwrap();
        assert_eq!((read.size(), read.timescale), (None, 48_000));
        assert_eq!(read.config, aac);
    }
}

#[test]
fn a_chunk_without_samples_is_refused() {
    assert_eq!(write_chunk(&ChunkHead { sequence: 0, decode_time: 0, utc_us: None }, &[]), Err(ChunkError::Empty));
}

#[test]
fn lengths_and_counts_that_lie_are_refused() {
    let chunk = ChunkHead { sequence: 7, decode_time: 0, utc_us: None };
    let good = write_chunk(&chunk, &[sample(1024, 0, true, b"abc"), sample(1024, 0, true, b"def")]).unwrap();
    let defaults = Defaults::default();
    let trun = good.windows(4).position(|four| four == b"trun").unwrap();
    let mut many = good.clone();
    many[trun + 8..trun + 12].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(read_chunk(&many, &defaults), Err(ReadError::Samples(u32::MAX)));
    let mut beyond = good.clone();
    beyond[trun + 8..trun + 12].copy_from_slice(&3u32.to_be_bytes());
    assert_eq!(read_chunk(&beyond, &defaults), Err(ReadError::Data(2)));
    let mut long = good.clone();
    long[..4].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(read_chunk(&long, &defaults), Err(ReadError::Length { at: 0 }));
    assert_eq!(read_chunk(&[], &defaults), Err(ReadError::Missing(*b"moof")));
    assert_eq!(read_init(&good), Err(ReadError::Missing(*b"moov")));
}

fn any_samples() -> impl Strategy<Value = Vec<(u32, i32, bool, Vec<u8>)>> {
    // Few different values, so that shared fields and single exceptions are met often.
    let duration = prop_oneof![Just(1001u32), any::<u32>()];
    let cts = prop_oneof![Just(0i32), any::<i32>()];
    let data = prop_oneof![Just(vec![9; 4]), prop::collection::vec(any::<u8>(), 0..20)];
    prop::collection::vec((duration, cts, any::<bool>(), data), 1..20)
}

proptest! {
    #[test]
    fn chunks_round_trip(
        chunks in prop::collection::vec((any_samples(), any::<(u32, u64)>(), prop::option::of(0..4_000_000_000_000_000i64)), 1..4),
    ) {
        let mut segment = vec![];
        for (samples, (sequence, decode_time), utc_us) in &chunks {
            let head = ChunkHead { sequence: *sequence, decode_time: *decode_time, utc_us: *utc_us };
            let samples: Vec<_> = samples.iter().map(|(duration, cts, sync, data)| sample(*duration, *cts, *sync, data)).collect();
            let bytes = write_chunk(&head, &samples).unwrap();
            let read = read_chunk(&bytes, &Defaults::default()).unwrap();
            prop_assert_eq!(&read.samples, &samples);
            prop_assert_eq!((read.sequence, read.decode_time), (*sequence, *decode_time));
            prop_assert_eq!(read.producer_time.map(|time| time.utc_us), *utc_us);
            segment.extend(bytes);
        }
        let read: Result<Vec<_>, _> = read_chunks(&segment, Defaults::default()).collect();
        prop_assert_eq!(read.unwrap().len(), chunks.len());
    }

    #[test]
    fn any_bytes_read_or_say_why(noise in prop::collection::vec(any::<u8>(), 0..200), samples in any_samples(), at in any::<prop::sample::Index>(), flip: u8) {
        let _ = read_chunk(&noise, &Defaults::default());
        let _ = read_init(&noise);
        let samples: Vec<_> = samples.iter().map(|(duration, cts, sync, data)| sample(*duration, *cts, *sync, data)).collect();
        let mut chunk = write_chunk(&ChunkHead { sequence: 1, decode_time: 2, utc_us: Some(3) }, &samples).unwrap();
        let place = at.index(chunk.len());
        chunk[place] ^= flip;
        let _ = read_chunks(&chunk, Defaults { duration: 1, size: 0, flags: 0 }).count();
        let _ = read_chunks(&chunk[..place], Defaults::default()).count();
        for config in [CodecConfig::aac(AAC_48K), CodecConfig::avc(avc::tests::AVCC_720P)] {
            let mut init = write_init(&config.unwrap(), 90_000);
            let place = at.index(init.len());
            init[place] ^= flip;
            let _ = read_init(&init);
            let _ = read_init(&init[..place]);
        }
    }
}

#[test]
fn the_head_of_a_track_reads_whatever_its_codec() {
    let mut init = write_init(&CodecConfig::aac(AAC_48K).unwrap(), 48_000);
    let head = read_track_head(&init).unwrap();
    assert_eq!((head.timescale, &head.entry, head.defaults), (48_000, b"mp4a", read_init(&init).unwrap().defaults));
    let at = init.windows(4).position(|four| four == b"mp4a").unwrap();
    init[at..at + 4].copy_from_slice(b"Opus");
    assert_eq!(read_track_head(&init).unwrap().entry, *b"Opus");
    assert_eq!(read_init(&init), Err(ReadError::Codec(*b"Opus")));
}

/// `tests/browser/gap.test.mjs` gives the same bytes to players.
#[test]
fn a_gap_is_a_fragment_without_samples() {
    let gap = write_gap(3, 92_160, 30_720);
    let hex: alloc::string::String = gap.iter().map(|byte| alloc::format!("{byte:02x}")).collect();
    assert_eq!(hex, include_str!("gap.hex").trim());
    let chunk = read_chunk(&gap, &Defaults::default()).unwrap();
    assert_eq!((chunk.sequence, chunk.decode_time, chunk.samples.len()), (3, 92_160, 0));
}
