//! The OpenAPI document: the handlers' own parts, and what all operations share.

use problem::{FieldError, Problem};
use utoipa::{
    IntoResponses as _, PartialSchema as _, ToSchema as _,
    openapi::{
        ComponentsBuilder, Info, OpenApi, Server,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::service::Service;

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
        }
    }
    document
}
