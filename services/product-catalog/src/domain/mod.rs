//! Decisions about products: pure functions of data and time.

mod attribute;
mod category;
mod change;
mod content;
mod csv;
mod draft;
mod import;
mod import_plan;
mod product;
mod row_splitter;

pub(crate) use self::{
    attribute::{Attribute, Number},
    category::{CategoryNode, category_tree},
    change::{
        Change, DOWNSTREAM_SERVICES, DownstreamProgress, DownstreamStatus, NewReceipt, Receipt,
        downstream_progress,
    },
    content::{Content, ProductStatus, Variant},
    csv::{Columns, RowGrouper, draft_of_group},
    draft::{Draft, DraftAttribute, DraftPrice, DraftVariant, ValidationError},
    import::{ImportCursor, ImportFormat, ImportProgress, ImportState, ReceivedImport, RefusedRow},
    import_plan::{ImportPlan, ImportRow, KnownProducts, StoredProduct, plan_import},
    product::{Product, ProductFilter, ProductWrite, SequencedProduct},
    row_splitter::{MAX_ROW, Row, RowSplitter},
};
