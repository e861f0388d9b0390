//! Folders for the data of servers, readable by the accounts that the servers run under.

use std::env;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rand::Rng as _;

use crate::Error;
use crate::account::Account;

/// A folder that is removed with its contents when it is dropped, unless it was made to be kept.
///
/// It lies under `/var/tmp/shop-<uid>/`, or under `$SHOP_DATA_DIR` where that is set: a place on a real disk (`/tmp` may be
/// memory) that an unprivileged server can reach, which a checkout under a private home is not.
///
/// Beside each folder lies a lock file, held by the process that uses the folder. What a killed process left behind is swept
/// by the next one that makes a folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    lock: File,
    kept: bool,
}

impl Folder {
    /// A fresh folder whose name starts with `name`, removed when dropped.
    ///
    /// # Errors
    ///
    /// When the base folder is not ours or cannot be written.
    pub fn temporary(name: &str) -> Result<Self, Error> {
        let base = base()?;
        let _guard = guard(&base)?;
        sweep(&base);
        let suffix: u32 = rand::rng().random();
        Self::create(&base.join(format!("{name}-{suffix:08x}.tmp")), false)
    }

    /// The folder of exactly this name, made if it is not there, and kept when dropped.
    ///
    /// # Errors
    ///
    /// When the base folder is not ours or cannot be written, or another process uses this folder.
    pub fn kept(name: &str) -> Result<Self, Error> {
        let base = base()?;
        let _guard = guard(&base)?;
        Self::create(&base.join(name), true)
    }

    fn create(path: &Path, kept: bool) -> Result<Self, Error> {
        let lock_path = lock_of(path);
        let lock = File::create(&lock_path).map_err(Error::file(&lock_path))?;
        lock.try_lock().map_err(|error| Error::File {
            path: lock_path.clone(),
            source: match error {
                fs::TryLockError::Error(source) => source,
                fs::TryLockError::WouldBlock => {
                    io::Error::new(io::ErrorKind::WouldBlock, "another process uses it")
                }
            },
        })?;
        fs::create_dir_all(path).map_err(Error::file(path))?;
        fs::set_permissions(path, Permissions::from_mode(0o755)).map_err(Error::file(path))?;
        Ok(Self { path: path.to_owned(), lock, kept })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder when this value is dropped, whatever was said before.
    pub fn discard(&mut self) {
        self.kept = false;
    }

    /// A folder inside, owned by the account of the server that will use it.
    pub(crate) fn inner(&self, name: &str, account: Option<&Account>) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).map_err(Error::file(&path))?;
        if let Some(account) = account {
            account.own(&path)?;
        }
        fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(Error::file(&path))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = remove(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a data folder stays behind");
        }
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(path = %self.path.display(), %error, "a data folder stays locked");
        }
    }
}

/// The folder that holds all our folders. It must be ours, for whoever owns it could swap what lies inside.
fn base() -> Result<PathBuf, Error> {
    let own = rustix::process::geteuid().as_raw();
    let path = env::var_os("SHOP_DATA_DIR")
        .filter(|path| !path.is_empty())
        .map_or_else(|| PathBuf::from(format!("/var/tmp/shop-{own}")), PathBuf::from);
    fs::create_dir_all(&path).map_err(Error::file(&path))?;
    let found = fs::symlink_metadata(&path).map_err(Error::file(&path))?;
    if !found.is_dir() || found.uid() != own {
        return Err(Error::ForeignFolder(path));
    }
    fs::set_permissions(&path, Permissions::from_mode(0o755)).map_err(Error::file(&path))?;
    Ok(path)
}

/// Held while folders are made or swept, so that nobody sweeps what somebody else has half made.
fn guard(base: &Path) -> Result<File, Error> {
    let path = base.join("guard");
    let file = File::create(&path).map_err(Error::file(&path))?;
    file.lock().map_err(Error::file(&path))?;
    Ok(file)
}

/// Removes the temporary folders that nobody holds any more. What cannot be removed stays for the next time.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let lock_path = entry.path();
        let folder = lock_path.with_extension("");
        let temporary = folder.extension().is_some_and(|extension| extension == "tmp");
        if !temporary || lock_path.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        let unused = File::open(&lock_path).is_ok_and(|lock| lock.try_lock().is_ok());
        if unused && let Err(error) = remove(&folder) {
            tracing::warn!(path = %folder.display(), %error, "an old data folder stays behind");
        }
    }
}

/// Removes a folder, then its lock file: a lock file whose folder is still there is found again by the next sweep.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    fs::remove_file(lock_of(folder))
}

/// The lock file beside a folder.
fn lock_of(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
