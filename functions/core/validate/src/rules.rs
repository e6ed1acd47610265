//! All rules. Each has a test that breaks it and it alone (`tests/validate`).

use crate::rule::{
    Level, Rule,
    Section::{Apple as A, Draft as D, Field},
};

/// Declares each rule under its name, and the list of all.
macro_rules! rules {
    ($($name:ident $id:literal $level:ident $section:ident $(($place:literal))? $text:literal $advice:literal;)*) => {
        $(pub(crate) static $name: &Rule =
            &Rule { id: $id, level: Level::$level, section: $section $(($place))?, text: $text, advice: $advice };)*

        /// Every rule, in the order in which they are explained.
        pub static ALL: &[&Rule] = &[$(&Rule { id: $id, level: Level::$level, section: $section $(($place))?, text: $text, advice: $advice }),*];
    };
}

rules! {
    // What every playlist is
    TEXT_UTF8 "TEXT-UTF8" Must D("4.1")
        "A playlist is UTF-8 without a byte order mark."
        "Write the playlist as UTF-8 and drop the mark.";
    TEXT_EXTM3U "TEXT-EXTM3U" Must D("4.4.1.1")
        "The first line is #EXTM3U."
        "Answer with a playlist; an error page with status 200 is none.";
    TEXT_KIND "TEXT-KIND" Must D("4.1")
        "A playlist is either multivariant or media, never both and never neither."
        "Keep tags of segments out of the multivariant playlist, and the other way round.";
    TEXT_CONTROL "TEXT-CONTROL" Must D("4.1")
        "A playlist has no control characters but line ends."
        "Remove the characters.";
    TEXT_LONG "TEXT-LONG" Players Field
        "A playlist has at most 200,000 lines, which is what our player reads. What stands behind them is not tested."
        "Keep a shorter window, or make longer segments; a recording of many days is several.";
    ATTR_SYNTAX "ATTR-SYNTAX" Must D("4.2")
        "Attributes are NAME=value between commas, without spaces, quotation marks closed."
        "Write the attribute list as the section says; many players stop at the first fault.";
    ATTR_TWICE "ATTR-TWICE" Must D("4.2")
        "An attribute stands in a list once."
        "Keep one of the two.";
    ATTR_VALUE "ATTR-VALUE" Must D("4.2")
        "An attribute or tag has a value of its type."
        "Give it the type that its section names: integer, decimal, quoted string, one of the words.";
    ATTR_MISSING "ATTR-MISSING" Must D("4.2")
        "A tag has the attributes that it must have."
        "Add the attribute.";
    TAG_ONCE "TAG-ONCE" Must D("4.4")
        "A tag that may stand once in a playlist, or once before a segment, does so."
        "Write it once.";
    TAG_UNKNOWN "TAG-UNKNOWN" Note D("6.3.1")
        "Players pass over tags that they do not know."
        "Nothing, if the tag is meant for your own player; else look for a typing error.";
    VERSION "VERSION" Must D("8")
        "EXT-X-VERSION is as high as what the playlist uses asks for."
        "Raise EXT-X-VERSION.";

    // Media playlists
    MEDIA_TARGET "MEDIA-TARGET" Must D("4.4.3.1")
        "A media playlist says EXT-X-TARGETDURATION."
        "Add the tag before the first segment.";
    MEDIA_LENGTH "MEDIA-LENGTH" Must D("4.4.3.1")
        "No segment, rounded to whole seconds, is longer than the target duration."
        "Cut segments in time, or announce a longer target duration from the start.";
    MEDIA_EXTINF "MEDIA-EXTINF" Must D("4.4.4.1")
        "Each segment has its EXTINF, and each EXTINF its segment."
        "Write EXTINF directly before the address of its segment.";
    MEDIA_ORDER "MEDIA-ORDER" Must D("4.4.3.2")
        "EXT-X-MEDIA-SEQUENCE and EXT-X-DISCONTINUITY-SEQUENCE stand before the first segment and the first part."
        "Move the tag to the head of the playlist.";
    MEDIA_RANGE "MEDIA-RANGE" Must D("4.4.4.2")
        "A byte range without an offset follows a range of the same resource."
        "Write the offset.";
    MEDIA_MAP "MEDIA-MAP" AppleMust A("8.20")
        "Segments in fMP4 have an EXT-X-MAP before them."
        "Add EXT-X-MAP with the address of the init segment.";
    MEDIA_EMPTY "MEDIA-EMPTY" Note Field
        "A playlist without a whole segment makes ordinary players give up."
        "Answer when the first segment is complete.";
    MEDIA_TYPE "MEDIA-TYPE" Note A("8.6")
        "A playlist that is complete from the start says EXT-X-PLAYLIST-TYPE:VOD."
        "Add the tag to playlists of recordings.";
    MEDIA_GAP "MEDIA-GAP" Must D("4.4.4.7")
        "A segment whose parts are all gaps is a gap itself."
        "Add EXT-X-GAP to the segment.";
    MEDIA_I_FRAME_PARTS "MEDIA-I-FRAME-PARTS" Should D("4.4.4.9")
        "A playlist of I-frames has no parts."
        "List I-frames as segments only.";
    DATE_MISSING "DATE-MISSING" AppleMust A("8.4")
        "A live media playlist has EXT-X-PROGRAM-DATE-TIME."
        "Write the date of capture before the first segment, and again after each discontinuity.";
    DATE_JUMP "DATE-JUMP" Should D("6.2.1")
        "Dates go on by the durations between them, unless a discontinuity lies there."
        "Anchor dates on the clock of capture, and let durations be those of the media.";
    DATE_CLOCK "DATE-CLOCK" AppleShould A("8.5")
        "The date of the live edge is the time of day: not in the future, and not long past."
        "Take dates from the clock of capture or arrival, not from the first request.";
    DATE_RANGE "DATE-RANGE" Must D("4.4.5.1")
        "A date range has a start, an end after it, and equal values wherever its ID comes again."
        "Correct the attributes of the EXT-X-DATERANGE.";
    DATE_RANGE_ANCHOR "DATE-RANGE-ANCHOR" Must D("4.4.5.1")
        "A playlist with date ranges has a program date time."
        "Add EXT-X-PROGRAM-DATE-TIME.";
    DISCONTINUITY_COUNT "DISCONTINUITY-COUNT" AppleMust A("8.17")
        "A live playlist with a discontinuity counts them in EXT-X-DISCONTINUITY-SEQUENCE."
        "Always write EXT-X-DISCONTINUITY-SEQUENCE.";

    // Low latency: what a playlist says
    LL_PART_INF "LL-PART-INF" Must D("4.4.3.7")
        "A playlist with parts says EXT-X-PART-INF."
        "Add EXT-X-PART-INF with the part target.";
    LL_PART_HOLD_BACK "LL-PART-HOLD-BACK" Must D("4.4.3.8")
        "PART-HOLD-BACK stands beside PART-INF and is at least two part targets."
        "Set PART-HOLD-BACK to three part targets.";
    LL_PART_HOLD_BACK_3 "LL-PART-HOLD-BACK-3" AppleMust A("14.3")
        "PART-HOLD-BACK is at least three part targets."
        "Set PART-HOLD-BACK to three part targets; below that players run dry.";
    LL_HOLD_BACK "LL-HOLD-BACK" Must D("4.4.3.8")
        "HOLD-BACK is at least three target durations."
        "Raise HOLD-BACK, or leave it out.";
    LL_SKIP_UNTIL "LL-SKIP-UNTIL" Must D("4.4.3.8")
        "CAN-SKIP-UNTIL is at least six target durations."
        "Raise CAN-SKIP-UNTIL to six target durations.";
    LL_SKIP_RANGES "LL-SKIP-RANGES" Must D("4.4.3.8")
        "CAN-SKIP-DATERANGES stands only beside CAN-SKIP-UNTIL."
        "Add CAN-SKIP-UNTIL.";
    LL_CAN_BLOCK "LL-CAN-BLOCK" Must D("B.1")
        "A low-latency playlist says CAN-BLOCK-RELOAD=YES."
        "Support blocking reloads and say so in EXT-X-SERVER-CONTROL.";
    LL_CONTROL_SAME "LL-CONTROL-SAME" Must D("B.1")
        "EXT-X-SERVER-CONTROL has the same attributes in all media playlists."
        "Compute the attributes once for the whole presentation.";
    LL_PART_LONG "LL-PART-LONG" Must D("4.4.4.9")
        "No part is longer than the part target."
        "Cut parts in time, or announce a longer part target from the start.";
    LL_PART_SHORT "LL-PART-SHORT" Must D("4.4.4.9")
        "A part lasts 85 % of the part target at least, save the last of a segment, independent parts, and gaps."
        "Close parts by media time; announce a part target that they reach.";
    LL_PART_TAGS "LL-PART-TAGS" Must D("4.4.4.9")
        "Tags for a segment stand before its first part."
        "Write EXT-X-DISCONTINUITY, -KEY, -MAP and -PROGRAM-DATE-TIME before the first EXT-X-PART.";
    LL_PART_SUM "LL-PART-SUM" Must D("3.2")
        "The parts of a segment last as long as the segment."
        "List all parts of a segment, with the durations of their samples.";
    LL_PART_OLD "LL-PART-OLD" Should D("6.2.2")
        "Parts leave the playlist once they are three target durations from its end."
        "List parts near the live edge only.";
    LL_PART_RANGE "LL-PART-RANGE" Players Field
        "Parts are resources of their own: byte ranges make ExoPlayer and Shaka fail."
        "Give each part an address of its own (androidx/media#3350, shaka-player#5089).";
    LL_HINT "LL-HINT" Must D("B.1")
        "A live playlist with parts hints the next part."
        "Add EXT-X-PRELOAD-HINT:TYPE=PART for the part that comes next.";
    LL_HINT_ONE "LL-HINT-ONE" Should D("6.2.6")
        "There is one preload hint of a type at most."
        "Hint only what comes next.";
    LL_HINT_ENDED "LL-HINT-ENDED" Must D("4.4.5.3")
        "A playlist that has ended hints nothing."
        "Drop EXT-X-PRELOAD-HINT with EXT-X-ENDLIST.";
    LL_HINT_LISTED "LL-HINT-LISTED" Must D("4.4.5.3")
        "What is hinted is not listed yet."
        "Hint the part after the last one that is listed.";
    LL_REPORT "LL-REPORT" Must D("B.1")
        "Each media playlist reports on every other rendition."
        "Add an EXT-X-RENDITION-REPORT for each other media playlist of the multivariant playlist.";
    LL_REPORT_URI "LL-REPORT-URI" Must D("4.4.5.4")
        "The address in a rendition report is relative to the playlist."
        "Write a relative address.";
    LL_DELTA_OFFER "LL-DELTA-OFFER" AppleShould A("14.4")
        "A window longer than two minutes comes with delta updates."
        "Support _HLS_skip and say CAN-SKIP-UNTIL.";
    LL_DELTA_RANGES_OFFER "LL-DELTA-RANGES-OFFER" AppleShould A("14.5")
        "Who offers deltas and lists date ranges offers to skip date ranges."
        "Support _HLS_skip=v2 and say CAN-SKIP-DATERANGES=YES.";

    // Live playlists over time
    LIVE_TARGET_FIXED "LIVE-TARGET-FIXED" Must D("4.4.3.1")
        "EXT-X-TARGETDURATION never changes."
        "Fix the target duration when the stream starts.";
    LL_PART_TARGET_FIXED "LL-PART-TARGET-FIXED" Players Field
        "PART-TARGET never changes."
        "Fix the part target when the stream starts: Apple's players stop for good (mediamtx#6237).";
    LL_CONTROL_FIXED "LL-CONTROL-FIXED" Players Field
        "EXT-X-SERVER-CONTROL never changes."
        "Fix the hold-backs when the stream starts: Apple's players stop for good (mediamtx#6237).";
    LIVE_SEQUENCE "LIVE-SEQUENCE" Must D("6.2.2")
        "The media sequence number goes up by one for each segment that leaves, and never down."
        "Count segments from the start of the stream and keep the count over restarts.";
    LIVE_DISCONTINUITY "LIVE-DISCONTINUITY" Must D("6.2.2")
        "The discontinuity sequence number goes up with each EXT-X-DISCONTINUITY that leaves, and never down."
        "Count the discontinuities that left the playlist.";
    LIVE_CHANGED "LIVE-CHANGED" Must D("6.2.1")
        "What was listed once does not change."
        "Write each segment once; keep its address, duration and tags.";
    LIVE_LATE "LIVE-LATE" Must D("6.2.2")
        "A new segment is listed within one and a half target durations."
        "Publish segments as they are made; list a gap where media is missing.";
    LIVE_SHORT "LIVE-SHORT" Must D("6.2.2")
        "A segment leaves the playlist only if three target durations stay."
        "Keep a longer window.";
    LIVE_SIX "LIVE-SIX" AppleMust A("8.11")
        "A live playlist has six segments at least."
        "Keep a longer window.";
    LIVE_ENDED "LIVE-ENDED" Must D("4.4.3.4")
        "After EXT-X-ENDLIST nothing changes."
        "Close a playlist once, at the very end.";
    LIVE_TYPE "LIVE-TYPE" Must D("4.4.3.5")
        "A playlist of type EVENT or VOD loses nothing, and keeps its type."
        "Drop the type where the window slides.";
    LL_PART_LATE "LL-PART-LATE" Must D("6.2.2")
        "A new part is listed within one part target of the one before."
        "List parts as they are made; list a gap where media is missing.";
    LL_LAST_PART_LATE "LL-LAST-PART-LATE" Must D("6.2.2")
        "The last part of a segment is listed when it is there, not with the first part of the next segment."
        "List the part at once; whether the segment ends after it can be said later.";

    // Blocking reloads
    LL_BLOCK "LL-BLOCK" Must D("6.2.5.2")
        "A blocking reload is answered when the part that it names is listed."
        "Hold the request until the part is there.";
    LL_BLOCK_SEGMENT "LL-BLOCK-SEGMENT" Must D("6.2.5.2")
        "_HLS_msn alone is answered when that segment is whole."
        "Hold the request until the segment is complete.";
    LL_BLOCK_NEXT "LL-BLOCK-NEXT" Must D("6.2.5.2")
        "A part beyond the last one of a segment means part 0 of the next."
        "Go on to the next segment.";
    LL_BLOCK_OLD "LL-BLOCK-OLD" Must D("6.2.5.2")
        "A number that is past is answered at once with the whole playlist."
        "Answer requests for old segments with what there is.";
    LL_BLOCK_FAR "LL-BLOCK-FAR" Should D("6.2.5.2")
        "A segment more than two ahead is refused at once with 400."
        "Answer 400 in place of waiting.";
    LL_BLOCK_FAR_PART "LL-BLOCK-FAR-PART" Should D("6.2.5.2")
        "A part beyond the advance part limit is refused at once with 400."
        "Answer 400 in place of waiting.";
    LL_BLOCK_PART_ALONE "LL-BLOCK-PART-ALONE" Must D("6.2.5.2")
        "_HLS_part without _HLS_msn is refused with 400."
        "Answer 400.";
    LL_BLOCK_503 "LL-BLOCK-503" Should D("6.2.5.2")
        "A blocking reload that cannot be answered within three target durations is answered with 503."
        "Give up with 503, so that the player can turn elsewhere.";
    LL_BLOCK_ENDED "LL-BLOCK-ENDED" Must D("6.2.5.2")
        "Directives are ignored once the playlist has ended."
        "Answer with the whole playlist.";
    LL_SAME_BYTES "LL-SAME-BYTES" Should D("B.1")
        "Identical requests for one state of a playlist get identical bytes."
        "Render a playlist from the state that the request names alone.";
    LL_CACHE "LL-CACHE" Should D("B.1")
        "The answer to a blocking reload may be kept by caches, best for six target durations."
        "Send Cache-Control: max-age of six target durations, not no-cache.";
    LL_RTT "LL-RTT" AppleShould A("14.2")
        "The part target is three round trips at least."
        "Use longer parts, or bring the edge closer to viewers.";

    // Delta updates
    LL_DELTA "LL-DELTA" Must D("6.2.5.1")
        "_HLS_skip is answered with a delta where CAN-SKIP-UNTIL is said."
        "Answer with EXT-X-SKIP, or drop CAN-SKIP-UNTIL.";
    LL_DELTA_BOUNDARY "LL-DELTA-BOUNDARY" Must D("6.2.5.1")
        "A delta leaves out only what is further from the end than CAN-SKIP-UNTIL."
        "Measure the skip boundary from the end of the last segment.";
    LL_DELTA_EQUAL "LL-DELTA-EQUAL" Must D("6.2.5.1")
        "A delta and the playlist before it make the whole playlist."
        "Count the skipped segments, and keep every tag of the others.";
    LL_DELTA_UNASKED "LL-DELTA-UNASKED" Must D("6.2.5.1")
        "Nobody gets a delta who did not ask, nor after the end."
        "Send EXT-X-SKIP only in answer to _HLS_skip.";
    LL_DELTA_RANGES "LL-DELTA-RANGES" Must D("6.2.5.1")
        "A delta for _HLS_skip=v2 has RECENTLY-REMOVED-DATERANGES."
        "Add the attribute, empty where nothing was removed.";

    // Hints, reports, parts
    LL_HINT_TRUE "LL-HINT-TRUE" Should D("4.4.5.3")
        "What is hinted is what comes next."
        "Hint the part that follows; when a segment may end early, wait for its end before hinting.";
    LL_HINT_HELD "LL-HINT-HELD" Must D("6.2.6")
        "A request for the hinted part is held until the part is there."
        "Hold the request in place of answering 404.";
    LL_DRIBBLE "LL-DRIBBLE" Must D("6.2.6")
        "No byte of a part is sent before all of it can be sent at full speed."
        "Send parts whole; trickling ruins the player's estimate of the link.";
    LL_NOT_FOUND "LL-NOT-FOUND" Should D("6.2.6")
        "What is neither there nor hinted is answered with 404."
        "Answer 404 at once.";
    LL_REPORT_TRUE "LL-REPORT-TRUE" Must D("4.4.5.4")
        "A rendition report is as new as the playlist that has it, and says what the other playlist says."
        "Fill reports from the same state as the playlist.";
    LL_PART_THERE "LL-PART-THERE" Must D("6.2.1")
        "A part can be downloaded when it is listed."
        "List a part only once it is stored.";
    LL_PART_KEPT "LL-PART-KEPT" Must D("6.2.2")
        "A part can be downloaded for three target durations after it has left the playlist."
        "Delete parts later.";
    SEGMENT_THERE "SEGMENT-THERE" Must D("6.2.1")
        "A segment and its init segment can be downloaded when they are listed."
        "List a segment only once it is stored; list a gap where it is missing.";
    SEGMENT_KEPT "SEGMENT-KEPT" Must D("6.2.2")
        "A segment can be downloaded for its duration and that of the longest playlist after it has left."
        "Delete segments later.";

    // HTTP
    HTTP_PLAYLIST "HTTP-PLAYLIST" Must D("6.2.1")
        "A playlist that is referred to can be loaded."
        "Answer 200 with the playlist.";
    HTTP_GZIP "HTTP-GZIP" AppleMust A("10.1")
        "Playlists are sent with gzip to who accepts it."
        "Compress playlists.";
    HTTP_TYPE "HTTP-TYPE" Should D("4")
        "A playlist has the type application/vnd.apple.mpegurl or audio/mpegurl."
        "Set Content-Type.";
    HTTP_2 "HTTP-2" Must D("B.1")
        "A low-latency stream is served over HTTP/2 or HTTP/3."
        "Switch on HTTP/2 for the playlists and the media.";
    HTTP_RANGE "HTTP-RANGE" Must D("B.1")
        "Who lists byte ranges answers range requests with 206 and exactly these bytes."
        "Support the Range header.";
    HTTP_AGE "HTTP-AGE" Should D("B.1")
        "An answer out of a cache says its Age."
        "Let caches add Age.";
    HTTP_REDIRECT "HTTP-REDIRECT" AppleMust A("8.18")
        "Media is not redirected."
        "List the final address.";
    HTTP_TLS "HTTP-TLS" AppleShould A("11.1")
        "Playlists and media are sent over TLS."
        "Use https.";
    HTTP_HEAD "HTTP-HEAD" Note Field
        "HEAD is answered as GET is."
        "Support HEAD; some players and caches ask with it.";
    HTTP_CORS "HTTP-CORS" Note Field
        "Players in browsers of other sites may read the answer."
        "Send Access-Control-Allow-Origin.";
    HTTP_MEDIA_CACHE "HTTP-MEDIA-CACHE" Note Field
        "Media never changes, so caches may keep it."
        "Send Cache-Control with a long max-age for segments and parts.";

    // Multivariant playlists
    MV_URI "MV-URI" Must D("4.4.6.2")
        "EXT-X-STREAM-INF is followed by the address of its playlist."
        "Write the address on the next line.";
    MV_CODECS "MV-CODECS" AppleMust A("9.1")
        "A variant says its CODECS."
        "Add CODECS with every codec of the variant and its groups.";
    MV_RESOLUTION "MV-RESOLUTION" AppleMust A("9.2")
        "A variant with video says its RESOLUTION."
        "Add RESOLUTION.";
    MV_FRAME_RATE "MV-FRAME-RATE" AppleMust A("9.15")
        "A variant with video says its FRAME-RATE."
        "Add FRAME-RATE.";
    MV_AVERAGE "MV-AVERAGE" AppleMust A("9.14")
        "A variant says its AVERAGE-BANDWIDTH."
        "Add AVERAGE-BANDWIDTH; of a live stream the rate that the encoder aims at.";
    MV_GROUP "MV-GROUP" Must D("4.4.6.2")
        "A group that a variant names is there."
        "Add an EXT-X-MEDIA of that GROUP-ID and TYPE.";
    MV_MEDIA "MV-MEDIA" Must D("4.4.6.1")
        "EXT-X-MEDIA has the attributes that its type asks for, and no others."
        "Correct the attributes of the EXT-X-MEDIA.";
    MV_MEDIA_GROUP "MV-MEDIA-GROUP" Must D("4.4.6.1.1")
        "In a group names differ, one member at most is DEFAULT, and DEFAULT members are AUTOSELECT."
        "Give each member its own NAME, and one of them DEFAULT=YES,AUTOSELECT=YES.";
    MV_LANGUAGE "MV-LANGUAGE" AppleMust A("8.10")
        "Each EXT-X-MEDIA but video says its LANGUAGE."
        "Add LANGUAGE (`und` where it is not known).";
    MV_I_FRAMES "MV-I-FRAMES" AppleMust A("6.1")
        "There are I-frame playlists for scrubbing."
        "Add EXT-X-I-FRAME-STREAM-INF.";
    MV_INDEPENDENT "MV-INDEPENDENT" AppleShould A("9.11")
        "Where segments start with an IDR, EXT-X-INDEPENDENT-SEGMENTS says so."
        "Add EXT-X-INDEPENDENT-SEGMENTS to the multivariant playlist.";
    MV_SEVERAL "MV-SEVERAL" AppleShould A("9.9")
        "Video is there in several bit rates."
        "Encode a ladder.";
    MV_CAPTIONS "MV-CAPTIONS" Must D("4.4.6.2")
        "If one variant says CLOSED-CAPTIONS=NONE, all do."
        "Say CLOSED-CAPTIONS=NONE in all variants or in none.";
    MV_SESSION_DATA "MV-SESSION-DATA" Must D("4.4.6.4")
        "EXT-X-SESSION-DATA has either VALUE or URI."
        "Keep one of them.";
    MV_SCORE "MV-SCORE" AppleMust A("9.19")
        "If one variant has a SCORE, all have."
        "Add SCORE to all variants, or remove it.";
    MV_ASPECT "MV-ASPECT" AppleShould A("1.33")
        "All video variants have one aspect ratio."
        "Scale to sizes of one aspect ratio.";
    MV_I_FRAMES_ONLY "MV-I-FRAMES-ONLY" AppleMust A("6.8")
        "A playlist of EXT-X-I-FRAME-STREAM-INF says EXT-X-I-FRAMES-ONLY."
        "Add the tag.";

    // One rendition beside the others
    ALIGN_TARGET "ALIGN-TARGET" AppleMust A("8.2")
        "All renditions have one target duration."
        "Compute the target duration once for the presentation.";
    ALIGN_DISCONTINUITY "ALIGN-DISCONTINUITY" Must D("6.2.4")
        "All renditions have the same discontinuities at the same points."
        "Number discontinuities once for the presentation.";
    ALIGN_DATE "ALIGN-DATE" Must D("6.2.4")
        "What plays at the same time has the same date in all renditions."
        "Derive dates of all renditions from one clock.";
    ALIGN_START "ALIGN-START" AppleShould A("8.22")
        "Segments of the same number start at the same time in all renditions."
        "Cut all renditions at the same points.";
    ALIGN_DRIFT "ALIGN-DRIFT" Must D("6.2.4")
        "Renditions do not drift apart."
        "Cut audio at the frame next to the cut of the video, not every so many frames.";
    ALIGN_STEP "ALIGN-STEP" Must D("B.1")
        "All renditions are updated within one part target of each other."
        "Publish a part of all renditions at once.";
    ALIGN_LENGTH "ALIGN-LENGTH" AppleMust A("8.3")
        "Recordings of all renditions are equally long."
        "End all renditions at the same point.";
    ALIGN_TYPE "ALIGN-TYPE" Must D("6.2.4")
        "All renditions have the same playlist type and end together."
        "Close all playlists at once.";

    // Media
    FMP4 "FMP4" Must D("3.1.2")
        "Media reads as what it says it is."
        "Write an init segment with moov, and segments of moof and mdat.";
    CODECS "CODECS" Must D("4.4.6.2")
        "The codec of the media is one that CODECS names."
        "Take CODECS from the codec configuration.";
    RESOLUTION "RESOLUTION" Should D("4.4.6.2")
        "The size of the picture is what RESOLUTION says."
        "Take RESOLUTION from the codec configuration.";
    DURATION "DURATION" AppleMust A("8.1")
        "Durations in the playlist add up to those of the samples within a frame."
        "Take durations from the samples, and round so that errors do not add up.";
    DECODE_TIME "DECODE-TIME" AppleMust A("7.3")
        "Decode time goes on where the segment or part before ended."
        "Count decode time in samples; mark a break with EXT-X-DISCONTINUITY.";
    INDEPENDENT "INDEPENDENT" Must D("4.4.4.9")
        "A part that says INDEPENDENT=YES has a frame that decodes by itself."
        "Say INDEPENDENT=YES only where a key frame is.";
    INDEPENDENT_UNSAID "INDEPENDENT-UNSAID" Should D("4.4.4.9")
        "A part with a frame that decodes by itself says INDEPENDENT=YES."
        "Add INDEPENDENT=YES: players join and switch there.";
    KEY_FRAME "KEY-FRAME" AppleMust A("7.4")
        "A video segment starts with a key frame."
        "Cut segments at key frames.";
    PARTS_EQUAL "PARTS-EQUAL" Must D("3.2")
        "A segment has the samples of its parts, with the same times."
        "Build the segment from its parts.";
    PEAK "PEAK" AppleMust A("1.29")
        "No segment is dearer than 125 % of BANDWIDTH live, 110 % of a recording."
        "Raise BANDWIDTH, or bound the encoder's rate.";
    AVERAGE "AVERAGE" AppleMust A("1.28")
        "On average segments cost less than 110 % of AVERAGE-BANDWIDTH."
        "Raise AVERAGE-BANDWIDTH, or lower the encoder's rate.";
}
