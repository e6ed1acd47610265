use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// A host that lives answers in milliseconds; a container engine asks again.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks a host that listens here whether it lives (`/healthz`): for container engines, whose images have no other program to ask with. Behind TLS
/// it is only looked whether it takes connections.
pub fn ask_health(listen: SocketAddr, tls: bool) -> io::Result<()> {
    let here = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(here, listen.port()), PATIENCE)?;
    if tls {
        return Ok(());
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    if status.ends_with(b" 200") { Ok(()) } else { Err(io::Error::other(format!("it answers {}", String::from_utf8_lossy(&status)))) }
}
