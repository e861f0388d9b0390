//! Data directories of servers, readable by the accounts that the servers run under.

use std::{
    env,
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rand::Rng as _;

use crate::{account::Account, error::Error};

/// A file system in memory that every Linux has.
const MEMORY: &str = "/dev/shm";

/// How much memory must be free for a data directory there. A server of the tests uses a few hundred megabytes.
const MIN_FREE_MEMORY: u64 = 6 * 1024 * 1024 * 1024;

/// A data directory, either temporary (removed when dropped) or persistent.
///
/// It lies under `$SHOP_DATA_DIR`, by default `/var/tmp/shop-<uid>/`. That is on a real disk (`/tmp` may be in memory), and an
/// unprivileged server can read it, unlike a checkout in a private home directory. Servers of tests may lie in memory instead.
///
/// The process that uses a directory holds a lock file beside it. The next process that creates a directory removes the
/// temporary ones of killed processes.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock: File,
    persistent: bool,
}

impl DataDir {
    /// A new directory whose name starts with `name`, removed when dropped.
    pub fn temporary(name: &str) -> Result<Self, Error> {
        Self::temporary_in(&base()?, name)
    }

    /// A temporary directory in memory, or on disk if `SHOP_DATA_DIR` is set or less than 6 GiB of memory are free.
    ///
    /// There, creating and removing files and `fsync` cost almost nothing. Data survives the death of a server, as on disk, but not
    /// that of the machine. Drop the value: what a killed process leaves behind uses memory until the next one creates a directory there.
    pub fn in_memory(name: &str) -> Result<Self, Error> {
        let base = if has_free_memory() { memory_base()? } else { base()? };
        Self::temporary_in(&base, name)
    }

    fn temporary_in(base: &Path, name: &str) -> Result<Self, Error> {
        let _lock = lock_base(base)?;
        remove_abandoned(base);
        let suffix: u32 = rand::rng().random();
        Self::create(&base.join(format!("{name}-{suffix:08x}.tmp")), false)
    }

    /// The directory with exactly this name, created if missing, and not removed when dropped. Fails if another process
    /// uses it.
    pub fn persistent(name: &str) -> Result<Self, Error> {
        let base = base()?;
        let _lock = lock_base(&base)?;
        Self::create(&base.join(name), true)
    }

    fn create(path: &Path, persistent: bool) -> Result<Self, Error> {
        let lock_path = lock_path(path);
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
        Ok(Self { path: path.to_owned(), lock, persistent })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory temporary.
    pub fn remove_on_drop(&mut self) {
        self.persistent = false;
    }

    /// A subdirectory, owned by the account of the server that will use it.
    pub(crate) fn subdirectory(
        &self,
        name: &str,
        account: Option<&Account>,
    ) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).map_err(Error::file(&path))?;
        if let Some(account) = account {
            account.take_ownership(&path)?;
        }
        fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(Error::file(&path))?;
        Ok(path)
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if self.persistent {
            return;
        }
        if let Err(error) = remove(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "failed to remove a data directory");
        }
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(path = %self.path.display(), %error, "failed to unlock a data directory");
        }
    }
}

/// The parent of all data directories. It must belong to this user, because its owner could replace its contents.
fn base() -> Result<PathBuf, Error> {
    own_directory(configured_base().unwrap_or_else(|| Path::new("/var/tmp").join(name_of_base())))
}

/// The parent of all data directories in memory.
fn memory_base() -> Result<PathBuf, Error> {
    own_directory(Path::new(MEMORY).join(name_of_base()))
}

fn configured_base() -> Option<PathBuf> {
    env::var_os("SHOP_DATA_DIR").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// `shop-<uid>`.
pub(crate) fn name_of_base() -> String {
    format!("shop-{}", rustix::process::geteuid().as_raw())
}

/// Whether a server may keep its data in memory.
fn has_free_memory() -> bool {
    let space = rustix::fs::statvfs(MEMORY).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
    configured_base().is_none() && space.min(available_memory()) >= MIN_FREE_MEMORY
}

/// The memory that programs can use without swapping, in bytes; 0 if it is unknown.
fn available_memory() -> u64 {
    let information = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = information.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// Creates a directory that others can read, unless it exists.
fn own_directory(path: PathBuf) -> Result<PathBuf, Error> {
    let own = rustix::process::geteuid().as_raw();
    fs::create_dir_all(&path).map_err(Error::file(&path))?;
    let found = fs::symlink_metadata(&path).map_err(Error::file(&path))?;
    if !found.is_dir() || found.uid() != own {
        return Err(Error::NotOwned(path));
    }
    fs::set_permissions(&path, Permissions::from_mode(0o755)).map_err(Error::file(&path))?;
    Ok(path)
}

/// Locks the creation and removal of directories, so that no process removes a directory that another is creating.
fn lock_base(base: &Path) -> Result<File, Error> {
    let path = base.join("guard");
    let file = File::create(&path).map_err(Error::file(&path))?;
    file.lock().map_err(Error::file(&path))?;
    Ok(file)
}

/// Removes temporary directories whose lock is free. A directory that cannot be removed is tried again next time.
fn remove_abandoned(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let lock_path = entry.path();
        let directory = lock_path.with_extension("");
        let temporary = directory.extension().is_some_and(|extension| extension == "tmp");
        if !temporary || lock_path.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        let unused = File::open(&lock_path).is_ok_and(|lock| lock.try_lock().is_ok());
        if unused && let Err(error) = remove(&directory) {
            tracing::warn!(path = %directory.display(), %error, "failed to remove an abandoned data directory");
        }
    }
}

/// Removes a directory, then its lock file, so that a directory that is left over still has its lock file.
fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    fs::remove_file(lock_path(directory))
}

/// The lock file beside a directory.
fn lock_path(directory: &Path) -> PathBuf {
    let mut name = directory.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
