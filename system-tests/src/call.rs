//! Answers of services.

use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;

use crate::error::Error;

/// A complete HTTP response.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// JSON, else a string; null if the body is empty.
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

    /// The answer if its status is `status`, else an error.
    pub fn expect_status(self, status: u16) -> Result<Self, Error> {
        if self.status.as_u16() == status {
            Ok(self)
        } else {
            Err(Error::Unexpected(format!(
                "expected status {status}, got {}: {}",
                self.status, self.body
            )))
        }
    }

    /// The string at a JSON pointer; empty if there is none.
    pub fn text(&self, pointer: &str) -> String {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The integer at a JSON pointer.
    pub fn number(&self, pointer: &str) -> Option<i64> {
        self.body.pointer(pointer).and_then(Value::as_i64)
    }

    /// The value of a header; empty if it is missing.
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    }
}
