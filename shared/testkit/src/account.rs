//! The unprivileged account that a server runs under.

use std::ffi::OsString;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use crate::Error;

/// A user of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// The account to run a server under: `name` when we are root, ourselves (`None`) otherwise.
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

    /// Makes a file or folder the account's own.
    pub(crate) fn own(&self, path: &Path) -> Result<(), Error> {
        chown(path, Some(self.uid), Some(self.gid)).map_err(Error::file(path))
    }

    /// The arguments with which `setpriv` becomes this account.
    pub(crate) fn setpriv_arguments(&self) -> [OsString; 3] {
        [
            format!("--reuid={}", self.uid).into(),
            format!("--regid={}", self.gid).into(),
            "--init-groups".into(),
        ]
    }
}
