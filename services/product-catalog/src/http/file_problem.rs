//! Problems of product files.

use axum::http::StatusCode;
use problem::{FieldError, MAX_FIELD_ERRORS, Problem};

use crate::domain::{InvalidFile, InvalidHeader};

/// Why a product file was refused as a whole.
pub(super) fn file_problem(error: InvalidFile) -> Problem {
    let unprocessable = |code, title| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, title);
    match error {
        InvalidFile::Charset(name) => Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The encoding is unknown",
        )
        .detail(format!("`{name}` is no encoding; send charset=utf-8 or charset=gb18030.")),
        InvalidFile::TooLarge(limit) => {
            let title = "The workbook is too large";
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", title)
                .detail(format!("Limit: {limit}. Save the sheet as CSV, or split it."))
        }
        InvalidFile::UnknownSheet(wanted, names) => {
            unprocessable("unknown_sheet", "The workbook has no sheet of this name")
                .detail(format!("There is no sheet `{wanted}`; there are: {}.", names.join(", ")))
        }
        InvalidFile::NotText(reason) => {
            unprocessable("not_a_product_file", "The body is not a product file")
                .detail(format!("Reason: {reason}."))
        }
        InvalidFile::Header(error) => {
            let detail = error.to_string();
            unprocessable("invalid_header", "The header of the file is not valid")
                .detail(detail)
                .errors(header_errors(error))
        }
        InvalidFile::Empty => unprocessable("empty_file", "The file has no rows")
            .detail("The body is empty, or has only a header."),
        InvalidFile::TooManyProducts => {
            let title = "The file has too many products";
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", title)
                .detail("Split the file.")
        }
    }
}

fn header_errors(error: InvalidHeader) -> Vec<FieldError> {
    let message = error.to_string();
    match error {
        InvalidHeader::Unknown(names) => {
            let error = |name| FieldError::new(name, "unknown_field", "is no known column");
            names.into_iter().take(MAX_FIELD_ERRORS).map(error).collect()
        }
        InvalidHeader::Repeated(_, name) => vec![FieldError::new(name, "duplicate", message)],
        InvalidHeader::Missing(names) => {
            let error = |name| FieldError::new(name, "required", "the column is missing");
            names.into_iter().map(error).collect()
        }
        InvalidHeader::NotMapped(_) => vec![FieldError::new("mapping", "invalid", message)],
        InvalidHeader::TooMany(_) => vec![FieldError::new("", "too_many", message)],
        InvalidHeader::Undecodable(_) => vec![FieldError::new("", "invalid", message)],
    }
}
