//! The programs that are measured, and those that measure them, each on a core of its own.
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

use crate::process;

/// How long a program may take to listen, and to give its first answer: the host compiles its component first.
const READY: Duration = Duration::from_secs(120);
const PORTS_TRIED: usize = 20;

/// A server that is measured; it ends with this.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a load came to.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub requests: u64,
    pub seconds: f64,
    /// CPU time of the server meanwhile.
    pub cpu_seconds: f64,
}

/// The version of HTTP that a load is sent over, without TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Http {
    One,
    Two,
}

impl Server {
    /// Starts a program on core 0 that listens at the address it is told, and at the port after it if it likes. Others may take a port
    /// between its choice and its use: then it ends, and gets other ports.
    pub fn start(command: impl Fn(&str) -> anyhow::Result<Command>) -> anyhow::Result<Self> {
        let mut last = String::new();
        for _ in 0..PORTS_TRIED {
            let address = format!("127.0.0.1:{}", free_ports()?);
            let mut command = command(&address)?;
            let child = command.stdin(Stdio::null()).spawn().with_context(|| format!("{command:?} does not start"))?;
            let mut server = Self { child, address };
            let begin = Instant::now();
            loop {
                if let Some(status) = server.child.try_wait()? {
                    last = format!("{command:?} ended with {status}");
                    break;
                }
                if TcpStream::connect(&server.address).is_ok() {
                    return Ok(server);
                }
                ensure!(begin.elapsed() < READY, "{command:?} does not listen");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        bail!("{last}")
    }

    /// Waits until a path is answered with 200; how many bytes the answer has, where it says so.
    pub fn until_ok(&self, path: &str) -> anyhow::Result<Option<usize>> {
        let begin = Instant::now();
        loop {
            let head = self.head(path);
            if let Ok((200, len)) = head {
                return Ok(len);
            }
            ensure!(begin.elapsed() < READY, "{path} is not answered: {head:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn head(&self, path: &str) -> anyhow::Result<(u16, Option<usize>)> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(READY))?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n").as_bytes())?;
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().context("no answer")??;
        let status = first.split(' ').nth(1).context("no status")?.parse()?;
        for line in lines {
            let line = line?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                return Ok((status, value.trim().parse().ok()));
            }
        }
        Ok((status, None))
    }

    /// The host with this component and upstream. What it has compiled is kept in a folder, so that only the first one compiles.
    pub fn host(program: &str, component: &str, endpoint: &str, cache: &Path, more: &[&str]) -> anyhow::Result<Self> {
        Self::start(|address| {
            let mut command = on_core(0, program);
            command.args(["--listen", address, "--endpoint", endpoint, "--component", component, "--log", "warn"]).args(more);
            command.args(["--per-address", "200000", "--cache"]).arg(cache.join("compiled"));
            Ok(command)
        })
    }

    /// nginx with the files of a folder on a core, as Debian sets it up, but for its logs.
    pub fn nginx(folder: &Path, core: u32) -> anyhow::Result<Self> {
        Self::start(|address| {
            let file = folder.join(format!("nginx-{}.conf", address.replace(':', "-")));
            let folder = folder.display();
            let text = format!(
                "daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr crit;\n\
                 events {{ worker_connections 4096; }}\n\
                 http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; open_file_cache max=100;\n\
                 client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;\n\
                 uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n\
                 server {{ listen {address}; root {folder}; location /each/ {{ add_header cache-control no-store; }}\n\
                 location /kept/ {{ add_header cache-control max-age=1; }} }}\n\
                 server {{ listen {} http2; root {folder}; }} }}\n",
                second(address)?,
            );
            std::fs::write(&file, text)?;
            let mut command = on_core(core, "nginx");
            command.arg("-c").arg(file);
            Ok(command)
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Loads one path from core 1 for a while.
    pub fn load(&self, http: Http, path: &str, seconds: u32) -> anyhow::Result<Load> {
        self.load_with(http, path, seconds, &[])
    }

    /// The same, with more arguments for the program that loads.
    pub fn load_with(&self, http: Http, path: &str, seconds: u32, more: &[&str]) -> anyhow::Result<Load> {
        // nginx 1.22 speaks HTTP/2 in the clear on a port of its own.
        let nginx = http == Http::Two && TcpStream::connect(second(&self.address)?).is_ok();
        let address = if nginx { second(&self.address)? } else { self.address.clone() };
        let url = format!("http://{address}{path}");
        let seconds_text = seconds.to_string();
        let mut command = match http {
            Http::One => on_core(1, "wrk"),
            Http::Two => on_core(1, "h2load"),
        };
        match http {
            Http::One => command.args(["-t1", "-c16", "-d", &seconds_text, &url]),
            // As many requests at one time as over HTTP/1.1; the windows are as large as a browser's.
            Http::Two => command.args(["-t1", "-c4", "-m4", "-w24", "-W24", "-D", &seconds_text, &url]),
        };
        command.args(more);
        let (cpu, begin) = (process::cpu_seconds(self.pid())?, Instant::now());
        let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
        let (took, cpu) = (begin.elapsed(), process::cpu_seconds(self.pid())? - cpu);
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "{command:?}: {text}");
        let requests = match http {
            Http::One => {
                ensure!(!text.contains("Non-2xx"), "{url} is not 200: {text}");
                text.lines().find_map(|line| line.split_once(" requests in ")?.0.trim().parse().ok())
            }
            Http::Two => {
                let status = text.lines().find(|line| line.starts_with("status codes:")).context("no status")?;
                ensure!(status.contains(" 0 4xx, 0 5xx"), "{url} is not 200: {text}");
                status.split_whitespace().nth(2).and_then(|count| count.parse().ok())
            }
        };
        let Some(requests) = requests.filter(|requests| *requests > 0) else { bail!("no requests: {text}") };
        Ok(Load { requests, seconds: took.as_secs_f64(), cpu_seconds: cpu })
    }
}

/// The port after an address's own.
fn second(address: &str) -> anyhow::Result<String> {
    let (host, port) = address.rsplit_once(':').context("no port")?;
    Ok(format!("{host}:{}", port.parse::<u16>()? + 1))
}

/// Two ports in a row that nobody has; the first of them.
fn free_ports() -> anyhow::Result<u16> {
    for _ in 0..PORTS_TRIED {
        let first = TcpListener::bind("127.0.0.1:0")?;
        let port = first.local_addr()?.port();
        if port.checked_add(1).is_some_and(|next| TcpListener::bind(("127.0.0.1", next)).is_ok()) {
            return Ok(port);
        }
    }
    bail!("there are no two free ports in a row")
}

/// A program that stays on one core.
pub fn on_core(core: u32, program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string(), program]);
    command
}

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
