//! Says before anything starts that an address cannot be had, and which option names another.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
};

use anyhow::{Context as _, bail};

/// Tries an address and lets it go again.
pub(crate) fn check(listen: SocketAddr, what: &str, option: &str) -> anyhow::Result<()> {
    let Err(error) = TcpListener::bind(listen) else { return Ok(()) };
    let port = listen.port();
    match error.kind() {
        ErrorKind::AddrInUse => bail!(
            "port {port} is in use, and {what} needs it: stop what listens there, or choose another with {option} {}:{}",
            listen.ip(),
            port.wrapping_add(1).max(1024)
        ),
        ErrorKind::PermissionDenied => bail!("port {port} needs more rights than this user has: choose one above 1023 with {option}"),
        ErrorKind::AddrNotAvailable => bail!("{} is no address of this machine: choose another with {option}", listen.ip()),
        _ => Err(error).with_context(|| format!("{what} cannot listen on {listen}: choose another address with {option}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_named_with_the_option_that_helps() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let sentence = check(address, "the edge", "--listen").unwrap_err().to_string();
        assert!(sentence.starts_with(&format!("port {} is in use, and the edge needs it", address.port())), "{sentence}");
        assert!(sentence.contains("--listen 127.0.0.1:"), "{sentence}");
        drop(taken);
        check(address, "the edge", "--listen").unwrap();
    }
}
