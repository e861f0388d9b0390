//! Decisions about products: pure functions of data and time.

mod attribute;
mod category;
mod change;
mod content;
mod draft;
mod field_change;
mod html_text;
mod import;
mod import_file;
mod import_plan;
mod product;
mod row_splitter;
mod rule;
mod synonym;

pub(crate) use self::{
    attribute::{Attribute, Number},
    category::{CategoryNode, category_tree},
    change::{
        Change, DOWNSTREAM_SERVICES, DownstreamProgress, DownstreamStatus, NewReceipt, Receipt,
        downstream_progress,
    },
    content::{Content, Offer, ProductStatus, Sale, Variant},
    draft::{Draft, DraftAttribute, DraftPrice, DraftSale, DraftVariant, ValidationError},
    field_change::{FieldChange, changed_fields},
    import::{
        ImportCursor, ImportFormat, ImportProgress, ImportState, ImportWarning, ProductPreview,
        ReceivedImport, RefusedRow, StockCount,
    },
    import_file::{
        Columns, FileLayout, FileProduct, FileRow, ImportMode, ImportSettings, InvalidFile,
        InvalidHeader, NamedFields, Preset, ProductFile, SLASH_IN_NAME, UnknownColumns, Workbook,
        loss_reason, losses, product_of_row, refused_file,
    },
    import_plan::{
        DocumentCodec, ImportContent, ImportPlan, ImportPolicy, ImportRow, KnownProducts,
        StoredProduct, plan_import,
    },
    product::{Product, ProductFilter, ProductWrite, SequencedProduct, StoredVersion},
    row_splitter::{MAX_ROW, Row, RowSplitter},
    rule::{
        MAX_RULES, Rule, RuleAction, RuleContent, RuleDraft, RuleEffect, RuleProducts, RuleScope,
        RuleState,
    },
    synonym::{Synonym, SynonymDraft, SynonymList, validate_synonyms},
};
