//! ffmpeg as a publisher and as a player.

use std::{
    env,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The ffmpeg that `infra/tools` has installed, or the system's.
pub fn program() -> PathBuf {
    if let Some(named) = env::var_os("TIDEGATE_FFMPEG") {
        return named.into();
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    let ours = cache.map(|cache| cache.join("tidegate/tools/bin/ffmpeg")).filter(|file| file.is_file());
    ours.unwrap_or_else(|| "ffmpeg".into())
}

/// Whether it was built with SRT.
pub fn knows_srt() -> bool {
    let said = Command::new(program()).args(["-hide_banner", "-protocols"]).output();
    said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).lines().any(|line| line.trim() == "srt"))
}

/// An ffmpeg that pushes; killed when it is dropped.
pub struct Push(Child);

impl Push {
    /// Starts to push `input` to `address`.
    pub fn start(input: &[&str], address: &str) -> Self {
        let mut command = Command::new(program());
        command.args(["-hide_banner", "-nostdin", "-loglevel", "error"]).args(input).args([
            "-flvflags",
            "no_duration_filesize",
            "-f",
            "flv",
            address,
        ]);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("ffmpeg starts"))
    }

    /// Waits until everything is pushed; says what ffmpeg complained about where it failed.
    pub fn finish(mut self) -> Result<(), String> {
        let mut complaints = String::new();
        if let Some(mut stderr) = self.0.stderr.take() {
            let _ = stderr.read_to_string(&mut complaints);
        }
        let status = self.0.wait().unwrap();
        if status.success() { Ok(()) } else { Err(complaints) }
    }

    /// Kills it in the middle, as a power cut does.
    pub fn kill(mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A packet as a player reads it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Packet {
    /// Presentation time in ms.
    pub pts_ms: i64,
    pub size: u32,
    pub checksum: String,
}

/// Runs ffmpeg to the end and returns what it printed.
pub fn run(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program())
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-y"])
        .args(arguments)
        .output()
        .expect("ffmpeg starts");
    assert!(output.status.success(), "ffmpeg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Makes an FLV file to push.
pub fn make(file: &Path, arguments: &[&str]) {
    let file = file.to_str().unwrap();
    run(&[arguments, &["-f", "flv", file]].concat());
}

/// The packets of one track (`v:0`, `a:0`) of a file or a playlist, in decoding order, undecoded.
pub fn packets(input: &str, track: &str) -> Vec<Packet> {
    let map = format!("0:{track}");
    let text = run(&["-live_start_index", "0", "-i", input, "-map", &map, "-c", "copy", "-copyts", "-f", "framecrc", "-"]
        [usize::from(!input.contains(".m3u8")) * 2..]);
    let text = String::from_utf8(text).unwrap();
    let base = text
        .lines()
        .find_map(|line| line.strip_prefix("#tb 0: ")?.split_once('/'))
        .map(|(n, d)| (n.parse::<i64>().unwrap(), d.parse::<i64>().unwrap()));
    let (numerator, denominator) = base.expect("a time base");
    let packet = |line: &str| {
        let mut fields = line.split(',').map(str::trim);
        let pts: i64 = fields.nth(2)?.parse().ok()?;
        let size = fields.nth(1)?.parse().ok()?;
        Some(Packet { pts_ms: (pts * 1000 * numerator + denominator / 2).div_euclid(denominator), size, checksum: fields.next()?.into() })
    };
    text.lines().filter(|line| !line.starts_with('#')).map(|line| packet(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

/// How many pictures a player decodes.
pub fn decoded_frames(input: &str) -> usize {
    let text = run(&["-i", input, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framecrc", "-"]);
    String::from_utf8(text).unwrap().lines().filter(|line| !line.starts_with('#')).count()
}

/// How many pictures `ffprobe -count_frames` counts; `None` where there is no ffprobe.
pub fn counted_frames(input: &str) -> Option<usize> {
    let arguments = ["-v", "error", "-select_streams", "v:0", "-count_frames", "-show_entries", "stream=nb_read_frames"];
    let output = Command::new("ffprobe").args(arguments).args(["-of", "default=nokey=1:noprint_wrappers=1", input]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // One line a programme, one for the stream by itself: all say the same.
    Some(text.lines().next().and_then(|line| line.trim().parse().ok()).unwrap_or(0))
}
