//! The folder of the index: one subfolder per generation, and a file that names the one in use.
//!
//! A generation is built beside the one in use and chosen by renaming one small file, so whenever the process is killed
//! there is either the old one or the new one. What is not chosen is swept away at the next start.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use uuid::Uuid;

/// The name of the file that names the generation in use.
const CURRENT: &str = "current";

/// What the names of generations begin with.
const GENERATION: &str = "index-";

/// Why a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made, read or written.
    #[error("the folder {} cannot be used", .0.display())]
    Unusable(PathBuf, #[source] io::Error),
    /// Another process has it.
    #[error("the folder {} is in use by another process", .0.display())]
    InUse(PathBuf),
}

/// The folder of the index, which nobody else uses as long as a clone of this exists.
#[derive(Debug, Clone)]
pub struct Folder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    /// Locked; the system unlocks it when the process ends, however it ends.
    _lock: File,
}

impl Folder {
    /// Takes the folder, which is made if it is not there.
    pub fn take(root: &Path) -> Result<Self, FolderError> {
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

    /// The folder of the generation in use; `None` where there is none yet.
    pub(super) fn current(&self) -> io::Result<Option<PathBuf>> {
        let name = match fs::read_to_string(self.0.root.join(CURRENT)) {
            Ok(name) => name,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(None),
            Err(error) => return Err(error),
        };
        let name = name.trim();
        // Whatever else stands there is no generation, and is not followed out of the folder.
        let known = name.starts_with(GENERATION) && !name.contains(['/', '\\']);
        let path = self.0.root.join(name);
        Ok((known && path.is_dir()).then_some(path))
    }

    /// An empty folder for a new generation.
    pub(super) fn fresh(&self) -> io::Result<PathBuf> {
        let path = self.0.root.join(format!("{GENERATION}{}", Uuid::now_v7().simple()));
        fs::create_dir(&path)?;
        Ok(path)
    }

    /// Makes `generation` the one in use, and removes the one before. Searches that still read that one go on: its files
    /// are gone from the folder, not from under them.
    pub(super) fn choose(&self, generation: &Path) -> io::Result<()> {
        let root = &self.0.root;
        let before = self.current()?.filter(|before| before != generation);
        let name = generation.file_name().unwrap_or_default();
        let new = root.join("current.new");
        let mut file = File::create(&new)?;
        file.write_all(name.as_encoded_bytes())?;
        file.sync_all()?;
        fs::rename(&new, root.join(CURRENT))?;
        File::open(root)?.sync_all()?;
        before.map_or(Ok(()), fs::remove_dir_all)
    }

    /// Removes what was being built when a process ended: every generation but the one in use.
    pub(super) fn sweep(&self) -> io::Result<()> {
        let kept = self.current()?;
        for entry in fs::read_dir(&self.0.root)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(GENERATION) && Some(&path) != kept.as_ref() {
                fs::remove_dir_all(&path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Folder, FolderError};

    #[test]
    fn one_generation_is_chosen_and_the_others_are_swept() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::take(&root.path().join("a/b")).unwrap();
        assert_eq!(folder.current().unwrap(), None);
        let [old, new, unfinished] = [(); 3].map(|()| folder.fresh().unwrap());
        folder.choose(&old).unwrap();
        assert_eq!(folder.current().unwrap().as_ref(), Some(&old));
        folder.choose(&new).unwrap();
        assert!(!old.exists() && unfinished.exists());
        folder.sweep().unwrap();
        assert!(!unfinished.exists() && new.exists());
        assert_eq!(folder.current().unwrap(), Some(new));
    }

    #[test]
    fn nobody_else_may_have_it_and_what_is_damaged_is_no_generation() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::take(root.path()).unwrap();
        assert!(matches!(Folder::take(root.path()), Err(FolderError::InUse(_))));
        for damaged in ["", "../..", "index-gone", "/etc", "\u{0}"] {
            std::fs::write(root.path().join("current"), damaged).unwrap();
            assert_eq!(folder.current().unwrap(), None, "{damaged:?}");
        }
        std::fs::write(root.path().join("current"), [0xff, 0xfe]).unwrap();
        assert_eq!(folder.current().unwrap(), None);
        drop(folder);
        assert!(Folder::take(root.path()).is_ok());
    }
}
