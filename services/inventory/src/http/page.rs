//! Lists in pages: `?limit=&cursor=` on the way in, `items` and `next_cursor` on the way out.

use std::{fmt::Display, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use problem::{FieldError, Problem};
use serde::{Deserialize, Serialize};

/// How many items a page has unless the request says otherwise.
const DEFAULT_LIMIT: u16 = 50;

/// The most items a page has.
const MAX_LIMIT: u16 = 500;

/// Which page is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    /// How many items at most: 1 to 500, 50 unless said.
    limit: Option<u16>,
    /// The `next_cursor` of the page before; absent for the first page.
    cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Page<T> {
    /// The items.
    pub(super) items: Vec<T>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<String>,
}

impl Paging {
    /// How many items the page may have.
    pub(super) fn limit(&self) -> Result<u16, Problem> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(limit),
            _ => Err(invalid("limit", format!("must be 1 to {MAX_LIMIT}"))),
        }
    }

    /// The position behind which the page begins.
    pub(super) fn after<T: FromStr>(&self) -> Result<Option<T>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let position = URL_SAFE_NO_PAD.decode(cursor).ok();
        let position = position.and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
        let position =
            position.ok_or_else(|| invalid("cursor", "is not the next_cursor of a page"))?;
        Ok(Some(position))
    }
}

fn invalid(parameter: &str, message: impl Into<String>) -> Problem {
    Problem::bad_request("invalid_query", "The query string is not valid")
        .errors(vec![FieldError::new(parameter, "invalid", message)])
}

impl<T> Page<T> {
    /// The first `limit` of `rows`; if there is one more, the next page begins behind the `position` of the last that is
    /// shown. The query is to ask for one row more than the limit.
    pub(super) fn of<R, P: Display>(
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
    fn pages_follow_one_another_to_the_end() {
        let rows = |after: Option<i64>, limit: u16| -> Vec<i64> {
            (1..=5)
                .filter(|row| after.is_none_or(|after| *row > after))
                .take(usize::from(limit) + 1)
                .collect()
        };
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let paging = Paging { limit: Some(2), cursor };
            let page = Page::of(rows(paging.after().unwrap(), 2), 2, |row| *row, |row| row);
            seen.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn odd_limits_and_cursors_are_refused() {
        for limit in [0, 501] {
            assert!(Paging { limit: Some(limit), cursor: None }.limit().is_err());
        }
        for cursor in ["", "!", "eA", "MTI="] {
            let paging = Paging { limit: None, cursor: Some(cursor.to_owned()) };
            assert_eq!(paging.after::<i64>().unwrap_err().code(), "invalid_query", "{cursor}");
        }
    }
}
