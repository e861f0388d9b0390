//! What a service answers.

use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;

use crate::Error;

/// An answer of a service, read whole.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; null if it is empty.
    pub body: Value,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> Result<Self, Error> {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(if text.is_empty() {
            Value::Null
        } else {
            Value::String(text)
        });
        Ok(Self { status, headers, body })
    }

    /// The answer, if its status is `status`.
    pub fn expect_status(self, status: u16) -> Result<Self, Error> {
        if self.status.as_u16() == status {
            Ok(self)
        } else {
            Err(Error::Unexpected(format!(
                "{status} was expected, not {}: {}",
                self.status, self.body
            )))
        }
    }

    /// The text at a JSON pointer, empty if there is none.
    pub fn text(&self, pointer: &str) -> String {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The whole number at a JSON pointer.
    pub fn number(&self, pointer: &str) -> Option<i64> {
        self.body.pointer(pointer).and_then(Value::as_i64)
    }

    /// A header's text, empty if there is none.
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    }
}
