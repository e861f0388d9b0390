//! Values that are made of files, and made again when the files change.

use std::{
    error::Error,
    fs,
    path::PathBuf,
    sync::{PoisonError, RwLock, RwLockWriteGuard},
};

use crate::error::TlsError;

type Make<T> = Box<dyn Fn(&[Vec<u8>]) -> Result<T, TlsError> + Send + Sync>;

/// A value that is made of files. If the new contents cannot be used, the value stays as it is.
pub(crate) struct Reloaded<T> {
    files: Vec<PathBuf>,
    make: Make<T>,
    state: RwLock<State<T>>,
}

struct State<T> {
    contents: Vec<Vec<u8>>,
    value: T,
    refused: Option<Refused>,
}

/// New contents that cannot be used; empty if the files cannot be read.
struct Refused {
    contents: Vec<Vec<u8>>,
    /// How often they were seen. A certificate and its key are two files: one may be newer for a moment.
    seen: u32,
    error: String,
}

impl<T: Clone> Reloaded<T> {
    pub(crate) fn open(
        files: Vec<PathBuf>,
        make: impl Fn(&[Vec<u8>]) -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Reloaded<T>, TlsError> {
        let contents = read(&files)?;
        let value = make(&contents)?;
        let state = RwLock::new(State { contents, value, refused: None });
        Ok(Reloaded { files, make: Box::new(make), state })
    }

    pub(crate) fn current(&self) -> T {
        self.state.read().unwrap_or_else(PoisonError::into_inner).value.clone()
    }

    /// Why the newest contents are not used, if they are not.
    pub(crate) fn refused(&self) -> Option<String> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state
            .refused
            .as_ref()
            .filter(|refused| refused.seen > 1)
            .map(|refused| refused.error.clone())
    }

    /// Reads the files, and makes the value again if they have changed.
    pub(crate) fn refresh(&self) {
        let (contents, made) = match read(&self.files) {
            Ok(contents) => {
                if self.write().is_known(&contents) {
                    return;
                }
                let made = (self.make)(&contents);
                (contents, made)
            }
            Err(error) => (Vec::new(), Err(error)),
        };
        let files: Vec<_> = self.files.iter().map(|file| file.display().to_string()).collect();
        let mut state = self.write();
        match made {
            Ok(value) => {
                *state = State { contents, value, refused: None };
                tracing::info!(?files, "certificates have been replaced");
            }
            Err(error) => {
                if state.refuse(contents, &error) == 2 {
                    let error = chain(&error);
                    tracing::error!(
                        error,
                        "the new certificates are refused; the former ones stay"
                    );
                }
            }
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, State<T>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// Whether the value is made of these contents; then nothing is refused any more.
    fn is_known(&mut self, contents: &[Vec<u8>]) -> bool {
        let is_known = self.contents == contents;
        if is_known {
            self.refused = None;
        }
        is_known
    }

    /// Records contents that cannot be used; returns how often in succession they were seen.
    fn refuse(&mut self, contents: Vec<Vec<u8>>, error: &TlsError) -> u32 {
        let before = self.refused.take().filter(|refused| refused.contents == contents);
        let seen = before.map_or(0, |refused| refused.seen).saturating_add(1);
        self.refused = Some(Refused { contents, seen, error: chain(error) });
        seen
    }
}

fn read(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, TlsError> {
    files.iter().map(|file| fs::read(file).map_err(TlsError::file(file))).collect()
}

/// The error and its causes, separated by colons.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
