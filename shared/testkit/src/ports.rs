//! Ports of our own on the loopback.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use rand::Rng as _;

use crate::Error;

/// Where we look. The range lies below the ports that the system gives to outgoing connections: one of those could take the
/// port of a server while the server is down, and a client that dials in vain could even connect to itself.
const RANGE: std::ops::Range<u16> = 18_000..32_000;

/// How often we look before we give up.
const ATTEMPTS: usize = 500;

/// What this process has handed out already. A server binds its port only some time after it was chosen.
static TAKEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A port of 127.0.0.1 that nobody listens on, and that this process has not handed out before.
///
/// # Errors
///
/// When none was found.
pub fn free_port() -> Result<u16, Error> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = taken.get_or_insert_default();
    (0..ATTEMPTS)
        .map(|_| rand::rng().random_range(RANGE))
        .find(|port| {
            !taken.contains(port) && TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
        })
        .inspect(|port| {
            taken.insert(*port);
        })
        .ok_or(Error::NoFreePort)
}
