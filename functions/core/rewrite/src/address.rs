use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a host in a URL names this machine or a network of its own, as far as its text says so.
///
/// A public name may still resolve to a private address: the host that connects has to look at what it resolved.
#[must_use]
pub fn host_is_private(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    if let Ok(address) = host.parse::<IpAddr>() {
        return is_private(address);
    }
    if let Some(address) = odd_ipv4(host) {
        return is_private(IpAddr::V4(address));
    }
    let Some(last) = host.rsplit('.').next().filter(|_| host.contains('.')) else {
        // A name without a dot is a neighbour's.
        return true;
    };
    ["localhost", "local", "internal", "lan", "home", "corp", "intranet"].iter().any(|private| last.eq_ignore_ascii_case(private))
        || host.len() >= 9 && host.get(host.len() - 9..).is_some_and(|end| end.eq_ignore_ascii_case("home.arpa"))
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        // Carrier-grade NAT, protocol assignments, benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    // Ways to write an IPv4 address: mapped, compatible, NAT64, 6to4.
    let segments = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_private_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0, 0, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => return v4(high, low),
        [0x2002, high, low, ..] => return v4(high, low),
        _ => {}
    }
    let [first, second, ..] = segments;
    // Unique local, link local, site local, multicast, documentation, discard.
    (first & 0xfe00) == 0xfc00
        || (first & 0xffc0) == 0xfe80
        || (first & 0xffc0) == 0xfec0
        || first >= 0xff00
        || (first == 0x2001 && second == 0xdb8)
        || first == 0x100
}

/// IPv4 addresses as `inet_aton` reads them and some resolvers still do: `127.1`, `0x7f000001`, `017700000001`.
fn odd_ipv4(host: &str) -> Option<Ipv4Addr> {
    let mut address: u64 = 0;
    let mut count: u32 = 0;
    let mut words = host.split('.').peekable();
    while let Some(word) = words.next() {
        let (digits, radix) = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
            Some("") => ("0", 16),
            Some(digits) => (digits, 16),
            None if word.len() > 1 && word.starts_with('0') => (word, 8),
            None => (word, 10),
        };
        if !digits.starts_with(|c: char| c.is_digit(radix)) {
            return None;
        }
        let number = u64::from_str_radix(digits, radix).ok()?;
        count += 1;
        if count > 4 {
            return None;
        }
        if words.peek().is_none() {
            let bits = 8 * (5 - count);
            address = (address << bits) | number;
            return u32::try_from(address).ok().filter(|_| number < 1 << bits).map(Ipv4Addr::from);
        }
        if number > 255 {
            return None;
        }
        address = (address << 8) | number;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_hosts_are_known_however_they_are_written() {
        for host in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "127.1",
            "0x7f000001",
            "0x7f.1",
            "017700000001",
            "2130706433",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "localhost",
            "a.localhost",
            "LOCALHOST.",
            "metadata.google.internal",
            "printer.local",
            "router",
            "x.home.arpa",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            assert!(host_is_private(host), "{host}");
        }
        for host in
            ["a.example", "8.8.8.8", "172.32.0.1", "2606:4700::1", "10.example", "0x.example", "127.0.0.1.example", "xn--a.example."]
        {
            assert!(!host_is_private(host), "{host}");
        }
    }
}
