//! Free ports on the loopback interface.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener},
    sync::{Mutex, PoisonError},
};

use rand::Rng as _;

use crate::{data_dir::name_of_base, error::Error};

/// Lies below the ephemeral ports of outgoing connections. An outgoing connection could take an ephemeral port while its
/// server is down, and a client that dials such a port could even connect to itself.
const RANGE: std::ops::Range<u16> = 18_000..32_000;

const MAX_ATTEMPTS: usize = 500;

/// Ports that this process has handed out; their servers may not have bound them yet. Each is also a locked file, for the processes of
/// other tests.
static RESERVED: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A free port of 127.0.0.1 that no living process has been handed out before.
pub fn free_port() -> Result<u16, Error> {
    let folder = std::env::temp_dir().join(format!("{}-ports", name_of_base()));
    fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    for _ in 0..MAX_ATTEMPTS {
        let port = rand::rng().random_range(RANGE);
        let path = folder.join(port.to_string());
        let file = File::create(&path).map_err(Error::file(&path))?;
        // The lock ends with the process.
        if file.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            RESERVED.lock().unwrap_or_else(PoisonError::into_inner).push(file);
            return Ok(port);
        }
    }
    Err(Error::NoFreePort)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::{free_port, name_of_base};

    #[test]
    fn a_port_is_reserved_for_other_processes() {
        let port = free_port().unwrap();
        let folder = std::env::temp_dir().join(format!("{}-ports", name_of_base()));
        let file = File::open(folder.join(port.to_string())).unwrap();
        assert!(file.try_lock().is_err());
    }
}
