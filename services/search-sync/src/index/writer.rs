//! The writing side of the index.

use std::{num::NonZero, thread::available_parallelism};

use tantivy::{
    IndexWriter, TantivyError, Term,
    indexer::{IndexWriterOptions, LogMergePolicy, MergePolicy, NoMergePolicy},
};
use uuid::Uuid;

use super::{document::Document, open::Index, schema::to_tantivy};

/// The memory for new documents before they are flushed, in bytes. It is the least that Tantivy accepts: every commit,
/// however small, clears and reads a table of terms whose size depends on it.
const MEMORY_BUDGET: usize = 15_000_000;
/// The same for filling an empty index, in bytes per thread.
const BULK_MEMORY_BUDGET: usize = 32_000_000;
/// Segments with fewer documents count as equally small and are merged together.
const SMALL_SEGMENT: u32 = 1_000;
/// How many segments of similar size are merged into one.
const MERGE_SEGMENTS: usize = 6;
/// Segments with a greater share of deleted documents are rewritten.
const DELETED_MAX: f32 = 0.3;

/// One change of the index.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Adds a document, or replaces the one of the same product.
    Upsert(Box<Document>),
    /// Removes the document of a product, if there is one.
    Delete(Uuid),
}

/// Why writing failed. The index then contains nothing of the batch, which may be retried.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("the index has another writer")]
    Locked,
    #[error("product {product_id} could not be encoded")]
    Encode {
        product_id: Uuid,
        #[source]
        source: serde_json::Error,
    },
    /// The disk or the index failed. If it happens twice, drop the writer and reopen the index.
    #[error("the index could not be written")]
    Index(#[from] TantivyError),
}

/// The only writer of an index.
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
    /// Creates the writer. Fails while another one exists.
    pub fn writer(&self) -> Result<Writer, WriteError> {
        let mut policy = LogMergePolicy::default();
        policy.set_min_layer_size(SMALL_SEGMENT);
        policy.set_min_num_segments(MERGE_SEGMENTS);
        policy.set_del_docs_ratio_before_merge(DELETED_MAX);
        self.writer_with(1, MEMORY_BUDGET, Box::new(policy))
    }

    /// Creates a writer that fills an empty index as fast as possible: it uses every processor, and leaves merging to
    /// [`Writer::compact`]. Fails while another writer exists.
    pub fn bulk_writer(&self) -> Result<Writer, WriteError> {
        let processors = available_parallelism().map_or(1, NonZero::get);
        self.writer_with(processors, BULK_MEMORY_BUDGET, Box::new(NoMergePolicy))
    }

    fn writer_with(
        &self,
        threads: usize,
        memory_budget: usize,
        policy: Box<dyn MergePolicy>,
    ) -> Result<Writer, WriteError> {
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(memory_budget)
            .num_worker_threads(threads)
            .num_merge_threads(1)
            .build();
        let writer: IndexWriter = self.inner.writer_with_options(options).map_err(|source| {
            if matches!(source, TantivyError::LockFailure(..)) {
                WriteError::Locked
            } else {
                WriteError::Index(source)
            }
        })?;
        writer.set_merge_policy(policy);
        let writer = Writer { writer, index: self.clone() };
        writer.recover()?;
        Ok(writer)
    }
}

impl Writer {
    /// Prepares the writer for files that a killed one may have left.
    ///
    /// A kill leaves files of deletions. They are removed, because the repeated commit creates files with the same
    /// names and fails if they exist.
    ///
    /// The first operation of a writer has the number of the last commit. A merge that begins before the next commit
    /// takes a segment with deletions of that number for complete, and loses this operation: a product would be in
    /// the index twice. Therefore the first operation deletes nothing.
    fn recover(&self) -> Result<(), WriteError> {
        self.writer.garbage_collect_files().wait()?;
        self.writer.delete_term(Term::from_field_text(self.index.fields.id, ""));
        Ok(())
    }

    /// Applies `changes` in order in one commit with `payload`. Afterwards they are durable and visible to
    /// new searches. Without changes only the payload is committed.
    pub fn apply(&mut self, changes: &[Change], payload: &str) -> Result<(), WriteError> {
        if let Err(error) = self.commit(changes, payload) {
            // Uncommitted documents must not become part of the next commit.
            self.writer.rollback()?;
            self.recover()?;
            return Err(error);
        }
        self.index.reader.reload()?;
        Ok(())
    }

    /// Adds documents of products that the index does not contain, without a commit: the next [`apply`](Self::apply)
    /// commits them with its own changes. Deletions are left out.
    pub fn add(&mut self, changes: &[Change]) -> Result<(), WriteError> {
        for change in changes {
            if let Change::Upsert(document) = change {
                self.add_document(document)?;
            }
        }
        Ok(())
    }

    fn add_document(&self, document: &Document) -> Result<(), WriteError> {
        let product_id = document.product_id;
        let document = to_tantivy(&self.index.fields, document)
            .map_err(|source| WriteError::Encode { product_id, source })?;
        self.writer.add_document(document)?;
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
                self.add_document(document)?;
            }
        }
        let mut commit = self.writer.prepare_commit()?;
        commit.set_payload(payload);
        commit.commit()?;
        Ok(())
    }

    /// Merges all segments into one, as after a rebuild. Takes about as long as writing the index; searches
    /// continue.
    pub fn compact(self) -> Result<Self, WriteError> {
        // A running merge holds segments that this one needs; a new writer has no running merge.
        let index = self.index.clone();
        self.close()?;
        let mut writer = index.writer()?;
        let segments = index.inner.searchable_segment_ids()?;
        if segments.len() > 1 {
            writer.writer.merge(&segments).wait()?;
            writer.writer.garbage_collect_files().wait()?;
        }
        index.reader.reload()?;
        Ok(writer)
    }

    /// Waits for the running merges and closes the writer.
    pub fn close(self) -> Result<(), WriteError> {
        self.writer.wait_merging_threads()?;
        self.index.reader.reload()?;
        Ok(())
    }
}
