//! Opening the index, and what can be asked of it besides searching.

use std::path::Path;

use tantivy::collector::DocSetCollector;
use tantivy::directory::{MmapDirectory, RamDirectory};
use tantivy::query::TermQuery;
use tantivy::schema::IndexRecordOption;
use tantivy::{Directory, IndexReader, ReloadPolicy, Searcher, TantivyError, Term};
use uuid::Uuid;

use super::query::SearchError;
use super::schema::{Fields, column, schema, tokenizers};

/// How many blocks of stored documents each open segment keeps in memory.
const STORE_BLOCKS: usize = 8;

/// The reading side of an index. Clones share everything.
#[derive(Clone)]
pub struct Index {
    pub(super) inner: tantivy::Index,
    pub(super) reader: IndexReader,
    pub(super) fields: Fields,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("documents", &self.documents()).finish_non_exhaustive()
    }
}

/// Why an index could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It was written with other fields or another analysis; the answer is to build it anew in an empty folder.
    #[error("the index has another format")]
    Format,
    /// Its files are damaged or missing; the answer is to build it anew in an empty folder.
    #[error("the index is damaged: {damage}")]
    Corrupt {
        /// What was found.
        damage: String,
        /// The library's error, where it was that which found it.
        #[source]
        source: Option<TantivyError>,
    },
    /// The folder cannot be used at all (missing, no permission, disk full).
    #[error("the folder of the index cannot be used")]
    Folder(#[source] TantivyError),
}

impl OpenError {
    fn from_library(source: TantivyError) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all that is not known to be harmless to the files counts as damage"
        )]
        match source {
            TantivyError::SchemaError(_) | TantivyError::IncompatibleIndex(_) => Self::Format,
            TantivyError::OpenDirectoryError(_)
            | TantivyError::LockFailure(..)
            | TantivyError::OpenWriteError(_) => Self::Folder(source),
            _ => Self::Corrupt { damage: "unreadable".to_owned(), source: Some(source) },
        }
    }

    /// Whether building the index anew is the answer.
    pub fn needs_rebuild(&self) -> bool {
        match self {
            Self::Format | Self::Corrupt { .. } => true,
            Self::Folder(_) => false,
        }
    }
}

impl Index {
    /// Opens the index in `folder`, or makes an empty one where there is none. The folder must exist.
    ///
    /// All files are read once to check their sums.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let directory = MmapDirectory::open(folder)
            .map_err(|source| OpenError::Folder(TantivyError::OpenDirectoryError(source)))?;
        Self::open_directory(directory)
    }

    /// An empty index in memory.
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::open_directory(RamDirectory::create())
    }

    fn open_directory(directory: impl Directory) -> Result<Self, OpenError> {
        let (schema, fields) = schema();
        let mut inner =
            tantivy::Index::open_or_create(Box::new(directory) as Box<dyn Directory>, schema)
                .map_err(OpenError::from_library)?;
        inner.set_tokenizers(tokenizers());
        let mut damaged: Vec<String> = inner
            .validate_checksum()
            .map_err(OpenError::from_library)?
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
            .map_err(OpenError::from_library)?;
        Ok(Self { inner, reader, fields })
    }

    pub(super) fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    /// What the last commit was marked with: the number of the last change in it. `None` for a new index.
    pub fn payload(&self) -> Result<Option<String>, SearchError> {
        Ok(self.inner.load_metas()?.payload)
    }

    /// How many documents are searchable.
    pub fn documents(&self) -> u64 {
        self.searcher().num_docs()
    }

    /// In how many segments they lie.
    pub fn segments(&self) -> usize {
        self.searcher().segment_readers().len()
    }

    /// The bytes of all files that the searchable documents lie in.
    pub fn bytes(&self) -> Result<u64, SearchError> {
        Ok(self.searcher().space_usage()?.total().get_bytes())
    }

    /// The version of a product in the index, `None` where it is not in it.
    pub fn version_of(&self, product_id: Uuid) -> Result<Option<i64>, SearchError> {
        let searcher = self.searcher();
        let term = Term::from_field_text(self.fields.id, &product_id.simple().to_string());
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let found = searcher.search(&query, &DocSetCollector)?;
        let Some(address) = found.into_iter().next() else { return Ok(None) };
        let segment = searcher.segment_reader(address.segment_ord);
        Ok(segment.fast_fields().i64(column::VERSION)?.first(address.doc_id))
    }

    /// All products in the index with their versions, by id: what is compared with the catalogue.
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
