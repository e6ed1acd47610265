use tidegate_stream::FrameRate;

use crate::{config::Encoder, ladder::Encode};

/// One run of ffmpeg: H.264 in FLV on stdin, one FLV per rung on descriptors 3, 4, ….
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Run<'a> {
    /// The rungs, in the order of the descriptors.
    pub(crate) rungs: &'a [Encode],
    /// What rate control counts with. (ffmpeg's own guess on a pipe is often double, which halves the bit rate.)
    pub(crate) frame_rate: FrameRate,
    /// Where key frames go.
    pub(crate) key_frames: KeyFrames,
    /// What encodes.
    pub(crate) encoder: Encoder,
    /// x264's `-preset`.
    pub(crate) preset: &'a str,
    /// The major version of the ffmpeg that is run.
    pub(crate) version: u32,
}

/// Where the encoder puts key frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KeyFrames {
    /// Where the source has them: every rung has the source's segments.
    Source,
    /// Every so many milliseconds from the first frame on, for sources whose own are too far apart.
    EveryMs(u32),
    /// On the first frame only: the run is one GOP, and its bytes depend on nothing but its input.
    FirstOnly,
}

/// The first descriptor after stdin, stdout and stderr.
pub(crate) const FIRST_OUTPUT: i32 = 3;

/// A version from here on runs each encoder in a thread of its own.
const THREADED_SINCE: u32 = 7;

impl Run<'_> {
    /// The arguments after the program's name.
    #[must_use]
    pub(crate) fn args(&self) -> Vec<String> {
        let mut args: Vec<String> = Vec::new();
        let mut add = |text: &str| args.extend(text.split(' ').map(str::to_owned));
        add("-hide_banner -nostats -loglevel warning -y");
        // One decoder thread: frame threading would hold frames back. `-analyzeduration 0` means automatic, which is long.
        add("-flags low_delay -analyzeduration 1 -probesize 1000000 -threads 1 -copyts -f flv -i pipe:0");
        add("-filter_complex");
        add(&self.graph());
        for (index, rung) in self.rungs.iter().enumerate() {
            let Encode { bitrate_kbps: rate, .. } = rung;
            match self.encoder {
                Encoder::X264 => {
                    add(&format!("-map [v{index}] -c:v libx264 -preset {} -tune zerolatency", self.preset));
                    // Before 7 all encoders share one thread, and one of their own each would make the ladder serial; bit-exact
                    // runs need exactly one whatever it costs.
                    if self.version >= THREADED_SINCE || self.key_frames == KeyFrames::FirstOnly {
                        add("-threads 1");
                    }
                    add("-profile:v high -pix_fmt yuv420p");
                    add(&format!("-b:v {rate}k -maxrate {rate}k -bufsize {rate}k -g 600 -sc_threshold 0"));
                }
                // Forced key frames are ones to start at (IDR), pictures leave in the order in which they come, and none is looked at ahead.
                Encoder::Nvenc => {
                    add(&format!(
                        "-map [v{index}] -c:v h264_nvenc -preset p4 -tune ull -zerolatency 1 -rc cbr -bf 0 -forced-idr 1 -no-scenecut 1"
                    ));
                    add("-profile:v high -pix_fmt yuv420p");
                    add(&format!("-b:v {rate}k -maxrate {rate}k -bufsize {rate}k -g 600"));
                }
            }
            let is_x264 = self.encoder == Encoder::X264;
            match self.key_frames {
                KeyFrames::Source if is_x264 => add("-keyint_min 1 -force_key_frames source"),
                KeyFrames::Source => add("-force_key_frames source"),
                KeyFrames::EveryMs(every) => {
                    if is_x264 {
                        add("-keyint_min 1");
                    }
                    add(&format!("-force_key_frames expr:gte(t,n_forced*{})", f64::from(every) / 1000.0));
                }
                KeyFrames::FirstOnly => {}
            }
            add("-fps_mode passthrough -enc_time_base 1/90000");
            if is_x264 {
                add(&format!("-x264-params fps={}/{}", self.frame_rate.numerator, self.frame_rate.denominator));
            }
            add("-f flv -flvflags no_duration_filesize+no_metadata -flush_packets 1");
            add(&format!("pipe:{}", FIRST_OUTPUT + index as i32));
        }
        args
    }

    fn graph(&self) -> String {
        let outs: String = (0..self.rungs.len()).map(|index| format!("[s{index}]")).collect();
        let mut graph = format!("[0:v]split={}{outs}", self.rungs.len());
        for (index, Encode { width, height, .. }) in self.rungs.iter().enumerate() {
            graph += &format!(";[s{index}]scale={width}:{height}:flags=fast_bilinear[v{index}]");
        }
        graph
    }
}

#[cfg(test)]
mod tests {
    use tidegate_stream::RenditionId;

    use super::*;

    fn rungs() -> Vec<Encode> {
        let rung = |name, width, height, bitrate_kbps| Encode { rendition: RenditionId::parse(name).unwrap(), width, height, bitrate_kbps };
        vec![rung("high", 1280, 720, 2800), rung("low", 480, 270, 500)]
    }

    fn line(key_frames: KeyFrames, version: u32) -> String {
        let frame_rate = FrameRate { numerator: 30_000, denominator: 1001 };
        Run { rungs: &rungs(), frame_rate, key_frames, encoder: Encoder::X264, preset: "veryfast", version }.args().join(" ")
    }

    #[test]
    fn two_rungs_that_follow_the_source() {
        let expected = "-hide_banner -nostats -loglevel warning -y \
            -flags low_delay -analyzeduration 1 -probesize 1000000 -threads 1 -copyts -f flv -i pipe:0 \
            -filter_complex [0:v]split=2[s0][s1];[s0]scale=1280:720:flags=fast_bilinear[v0];[s1]scale=480:270:flags=fast_bilinear[v1] \
            -map [v0] -c:v libx264 -preset veryfast -tune zerolatency -threads 1 -profile:v high -pix_fmt yuv420p \
            -b:v 2800k -maxrate 2800k -bufsize 2800k -g 600 -sc_threshold 0 -keyint_min 1 -force_key_frames source \
            -fps_mode passthrough -enc_time_base 1/90000 -x264-params fps=30000/1001 \
            -f flv -flvflags no_duration_filesize+no_metadata -flush_packets 1 pipe:3 \
            -map [v1] -c:v libx264 -preset veryfast -tune zerolatency -threads 1 -profile:v high -pix_fmt yuv420p \
            -b:v 500k -maxrate 500k -bufsize 500k -g 600 -sc_threshold 0 -keyint_min 1 -force_key_frames source \
            -fps_mode passthrough -enc_time_base 1/90000 -x264-params fps=30000/1001 \
            -f flv -flvflags no_duration_filesize+no_metadata -flush_packets 1 pipe:4";
        assert_eq!(line(KeyFrames::Source, 9), expected);
    }

    #[test]
    fn an_old_ffmpeg_lets_encoders_thread_unless_bytes_must_be_exact() {
        assert_eq!(line(KeyFrames::Source, 5).matches("-threads 1").count(), 1);
        assert_eq!(line(KeyFrames::FirstOnly, 5).matches("-threads 1").count(), 3);
    }

    #[test]
    fn key_frames_of_our_own_are_counted_from_the_first_frame() {
        assert!(line(KeyFrames::EveryMs(2000), 9).contains("-force_key_frames expr:gte(t,n_forced*2) "));
        assert!(!line(KeyFrames::FirstOnly, 9).contains("force_key_frames"));
    }

    #[test]
    fn a_gpu_is_told_nothing_of_x264() {
        let frame_rate = FrameRate { numerator: 30, denominator: 1 };
        let run =
            Run { rungs: &rungs(), frame_rate, key_frames: KeyFrames::Source, encoder: Encoder::Nvenc, preset: "veryfast", version: 9 };
        let line = run.args().join(" ");
        assert_eq!((line.matches("h264_nvenc").count(), line.matches("-force_key_frames source").count()), (2, 2), "{line}");
        assert!(!line.contains("x264") && !line.contains("veryfast") && line.contains("-bf 0"), "{line}");
    }
}
