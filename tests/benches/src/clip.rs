use std::{env, fs, path::PathBuf};

use tidegate_rig::{
    ffmpeg,
    publisher::{Tag, TagKind, read_flv},
};

/// What is pushed.
pub struct Clip {
    pub tags: Vec<Tag>,
}

/// A moving picture with sound, H.264 without B-frames at 30 frames/s and a key frame every 2 s. Made once and kept beside what
/// is built.
pub fn clip(size: &str, kbps: u32, seconds: u32) -> Clip {
    let folder = target().join("tidegate/benches");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{size}-{kbps}-{seconds}.flv"));
    if !file.is_file() {
        eprintln!("making {} (once)", file.display());
        let (rate, seconds, picture) = (format!("{kbps}k"), seconds.to_string(), format!("testsrc2=s={size}:r=30"));
        let draft = folder.join("draft.flv");
        ffmpeg::make(
            &draft,
            &[
                // Noise, so that the encoder needs the rate that it is given.
                &["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", "sine=r=48000", "-t", &seconds, "-vf", "noise=alls=6:allf=t"][..],
                &["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "60", "-sc_threshold", "0"],
                &["-pix_fmt", "yuv420p", "-b:v", &rate, "-maxrate", &rate, "-bufsize", &rate, "-c:a", "aac", "-b:a", "128k"],
            ]
            .concat(),
        );
        fs::rename(draft, &file).unwrap();
    }
    Clip { tags: read_flv(&fs::read(file).unwrap()) }
}

impl Clip {
    /// Which of the tags are pictures.
    pub fn pictures(&self) -> Vec<usize> {
        let is_picture = |tag: &Tag| tag.kind == TagKind::Video && tag.body.get(1) == Some(&1);
        self.tags.iter().enumerate().filter(|(_, tag)| is_picture(tag)).map(|(at, _)| at).collect()
    }

    /// Bits per second.
    pub fn rate(&self) -> f64 {
        let bytes: usize = self.tags.iter().map(|tag| tag.body.len()).sum();
        let ms = self.tags.last().map_or(1, |tag| tag.timestamp_ms.max(1));
        bytes as f64 * 8000.0 / f64::from(ms)
    }
}

/// A tag as a file has it.
pub fn flv_tag(tag: &Tag) -> Vec<u8> {
    let [_, len @ ..] = (tag.body.len() as u32).to_be_bytes();
    let [high, low @ ..] = tag.timestamp_ms.to_be_bytes();
    let head = [&[tag.kind as u8], &len[..], &low, &[high, 0, 0, 0]].concat();
    [&head, &tag.body, &(11 + tag.body.len() as u32).to_be_bytes()[..]].concat()
}

pub(crate) fn target() -> PathBuf {
    let named = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let program = env::current_exe().unwrap();
    let found = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).map(PathBuf::from);
    named.or(found).expect("a target folder")
}
