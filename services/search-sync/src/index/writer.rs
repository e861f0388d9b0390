//! The writing side: changes in, one commit each time.

use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::{IndexWriter, TantivyError, Term};
use uuid::Uuid;

use super::document::Document;
use super::open::Index;
use super::schema::entry;

/// The memory that new documents may take before they are written out, in bytes.
const HEAP: usize = 32_000_000;
/// Below this many documents segments count as equally small, and are merged together.
const SMALL_SEGMENT: u32 = 1_000;
/// So many segments of like size become one.
const MERGE_AT: usize = 6;
/// A segment with more than this share of deleted documents is rewritten.
const DELETED_MAX: f32 = 0.3;

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Put this document in place of whatever the index has of the product.
    Upsert(Box<Document>),
    /// Take the product out.
    Delete(Uuid),
}

/// Why writing failed. Nothing of the batch is in the index then; the same batch may be tried again.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Another writer has the index.
    #[error("the index is being written by somebody else")]
    Locked,
    /// The document cannot be put into words.
    #[error("product {product_id} cannot be encoded")]
    Encode {
        /// Whose document.
        product_id: Uuid,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Disk or index failed. A writer that answers so twice should be dropped and the index opened again.
    #[error("the index could not be written")]
    Index(#[from] TantivyError),
}

/// The one writer of an index; there is no second while it lives.
pub struct Writer {
    writer: IndexWriter,
    index: Index,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("index", &self.index).finish_non_exhaustive()
    }
}

impl Index {
    /// The writer, if nobody else has it.
    pub fn writer(&self) -> Result<Writer, WriteError> {
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(HEAP)
            .num_worker_threads(1)
            .num_merge_threads(1)
            .build();
        let writer: IndexWriter = self.inner.writer_with_options(options).map_err(|source| {
            if matches!(source, TantivyError::LockFailure(..)) {
                WriteError::Locked
            } else {
                WriteError::Index(source)
            }
        })?;
        let mut policy = LogMergePolicy::default();
        policy.set_min_layer_size(SMALL_SEGMENT);
        policy.set_min_num_segments(MERGE_AT);
        policy.set_del_docs_ratio_before_merge(DELETED_MAX);
        writer.set_merge_policy(Box::new(policy));
        Ok(Writer { writer, index: self.clone() })
    }
}

impl Writer {
    /// Applies `changes` in their order in one commit that carries `payload`. When it returns they are durable, and
    /// every search that begins from then on sees them. Without changes only the payload is committed.
    pub fn apply(&mut self, changes: &[Change], payload: &str) -> Result<(), WriteError> {
        if let Err(error) = self.commit(changes, payload) {
            // What was added but not committed must not slip into the next commit.
            self.writer.rollback()?;
            return Err(error);
        }
        self.index.reader.reload()?;
        Ok(())
    }

    fn commit(&mut self, changes: &[Change], payload: &str) -> Result<(), WriteError> {
        let fields = self.index.fields;
        for change in changes {
            let product_id = match change {
                Change::Upsert(document) => document.product_id,
                Change::Delete(product_id) => *product_id,
            };
            self.writer
                .delete_term(Term::from_field_text(fields.id, &product_id.simple().to_string()));
            if let Change::Upsert(document) = change {
                let entry = entry(&fields, document)
                    .map_err(|source| WriteError::Encode { product_id, source })?;
                self.writer.add_document(entry)?;
            }
        }
        let mut commit = self.writer.prepare_commit()?;
        commit.set_payload(payload);
        commit.commit()?;
        Ok(())
    }

    /// Merges everything into one segment, as after a first build. Takes as long as writing the index once; in the
    /// meantime searches go on, and nothing can be applied.
    pub fn compact(self) -> Result<Self, WriteError> {
        // A merge that is under way holds segments that ours needs; a new writer has none under way.
        let index = self.index.clone();
        self.close()?;
        let mut again = index.writer()?;
        let segments = index.inner.searchable_segment_ids()?;
        if segments.len() > 1 {
            again.writer.merge(&segments).wait()?;
            again.writer.garbage_collect_files().wait()?;
        }
        index.reader.reload()?;
        Ok(again)
    }

    /// Ends the writer when the merges under way are done, instead of throwing their work away.
    pub fn close(self) -> Result<(), WriteError> {
        self.writer.wait_merging_threads()?;
        self.index.reader.reload()?;
        Ok(())
    }
}
