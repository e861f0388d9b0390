//! The column `import.layout`: how the rows of a file are read, in JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{FileLayout, ImportMode, ImportSettings, Preset, UnknownColumns};

/// A missing member has the default.
#[derive(Serialize, Deserialize)]
struct LayoutRow {
    delimiter: char,
    encoding: String,
    preset: Option<String>,
    #[serde(default)]
    mapping: BTreeMap<String, String>,
    unknown_columns: Option<String>,
    currency: Option<String>,
    category: Option<String>,
    mode: Option<String>,
    /// For example `+08:00`.
    utc_offset: Option<String>,
}

/// Encodes a layout without its header.
pub(super) fn encode(layout: &FileLayout) -> String {
    let FileLayout { delimiter, settings, encoding, .. } = layout;
    let row = LayoutRow {
        delimiter: *delimiter,
        encoding: encoding.clone(),
        preset: settings.preset.map(|preset| preset.as_str().to_owned()),
        mapping: settings.mapping.clone(),
        unknown_columns: Some(settings.unknown_columns.as_str().to_owned()),
        currency: settings.currency.clone(),
        category: settings.category.clone(),
        mode: settings.mode.map(|mode| mode.as_str().to_owned()),
        utc_offset: settings.utc_offset.map(|offset| offset.to_string()),
    };
    // Strings as keys always have a JSON form.
    serde_json::to_string(&row).unwrap_or_default()
}

/// Decodes a layout; none for NDJSON, which has no header. A file that an earlier version of the service
/// received has a header and no layout.
pub(super) fn decode(header: Option<Vec<u8>>, layout: Option<&str>) -> Option<FileLayout> {
    let header = header?;
    let Some(row) = layout.and_then(|layout| serde_json::from_str::<LayoutRow>(layout).ok()) else {
        let settings =
            ImportSettings { mode: Some(ImportMode::Replace), ..ImportSettings::default() };
        let encoding = "UTF-8".to_owned();
        return Some(FileLayout { header, delimiter: ',', settings, encoding, is_raw: true });
    };
    let settings = ImportSettings {
        preset: row.preset.as_deref().and_then(Preset::parse),
        mapping: row.mapping,
        unknown_columns: row
            .unknown_columns
            .as_deref()
            .and_then(UnknownColumns::parse)
            .unwrap_or_default(),
        currency: row.currency,
        category: row.category,
        mode: row.mode.as_deref().and_then(ImportMode::parse),
        utc_offset: row.utc_offset.and_then(|offset| offset.parse().ok()),
    };
    let (delimiter, encoding) = (row.delimiter, row.encoding);
    Some(FileLayout { header, delimiter, settings, encoding, is_raw: false })
}

#[cfg(test)]
mod tests {
    use super::{FileLayout, ImportMode, ImportSettings, Preset, UnknownColumns, decode, encode};

    #[test]
    fn layout_is_read_back() {
        let settings = ImportSettings {
            preset: Some(Preset::Shopify),
            unknown_columns: UnknownColumns::Ignore,
            currency: Some("USD".to_owned()),
            category: Some("a/b".to_owned()),
            mode: Some(ImportMode::Merge),
            utc_offset: "-05:30".parse().ok(),
            ..ImportSettings::default()
        };
        let settings = settings.with_mapping([("Farbe".to_owned(), "option.颜色".to_owned())]);
        let (header, encoding) = (b"a,b\n".to_vec(), "UTF-8".to_owned());
        let layout = FileLayout {
            header: header.clone(),
            delimiter: '\t',
            settings: settings.unwrap(),
            encoding,
            is_raw: false,
        };
        assert_eq!(decode(Some(header), Some(&encode(&layout))), Some(layout));
        assert_eq!(decode(None, None), None);
    }
}
