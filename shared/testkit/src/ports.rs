//! Free ports on the loopback interface.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, TcpListener},
    sync::{Mutex, PoisonError},
};

use rand::Rng as _;

use crate::error::Error;

/// Lies below the ephemeral ports of outgoing connections. An outgoing connection could take an ephemeral port while its
/// server is down, and a client that dials such a port could even connect to itself.
const RANGE: std::ops::Range<u16> = 18_000..32_000;

const MAX_ATTEMPTS: usize = 500;

/// Ports that this process has handed out; their servers may not have bound them yet.
static RESERVED: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A free port of 127.0.0.1 that this process has not handed out before.
pub fn free_port() -> Result<u16, Error> {
    let mut reserved = RESERVED.lock().unwrap_or_else(PoisonError::into_inner);
    let reserved = reserved.get_or_insert_default();
    (0..MAX_ATTEMPTS)
        .map(|_| rand::rng().random_range(RANGE))
        .find(|port| {
            !reserved.contains(port) && TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
        })
        .inspect(|port| {
            reserved.insert(*port);
        })
        .ok_or(Error::NoFreePort)
}
