//! The shape of a problem for OpenAPI, so that a handler can write `body = Problem`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder, schema::Schema};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use crate::{FieldError, Problem};

/// What went wrong, as RFC 9457 has it (`application/problem+json`).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct ProblemDocument {
    /// A stable relative URI made from `code`.
    #[schema(example = "/problems/validation_failed")]
    r#type: String,
    /// The same for every occurrence.
    #[schema(example = "Validation failed")]
    title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    status: u16,
    /// Stable, for programs.
    #[schema(example = "validation_failed")]
    code: String,
    /// What happened this time, for people.
    detail: Option<String>,
    /// What is wrong with each field.
    #[schema(required = false)]
    errors: Vec<FieldError>,
    /// Quote this when you ask what happened.
    #[schema(example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    trace_id: Option<String>,
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        ProblemDocument::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Problem")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((FieldError::name().into_owned(), FieldError::schema()));
        ProblemDocument::schemas(schemas);
    }
}

impl IntoResponses for Problem {
    /// The `default` response of an operation: whatever has no response of its own.
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let content =
            ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
        let response = ResponseBuilder::new()
            .description("What went wrong")
            .content("application/problem+json", content)
            .build();
        BTreeMap::from([("default".to_owned(), RefOr::T(response))])
    }
}
