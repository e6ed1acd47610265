//! Whether this machine has what the worker and the edge need.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use tokio::{net::TcpListener, process::Command, time::timeout};

use super::finding::Finding;
use crate::place;

/// Three pictures take a tenth of a second; a device that hangs takes for ever.
const ENCODE_TIME_MAX: Duration = Duration::from_secs(10);
/// Hardware encoders that may be listed where no device is; only trying tells.
const HARDWARE: [&str; 3] = ["h264_nvenc", "h264_vaapi", "h264_qsv"];

pub(crate) async fn examine(listen: SocketAddr, rtmp: SocketAddr) -> Vec<Finding> {
    let mut findings = vec![port("port.viewers", listen).await, port("port.encoders", rtmp).await];
    findings.extend(ffmpeg().await);
    findings.push(component());
    findings
}

async fn port(check: &'static str, address: SocketAddr) -> Finding {
    match TcpListener::bind(address).await {
        Ok(_) => Finding::fine(check, format!("{address} is free")),
        Err(error) => Finding::failed(
            check,
            format!("{address} cannot be listened on: {error}"),
            "stop what listens there, or choose another address",
        ),
    }
}

fn component() -> Finding {
    match place::is_built() {
        Ok(path) => Finding::fine("component", format!("{} is there", path.display())),
        Err(error) => Finding::failed("component", format!("{error:#}"), place::GET_WEB),
    }
}

async fn ffmpeg() -> Vec<Finding> {
    let path = match place::ffmpeg() {
        Ok(path) => path,
        Err(error) => return vec![Finding::failed("ffmpeg", format!("{error:#}"), "without it no ladder is made")],
    };
    let mut findings = vec![Finding::fine("ffmpeg", format!("{} runs", path.display()))];
    for (check, arguments) in [("ffmpeg.h264", ["-c:v", "libx264"]), ("ffmpeg.aac", ["-c:a", "aac"])] {
        findings.push(match encodes(&path, &arguments).await {
            Ok(()) => Finding::fine(check, format!("{} encodes", arguments[1])),
            Err(why) => Finding::failed(
                check,
                format!("{} does not encode: {why}", arguments[1]),
                "use an ffmpeg that is built with it: infra/tools fetches one",
            ),
        });
    }
    let mut working = Vec::new();
    for encoder in HARDWARE {
        if encodes(&path, &["-c:v", encoder]).await.is_ok() {
            working.push(encoder);
        }
    }
    findings.push(match working.as_slice() {
        [] => Finding::skipped("ffmpeg.hardware", "no hardware encoder works here; libx264 does the work"),
        working => Finding::fine("ffmpeg.hardware", format!("{} encode", working.join(", "))),
    });
    findings
}

/// Encodes three pictures, or a tenth of a second of sound.
async fn encodes(ffmpeg: &std::path::Path, codec: &[&str; 2]) -> Result<(), String> {
    let source = if codec[0] == "-c:a" { "sine=frequency=440:duration=0.1" } else { "testsrc2=size=320x180:rate=30:duration=0.1" };
    let mut command = Command::new(ffmpeg);
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i", source]).args(codec).args(["-f", "null", "-"]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(ENCODE_TIME_MAX, command.output()).await.map_err(|_| "it hangs".to_owned())?.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(text.lines().next().unwrap_or("it says nothing").chars().take(120).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Outcome;

    #[tokio::test]
    async fn a_port_in_use_is_found() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        assert_eq!(port("port.viewers", taken.local_addr().unwrap()).await.outcome, Outcome::Failed);
        let free = taken.local_addr().unwrap();
        drop(taken);
        assert_eq!(port("port.viewers", free).await.outcome, Outcome::Fine);
    }
}
