//! Pagination: `limit` and `cursor` in the query string, `items` and `next_cursor` in the response.

use std::{fmt::Display, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use problem::{FieldError, Problem};
use serde::{Deserialize, Serialize};

const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 500;

/// The requested page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    /// The maximum number of items: 1 to 500. Default: 50.
    limit: Option<u16>,
    /// The `next_cursor` of the previous page. Default: the first page.
    cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// The `cursor` of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<String>,
}

impl Paging {
    /// The maximum number of items, if it is in range.
    pub(super) fn limit(&self) -> Result<u16, Problem> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(limit),
            _ => Err(invalid("limit", format!("must be 1 to {MAX_LIMIT}"))),
        }
    }

    /// The position before the first item, decoded from the cursor.
    pub(super) fn after<T: FromStr>(&self) -> Result<Option<T>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let position = URL_SAFE_NO_PAD.decode(cursor).ok();
        let position = position.and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
        let position =
            position.ok_or_else(|| invalid("cursor", "must be the next_cursor of a page"))?;
        Ok(Some(position))
    }
}

fn invalid(parameter: &str, message: impl Into<String>) -> Problem {
    Problem::bad_request("invalid_query", "The query string is not valid")
        .errors(vec![FieldError::new(parameter, "invalid", message)])
}

impl<T> Page<T> {
    /// A page of the first `limit` of `rows`. One more row means that there is a next page, after the
    /// `position` of the last shown row; so a query must fetch `limit + 1` rows.
    pub(super) fn new<R, P: Display>(
        mut rows: Vec<R>,
        limit: u16,
        position: impl Fn(&R) -> P,
        item: impl Fn(R) -> T,
    ) -> Self {
        let limit = usize::from(limit);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        let next_cursor = last.map(|row| URL_SAFE_NO_PAD.encode(position(row).to_string()));
        Self { items: rows.into_iter().map(item).collect(), next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::{Page, Paging};

    #[test]
    fn cursors_lead_through_all_pages() {
        let rows = |after: Option<i64>, limit: u16| -> Vec<i64> {
            (1..=5)
                .filter(|row| after.is_none_or(|after| *row > after))
                .take(usize::from(limit) + 1)
                .collect()
        };
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let paging = Paging { limit: Some(2), cursor };
            let page = Page::new(rows(paging.after().unwrap(), 2), 2, |row| *row, |row| row);
            seen.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn invalid_limits_and_cursors_are_refused() {
        for limit in [0, 501] {
            assert!(Paging { limit: Some(limit), cursor: None }.limit().is_err());
        }
        for cursor in ["", "!", "eA", "MTI="] {
            let paging = Paging { limit: None, cursor: Some(cursor.to_owned()) };
            assert_eq!(paging.after::<i64>().unwrap_err().code(), "invalid_query", "{cursor}");
        }
    }
}
