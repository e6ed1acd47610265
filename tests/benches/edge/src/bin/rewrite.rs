//! A multivariant playlist of another origin rewritten for each viewer: the host with its component beside the same function behind hyper.
//!
//! `rewrite HOST COMPONENT NATIVE FOLDER`. Servers on core 0; load and origin (nginx) on core 1.
use std::{env, fmt::Write as _, fs, path::Path};

use tidegate_edge_bench::{
    bucket::Bucket,
    peer::{Http, Server, median, on_core},
};

const ROUNDS: usize = 4;
const SECONDS: u32 = 4;

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = env::args().collect();
    let [_, program, component, native, folder] = args.as_slice() else { anyhow::bail!("rewrite HOST COMPONENT NATIVE FOLDER") };
    let folder = Path::new(folder);
    for name in ["each", "kept"] {
        fs::create_dir_all(folder.join(name))?;
        fs::write(folder.join(name).join("index.m3u8"), multivariant()?)?;
    }
    let origin = Server::nginx(folder, 1)?;
    let document = format!(
        r#"{{"base":"http://{}/","private":true,"playlists":"origin","media_query":"tok=0123456789abcdef","rules":{{"filter":{{"max_height":720}}}}}}"#,
        origin.address
    );
    fs::write(folder.join("bench.json"), &document)?;
    let bucket = Bucket::new(4, 1000);
    bucket.put_object("meta/origins/bench.json", &document);
    let endpoint = bucket.serve().await?;
    let (program, component, native, folder) = (program.clone(), component.clone(), native.clone(), folder.to_owned());
    tokio::task::spawn_blocking(move || compare(&program, &component, &native, &folder, &endpoint, &origin)).await?
}

fn compare(program: &str, component: &str, native: &str, folder: &Path, endpoint: &str, origin: &Server) -> anyhow::Result<()> {
    let host = Server::host(program, component, endpoint, folder, &["--private-origin", &origin.address])?;
    let native = Server::start(|address| {
        let mut command = on_core(0, native);
        command.arg(address).arg(folder.join("bench.json"));
        Ok(command)
    })?;
    for (what, path) in [("origin asked each time", "/origin/bench/each/index.m3u8"), ("its answer kept for 1 s", "/origin/bench/kept/index.m3u8")] {
        host.until_ok(path)?;
        native.until_ok(path)?;
        // A cookie makes each request one viewer's own, which the host answers with a call of the function.
        let own = ["-H", "cookie: viewer=1"];
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            for (server, rates) in [(&host, &mut ours), (&native, &mut theirs)] {
                let load = server.load_with(Http::One, path, SECONDS, &own)?;
                rates.push((load.requests as f64 / load.seconds, load.requests as f64 / load.cpu_seconds));
            }
        }
        let of = |rates: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| median(rates.iter().map(pick).collect());
        let ratio = median(ours.iter().zip(&theirs).map(|(ours, theirs)| ours.1 / theirs.1).collect());
        println!(
            "{what}: host {:.0} requests/s ({:.1} us of CPU), native {:.0} ({:.1} us): {ratio:.2} of native per second of CPU",
            of(&ours, |rate| rate.0),
            1e6 / of(&ours, |rate| rate.1),
            of(&theirs, |rate| rate.0),
            1e6 / of(&theirs, |rate| rate.1),
        );
    }
    Ok(())
}

/// 20 variants, 7 renditions, 10 I-frame playlists: 7.9 kB.
fn multivariant() -> Result<String, std::fmt::Error> {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    for (n, language) in ["en", "de", "fr", "es", "it", "pt", "ja"].iter().enumerate() {
        writeln!(text, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aud{}\",NAME=\"Language {language}\",LANGUAGE=\"{language}\",DEFAULT=NO,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"audio/{language}/stereo-128k/packaged/playlist.m3u8\"", n % 2)?;
    }
    for n in 0..20 {
        let (bps, height) = (400_000 + n * 450_000, 216 + n * 54);
        writeln!(text, "#EXT-X-STREAM-INF:BANDWIDTH={bps},AVERAGE-BANDWIDTH={},CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION={}x{height},FRAME-RATE=29.970,AUDIO=\"aud{}\",CLOSED-CAPTIONS=NONE,VIDEO-RANGE=SDR", bps * 9 / 10, height * 16 / 9, n % 2)?;
        writeln!(text, "video/{height}p/{bps}/main-rendition-cmaf/playlist.m3u8")?;
    }
    for n in 0..10 {
        let height = 216 + n * 108;
        writeln!(text, "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"avc1.64001f\",RESOLUTION={}x{height},URI=\"video/{height}p/trick-play/iframes-only.m3u8\"", 60_000 + n * 40_000, 50_000 + n * 38_000, height * 16 / 9)?;
    }
    Ok(text)
}
