//! The unprivileged user account that a server runs under.

use std::{ffi::OsString, os::unix::fs::chown, path::Path, process::Command};

use crate::error::Error;

/// A user account of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// The account to run a server under: `name` if this process is root, else `None` for its own account.
    pub(crate) fn for_server(name: &str) -> Result<Option<Self>, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let number = |flag: &str| {
            let output = Command::new("id").args([flag, "--", name]).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        };
        match (number("-u"), number("-g")) {
            (Some(uid), Some(gid)) => Ok(Some(Self { uid, gid })),
            (Some(_) | None, _) => Err(Error::NoAccount(name.to_owned())),
        }
    }

    /// Makes the account the owner of a file or directory.
    pub(crate) fn take_ownership(&self, path: &Path) -> Result<(), Error> {
        chown(path, Some(self.uid), Some(self.gid)).map_err(Error::file(path))
    }

    /// The arguments that make `setpriv` switch to this account.
    pub(crate) fn setpriv_arguments(&self) -> [OsString; 3] {
        [
            format!("--reuid={}", self.uid).into(),
            format!("--regid={}", self.gid).into(),
            "--init-groups".into(),
        ]
    }
}
