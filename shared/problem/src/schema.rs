//! The OpenAPI schema of a problem, so that a handler can write `body = Problem`.

use std::{borrow::Cow, collections::BTreeMap};

use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder, schema::Schema},
};

use crate::response::{FieldError, Problem};

/// An error in the format of RFC 9457 (`application/problem+json`).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct ProblemDocument {
    /// A relative URI made from `code`; the service serves a page there that explains the code.
    #[schema(example = "/problems/validation_failed")]
    r#type: String,
    /// Fixed for each `code`.
    #[schema(example = "Validation failed")]
    title: String,
    #[schema(example = 422)]
    status: u16,
    /// Stable, for programs.
    #[schema(example = "validation_failed")]
    code: String,
    /// Explains this occurrence, for people.
    detail: Option<String>,
    /// The errors of single fields.
    #[schema(required = false)]
    errors: Vec<FieldError>,
    /// Quote this id when you report the error.
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
    /// The `default` response of an operation: every status without a response of its own.
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let content =
            ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
        let response = ResponseBuilder::new()
            .description("The request failed")
            .content("application/problem+json", content)
            .build();
        BTreeMap::from([("default".to_owned(), RefOr::T(response))])
    }
}
