use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex},
};

use crate::objects::lock;

/// Counts what each address has open, so that one viewer cannot take the place of all.
#[derive(Debug)]
pub(crate) struct Addresses {
    open: Mutex<HashMap<IpAddr, usize>>,
    limit: usize,
}

/// One thing that an address has open until this is dropped.
#[derive(Debug)]
pub(crate) struct Entered {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), limit })
    }

    /// One more, unless the address has as many open as it may.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Entered> {
        let address = network(address);
        let mut open = lock(&self.open);
        let count = open.entry(address).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Entered { addresses: self.clone(), address })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut open = lock(&self.addresses.open);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// A household has one address of IPv4 and a whole network of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_more_open_than_it_may() {
        let addresses = Addresses::new(2);
        let enter = |text: &str| addresses.enter(text.parse().unwrap());
        let (one, two) = (enter("2001:db8::1"), enter("2001:db8::2"));
        assert!(one.is_some() && two.is_some() && enter("2001:db8::3").is_none(), "one network is one viewer");
        assert!(enter("2001:db8:0:1::1").is_some() && enter("10.0.0.1").is_some() && enter("::ffff:10.0.0.1").is_some());
        drop(one);
        assert!(enter("2001:db8::3").is_some());
        drop(two);
        assert!(lock(&addresses.open).is_empty());
    }
}
