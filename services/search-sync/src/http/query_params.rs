//! Query parameters as text, and their checks.
//!
//! An endpoint lists its parameters once, as the fields of a struct: serde reads them, utoipa documents them.
//! The fields are text, because `serde_html_form` stops at the first invalid value, while an answer must list
//! all of them.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use problem::{FieldError, Fields, Problem};
use serde::{
    Deserialize,
    de::{self, DeserializeOwned, value::MapDeserializer},
};

use crate::text::{Measure, fold, read_measure};

/// The maximum length of a text, in characters.
const TEXT_MAX: usize = 256;
/// The maximum number of values of one parameter.
pub(crate) const VALUES_MAX: usize = 32;

/// Reads the parameters of `T`, which must deny unknown fields. 400 for an unknown parameter.
pub(crate) fn read_params<T: DeserializeOwned>(
    pairs: impl IntoIterator<Item = (String, String)>,
) -> Result<T, Problem> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in pairs {
        values.entry(name).or_default().push(value);
    }
    T::deserialize(MapDeserializer::new(values.into_iter())).map_err(|error| match error {
        ParamsError::Unknown(name) => {
            Problem::bad_request("invalid_query", "The query string is not valid")
                .errors(vec![FieldError::new(name, "unknown_field", "there is no such parameter")])
        }
        ParamsError::Invalid(_) => Problem::internal_from(&error),
    })
}

/// Why parameters could not be read.
#[derive(Debug, thiserror::Error)]
enum ParamsError {
    #[error("the parameter {0} is unknown")]
    Unknown(String),
    #[error("{0}")]
    Invalid(String),
}

impl de::Error for ParamsError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Invalid(message.to_string())
    }

    fn unknown_field(name: &str, _: &'static [&'static str]) -> Self {
        Self::Unknown(name.to_owned())
    }
}

/// The values of one parameter. Each check records its errors in `fields` and returns the valid values.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct ParamValues(Vec<String>);

impl ParamValues {
    pub(crate) fn push(&mut self, value: String) {
        self.0.push(value);
    }

    pub(crate) fn is_given(&self) -> bool {
        !self.0.is_empty()
    }

    /// A text of any length.
    pub(crate) fn one(self, fields: &mut Fields, name: &str) -> Option<String> {
        let mut values = self.0;
        if values.len() > 1 {
            fields.refuse(name, "invalid", "was given more than once");
        }
        values.pop()
    }

    /// A text of limited length.
    pub(crate) fn text(self, fields: &mut Fields, name: &str) -> Option<String> {
        let text = self.one(fields, name)?;
        check_length(fields, name, &text).then_some(text)
    }

    /// The beginning of a text, up to the maximum length.
    pub(crate) fn cut(self, fields: &mut Fields, name: &str) -> Option<String> {
        Some(self.one(fields, name)?.chars().take(TEXT_MAX).collect())
    }

    pub(crate) fn parse<T: FromStr<Err: Display>>(
        self,
        fields: &mut Fields,
        name: &str,
    ) -> Option<T> {
        let text = self.one(fields, name)?;
        fields.check(name, text.parse())
    }

    /// A number from 0 to `max`.
    pub(crate) fn number(self, fields: &mut Fields, name: &str, max: i64) -> Option<i64> {
        let number: i64 = self.parse(fields, name)?;
        if (0..=max).contains(&number) {
            return Some(number);
        }
        fields.refuse(name, "invalid", format!("must be 0 to {max}"));
        None
    }

    /// A number that may have a unit: 1.5, or 256GB.
    pub(crate) fn measure(self, fields: &mut Fields, name: &str) -> Option<Measure> {
        let text = self.text(fields, name)?;
        let measure = read_measure(&fold(&text));
        fields
            .check(name, measure.ok_or("must be a number, or a number with a unit, such as 256GB"))
    }

    /// A page size from 0 to `max`.
    pub(crate) fn limit(self, fields: &mut Fields, default: usize, max: usize) -> usize {
        let limit = self.number(fields, "limit", i64::try_from(max).unwrap_or(i64::MAX));
        limit.map_or(default, |limit| usize::try_from(limit).unwrap_or(default))
    }

    /// A list; its values are separated by commas, or the parameter is repeated.
    pub(crate) fn comma_separated(self, fields: &mut Fields, name: &str) -> Vec<String> {
        let values = self
            .0
            .iter()
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .collect();
        Self(values).repeated(fields, name)
    }

    /// A list of names that may contain commas; the parameter is repeated.
    pub(crate) fn names(self, fields: &mut Fields, name: &str) -> Vec<String> {
        let names = self.repeated(fields, name).into_iter();
        names.filter(|value| !value.trim().is_empty()).collect()
    }

    /// A list whose values may contain commas; the parameter is repeated.
    pub(crate) fn repeated(self, fields: &mut Fields, name: &str) -> Vec<String> {
        check_count(fields, name, self.0.len());
        let values = self.0.into_iter().take(VALUES_MAX);
        values.filter(|value| check_length(fields, name, value)).collect()
    }
}

/// Records an error if a text is too long; returns whether it is not.
pub(crate) fn check_length(fields: &mut Fields, name: &str, text: &str) -> bool {
    let fits = text.chars().count() <= TEXT_MAX;
    if !fits {
        fields.refuse(name, "too_long", format!("must have at most {TEXT_MAX} characters"));
    }
    fits
}

/// Records an error if there are too many values.
pub(crate) fn check_count(fields: &mut Fields, name: &str, count: usize) {
    if count > VALUES_MAX {
        fields.refuse(name, "too_many", format!("must be at most {VALUES_MAX}"));
    }
}
