//! The query parameters of an import: how a product file is read.

use std::collections::BTreeMap;

use chrono::FixedOffset;
use problem::{FieldError, Problem};
use serde::Deserialize;
use utoipa::IntoParams;
use vocabulary::Currency;

use super::invalid_query;
use crate::domain::{ImportMode, ImportSettings, Preset, UnknownColumns};

/// How a product file is read. NDJSON takes only `dry_run`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// The program that wrote the file: `shopify`, `woocommerce` or `google_merchant`. Default: the header
    /// decides.
    preset: Option<String>,
    /// The sheet of a workbook. Default: the first visible one.
    pub(super) sheet: Option<String>,
    /// What happens to unknown columns: `refuse` the file, or `ignore` them. Default: `refuse`.
    unknown_columns: Option<String>,
    /// The meaning of columns with other names: `Artikel:sku,Farbe:option.颜色`, or a JSON object. `ignore`
    /// passes a column over.
    mapping: Option<String>,
    /// The currency of prices that do not name one, such as `USD`. Default: `CNY`.
    currency: Option<String>,
    /// The zone of the start and end of a sale without one, such as `+01:00`. Default: `+08:00`.
    utc_offset: Option<String>,
    /// The category of products without one. Default: `未分类` in files of other programs; otherwise a product
    /// needs one.
    category: Option<String>,
    /// What happens to parts of an existing product that the file does not name: `merge` keeps them, `replace`
    /// removes them. Default: a product that would lose something is refused.
    mode: Option<String>,
    /// Whether to report only what the import would do, for NDJSON as well. Default: `false`.
    #[serde(default)]
    pub(super) dry_run: bool,
}

impl ImportQuery {
    /// Whether no parameter of a file is given.
    pub(super) fn has_no_file_settings(&self) -> bool {
        let Self {
            preset,
            sheet,
            unknown_columns,
            mapping,
            currency,
            utc_offset,
            category,
            mode,
            dry_run: _,
        } = self;
        [preset, sheet, unknown_columns, mapping, currency, utc_offset, category, mode]
            .into_iter()
            .all(Option::is_none)
    }

    /// The valid settings, or 400 with the invalid parameter.
    pub(super) fn into_settings(self) -> Result<ImportSettings, Problem> {
        let preset = self.preset.map(|name| {
            Preset::parse(&name).ok_or_else(|| {
                invalid_query("preset", "must be shopify, woocommerce or google_merchant")
            })
        });
        let unknown_columns = self.unknown_columns.map(|name| {
            UnknownColumns::parse(&name)
                .ok_or_else(|| invalid_query("unknown_columns", "must be refuse or ignore"))
        });
        let currency = self.currency.map(|code| match Currency::known(&code) {
            Ok(_) => Ok(code),
            Err(error) => Err(invalid_query("currency", error.to_string())),
        });
        // A plus sign in a query is a blank.
        let utc_offset = self.utc_offset.map(|offset| {
            let offset: Result<FixedOffset, _> = offset.replace(' ', "+").parse();
            offset.map_err(|_| invalid_query("utc_offset", "must be an offset such as +08:00"))
        });
        let mode = self.mode.map(|name| {
            ImportMode::parse(&name)
                .ok_or_else(|| invalid_query("mode", "must be merge or replace"))
        });
        let settings = ImportSettings {
            mode: mode.transpose()?,
            preset: preset.transpose()?,
            unknown_columns: unknown_columns.transpose()?.unwrap_or_default(),
            currency: currency.transpose()?,
            utc_offset: utc_offset.transpose()?,
            category: self.category,
            ..ImportSettings::default()
        };
        let Some(mapping) = self.mapping else { return Ok(settings) };
        let pairs = mapping_pairs(&mapping).map_err(|reason| invalid_query("mapping", reason))?;
        settings.with_mapping(pairs).map_err(|error| {
            Problem::bad_request("invalid_query", "The query string is not valid")
                .errors(vec![FieldError::new("mapping", "invalid", error.to_string())])
        })
    }
}

/// The pairs of a mapping: a JSON object of strings, or `source:target` with commas between.
fn mapping_pairs(mapping: &str) -> Result<Vec<(String, String)>, String> {
    if mapping.trim_start().starts_with('{') {
        let object: BTreeMap<String, String> = serde_json::from_str(mapping)
            .map_err(|error| format!("must be a JSON object of texts: {error}"))?;
        return Ok(object.into_iter().collect());
    }
    let pairs = mapping.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        // A name may contain a colon; a meaning does not.
        pair.rsplit_once(':')
            .map(|(source, target)| (source.trim().to_owned(), target.trim().to_owned()))
            .ok_or_else(|| {
                format!("`{pair}` must be a column and its meaning, such as Artikel:sku")
            })
    };
    pairs.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::mapping_pairs;

    #[test]
    fn mapping_is_an_object_or_pairs() {
        let expected = vec![
            ("Artikel".to_owned(), "sku".to_owned()),
            ("Farbe".to_owned(), "option.颜色".to_owned()),
        ];
        let object = r#"{"Artikel": "sku", "Farbe": "option.颜色"}"#;
        assert_eq!(mapping_pairs(object).as_ref(), Ok(&expected));
        assert_eq!(mapping_pairs("Artikel:sku, Farbe:option.颜色,"), Ok(expected));
        assert!(mapping_pairs("Artikel").is_err());
        assert!(mapping_pairs("{\"a\": 1}").is_err());
    }
}
