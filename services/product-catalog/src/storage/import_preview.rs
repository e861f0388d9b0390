//! The column `import_preview.changes`, in JSON.

use serde::{Deserialize, Serialize};

use super::undecodable;
use crate::domain::FieldChange;

#[derive(Serialize, Deserialize)]
struct FieldChangeRow {
    field: String,
    from: Option<String>,
    to: Option<String>,
}

pub(super) fn encode(changes: &[FieldChange]) -> String {
    let rows: Vec<FieldChangeRow> = changes
        .iter()
        .cloned()
        .map(|FieldChange { field, from, to }| FieldChangeRow { field, from, to })
        .collect();
    // Texts always have a JSON form.
    serde_json::to_string(&rows).unwrap_or_default()
}

pub(super) fn decode(changes: &str) -> Result<Vec<FieldChange>, sqlx::Error> {
    let rows: Vec<FieldChangeRow> = serde_json::from_str(changes).map_err(undecodable)?;
    let change = |FieldChangeRow { field, from, to }| FieldChange { field, from, to };
    Ok(rows.into_iter().map(change).collect())
}
