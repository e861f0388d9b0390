//! The OpenAPI document: the handlers' own parts, and what all operations share.

use problem::{FieldError, Problem};
use utoipa::{
    IntoResponses as _, PartialSchema as _, ToSchema as _,
    openapi::{
        ComponentsBuilder, Content, Info, OpenApi, RefOr, Response, Schema, Server,
        path::Parameter,
        schema::{SchemaType, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::service::Service;

const JSON: &str = "application/json";

const PROBLEM_JSON: &str = "application/problem+json";

/// The OpenAPI document of a service; it needs no state.
pub fn document<S>(service: &Service, routes: OpenApiRouter<S>) -> OpenApi
where
    S: Send + Sync + Clone + 'static,
{
    complete(service, routes.split_for_parts().1)
}

/// Adds the service's name, the bearer scheme, and the problem responses of every operation.
pub(super) fn complete(service: &Service, mut document: OpenApi) -> OpenApi {
    document.info = Info::new(service.name, service.version);
    document.info.description = Some(service.about.to_owned());
    // Relative to the document, so that it also works behind a proxy's path prefix.
    document.servers = Some(vec![Server::new(".")]);
    let mut components =
        document.components.take().unwrap_or_else(|| ComponentsBuilder::new().build());
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    components.schemas.insert(FieldError::name().into_owned(), FieldError::schema());
    components.add_security_scheme(
        "bearer",
        SecurityScheme::Http(
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build(),
        ),
    );
    document.components = Some(components);
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.options,
            &mut item.head,
            &mut item.patch,
            &mut item.trace,
        ];
        for operation in operations.into_iter().flatten() {
            for (status, response) in Problem::responses() {
                operation.responses.responses.entry(status).or_insert(response);
            }
            operation.responses.responses.values_mut().for_each(name_problem_type);
            operation.parameters.iter_mut().flatten().for_each(tighten);
        }
    }
    document
}

/// Problems have a content type of their own; a handler that names its problems need not repeat it.
fn name_problem_type(response: &mut RefOr<Response>) {
    let RefOr::T(response) = response else { return };
    let is_problem = |content: &RefOr<Content>| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. }) => {
            schema.ref_location.ends_with("/Problem")
        }
        RefOr::T(_) | RefOr::Ref(_) => false,
    };
    if response.content.get(JSON).is_some_and(is_problem)
        && let Some(content) = response.content.shift_remove(JSON)
    {
        response.content.insert(PROBLEM_JSON.to_owned(), content);
    }
}

/// A parameter is absent, or has a value: it cannot be null. The headers that all services share have the form that the extractors
/// accept.
fn tighten(parameter: &mut RefOr<Parameter>) {
    let RefOr::T(parameter) = parameter else { return };
    if let Some(RefOr::T(Schema::OneOf(choice))) = &mut parameter.schema {
        choice.items.retain(|item| !is_null(item));
        if let [only] = choice.items.as_slice() {
            parameter.schema = Some(only.clone());
        }
    }
    let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema else { return };
    if let SchemaType::Array(types) = &mut schema.schema_type {
        types.retain(|kind| *kind != Type::Null);
        if let [only] = types.as_slice() {
            schema.schema_type = SchemaType::Type(only.clone());
        }
    }
    let pattern = match parameter.name.as_str() {
        "Idempotency-Key" => "^[!-~]{1,255}$",
        "If-Match" => r#"^(\*|"(0|[1-9][0-9]{0,17})")$"#,
        _ => return,
    };
    schema.pattern = Some(pattern.to_owned());
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}
