//! The index folder: one subfolder per index version, and a file with the name of the version in use.
//!
//! A new version is built next to the one in use and activated by renaming one small file. After a kill,
//! therefore, either the old or the new version is in use. Unused versions are removed at the next start.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use uuid::Uuid;

/// The file that contains the name of the version in use.
const CURRENT: &str = "current";

/// The prefix of the subfolders.
const VERSION_PREFIX: &str = "index-";

/// Why the index folder cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("the folder {} is not usable", .0.display())]
    Unusable(PathBuf, #[source] io::Error),
    #[error("the folder {} is in use by another process", .0.display())]
    InUse(PathBuf),
}

/// The index folder, locked for this process until the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct IndexFolder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    /// The operating system releases the lock when the process ends.
    _lock: File,
}

impl IndexFolder {
    /// Creates the folder if necessary and locks it.
    pub(crate) fn lock(root: &Path) -> Result<Self, FolderError> {
        let unusable = |error| FolderError::Unusable(root.to_owned(), error);
        fs::create_dir_all(root).map_err(unusable)?;
        let path = root.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self(Arc::new(Inner { root: root.to_owned(), _lock: lock }))),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(root.to_owned())),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// The subfolder of the version in use; `None` before the first one is activated.
    pub(crate) fn current(&self) -> io::Result<Option<PathBuf>> {
        let name = match fs::read_to_string(self.0.root.join(CURRENT)) {
            Ok(name) => name,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(None),
            Err(error) => return Err(error),
        };
        let name = name.trim();
        // A damaged name must not lead out of the folder.
        let valid = name.starts_with(VERSION_PREFIX) && !name.contains(['/', '\\']);
        let path = self.0.root.join(name);
        Ok((valid && path.is_dir()).then_some(path))
    }

    /// Creates an empty subfolder for a new version.
    pub(crate) fn create_version(&self) -> io::Result<PathBuf> {
        let path = self.0.root.join(format!("{VERSION_PREFIX}{}", Uuid::now_v7().simple()));
        fs::create_dir(&path)?;
        Ok(path)
    }

    /// Puts `version` in use and removes the previous one. Running searches keep the removed files open.
    pub(crate) fn activate(&self, version: &Path) -> io::Result<()> {
        let root = &self.0.root;
        let previous = self.current()?.filter(|previous| previous != version);
        let name = version.file_name().unwrap_or_default();
        let new = root.join("current.new");
        let mut file = File::create(&new)?;
        file.write_all(name.as_encoded_bytes())?;
        file.sync_all()?;
        fs::rename(&new, root.join(CURRENT))?;
        File::open(root)?.sync_all()?;
        previous.map_or(Ok(()), fs::remove_dir_all)
    }

    /// Removes every version except the one in use: remains of an interrupted rebuild.
    pub(crate) fn remove_unused(&self) -> io::Result<()> {
        let current = self.current()?;
        for entry in fs::read_dir(&self.0.root)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(VERSION_PREFIX) && Some(&path) != current.as_ref() {
                fs::remove_dir_all(&path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{FolderError, IndexFolder};

    #[test]
    fn unused_versions_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let folder = IndexFolder::lock(&root.path().join("a/b")).unwrap();
        assert_eq!(folder.current().unwrap(), None);
        let [old, new, unfinished] = [(); 3].map(|()| folder.create_version().unwrap());
        folder.activate(&old).unwrap();
        assert_eq!(folder.current().unwrap().as_ref(), Some(&old));
        folder.activate(&new).unwrap();
        assert!(!old.exists() && unfinished.exists());
        folder.remove_unused().unwrap();
        assert!(!unfinished.exists() && new.exists());
        assert_eq!(folder.current().unwrap(), Some(new));
    }

    #[test]
    fn the_folder_has_one_owner_and_ignores_damaged_names() {
        let root = tempfile::tempdir().unwrap();
        let folder = IndexFolder::lock(root.path()).unwrap();
        assert!(matches!(IndexFolder::lock(root.path()), Err(FolderError::InUse(_))));
        for damaged in ["", "../..", "index-gone", "/etc", "\u{0}"] {
            std::fs::write(root.path().join("current"), damaged).unwrap();
            assert_eq!(folder.current().unwrap(), None, "{damaged:?}");
        }
        std::fs::write(root.path().join("current"), [0xff, 0xfe]).unwrap();
        assert_eq!(folder.current().unwrap(), None);
        drop(folder);
        assert!(IndexFolder::lock(root.path()).is_ok());
    }
}
