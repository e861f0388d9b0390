//! The reading side of the index: opening it and its metadata.

use std::path::Path;

use tantivy::{
    Directory, IndexReader, ReloadPolicy, Searcher, TantivyError, Term,
    collector::DocSetCollector,
    directory::{MmapDirectory, RamDirectory},
    query::TermQuery,
    schema::IndexRecordOption,
};
use uuid::Uuid;

use super::{
    query::SearchError,
    schema::{Fields, column, schema, tokenizers},
};

/// How many blocks of stored documents each open segment caches.
const STORE_BLOCKS: usize = 8;

/// The reading side of an index. Clones share everything.
#[derive(Clone)]
pub struct Index {
    pub(crate) inner: tantivy::Index,
    pub(crate) reader: IndexReader,
    pub(crate) fields: Fields,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("documents", &self.documents()).finish_non_exhaustive()
    }
}

/// Why an index could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The index was written with another schema; rebuild it in an empty folder.
    #[error("the index has another format")]
    Format,
    /// Files are damaged or missing; rebuild the index in an empty folder.
    #[error("the index is damaged: {damage}")]
    Corrupt {
        damage: String,
        /// `None` if a checksum is wrong.
        #[source]
        source: Option<TantivyError>,
    },
    /// The folder is missing or not accessible, or the disk is full.
    #[error("the index folder is not usable")]
    Folder(#[source] TantivyError),
}

impl OpenError {
    fn from_tantivy(source: TantivyError) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "every error that is not known to be harmless counts as damage"
        )]
        match source {
            TantivyError::SchemaError(_) | TantivyError::IncompatibleIndex(_) => Self::Format,
            TantivyError::OpenDirectoryError(_)
            | TantivyError::LockFailure(..)
            | TantivyError::OpenWriteError(_) => Self::Folder(source),
            _ => Self::Corrupt { damage: "unreadable".to_owned(), source: Some(source) },
        }
    }

    /// Whether a rebuild fixes it.
    pub fn needs_rebuild(&self) -> bool {
        match self {
            Self::Format | Self::Corrupt { .. } => true,
            Self::Folder(_) => false,
        }
    }
}

impl Index {
    /// Opens the index in an existing folder, or creates an empty one there.
    ///
    /// Reads all files once to verify their checksums.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let directory = MmapDirectory::open(folder)
            .map_err(|source| OpenError::Folder(TantivyError::OpenDirectoryError(source)))?;
        Self::open_directory(directory)
    }

    /// Creates an empty index in memory.
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::open_directory(RamDirectory::create())
    }

    fn open_directory(directory: impl Directory) -> Result<Self, OpenError> {
        let (schema, fields) = schema();
        let mut inner =
            tantivy::Index::open_or_create(Box::new(directory) as Box<dyn Directory>, schema)
                .map_err(OpenError::from_tantivy)?;
        inner.set_tokenizers(tokenizers());
        let mut damaged: Vec<String> = inner
            .validate_checksum()
            .map_err(OpenError::from_tantivy)?
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        if !damaged.is_empty() {
            damaged.sort();
            return Err(OpenError::Corrupt { damage: damaged.join(", "), source: None });
        }
        let reader = inner
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .doc_store_cache_num_blocks(STORE_BLOCKS)
            .try_into()
            .map_err(OpenError::from_tantivy)?;
        Ok(Self { inner, reader, fields })
    }

    pub(crate) fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    /// The payload of the last commit; `None` for a new index.
    pub fn payload(&self) -> Result<Option<String>, SearchError> {
        Ok(self.inner.load_metas()?.payload)
    }

    /// The number of searchable documents.
    pub fn documents(&self) -> u64 {
        self.searcher().num_docs()
    }

    /// The number of searchable segments.
    pub fn segments(&self) -> usize {
        self.searcher().segment_readers().len()
    }

    /// The size of the searchable segments, in bytes.
    pub fn bytes(&self) -> Result<u64, SearchError> {
        Ok(self.searcher().space_usage()?.total().get_bytes())
    }

    /// The indexed version of a product; `None` if the product is not in the index.
    pub fn version_of(&self, product_id: Uuid) -> Result<Option<i64>, SearchError> {
        let searcher = self.searcher();
        let term = Term::from_field_text(self.fields.id, &product_id.simple().to_string());
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let found = searcher.search(&query, &DocSetCollector)?;
        let Some(address) = found.into_iter().next() else { return Ok(None) };
        let segment = searcher.segment_reader(address.segment_ord);
        Ok(segment.fast_fields().i64(column::VERSION)?.first(address.doc_id))
    }

    /// All products in the index with their versions, sorted by id.
    pub fn versions(&self) -> Result<Vec<(Uuid, i64)>, SearchError> {
        let searcher = self.searcher();
        let mut found = Vec::new();
        for segment in searcher.segment_readers() {
            let columns = segment.fast_fields();
            let high = columns.column_first_or_default::<u64>(column::ID_HIGH)?;
            let low = columns.column_first_or_default::<u64>(column::ID_LOW)?;
            let version = columns.column_first_or_default::<i64>(column::VERSION)?;
            for doc in segment.doc_ids_alive() {
                let id = Uuid::from_u64_pair(high.get_val(doc), low.get_val(doc));
                found.push((id, version.get_val(doc)));
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}
