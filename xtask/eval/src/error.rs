//! Why an evaluation failed.

use std::{io, path::PathBuf};

use search_sync::index::{OpenError, SearchError, WriteError};

/// Why an evaluation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}: {source}")]
    File { path: PathBuf, source: io::Error },

    #[error("{path}: {source}")]
    Csv { path: PathBuf, source: csv::Error },

    #[error("{path}, line {line}: {reason}")]
    Line { path: PathBuf, line: usize, reason: String },

    #[error("{0} has no query with a relevant product")]
    NoQueries(PathBuf),

    #[error("cannot create a temporary folder: {0}")]
    Folder(#[source] io::Error),

    #[error("cannot create the index: {0}")]
    Open(#[from] OpenError),

    #[error("cannot write the index: {0}")]
    Write(#[from] WriteError),

    #[error("a search failed: {0}")]
    Search(#[from] SearchError),

    #[error(transparent)]
    Suite(#[from] suite::Error),
}

impl Error {
    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }
}
