//! The HTTP API: the route table, and one file per endpoint.

mod change_view;
mod file_problem;
mod import_query;
mod import_upload;
mod import_view;
mod merge_patch;
mod paging;
mod product_draft;
mod product_status_view;
mod product_view;
mod rule_draft;
mod rule_parts;
mod rule_view;
mod synonym_list_view;

mod create_product;
mod create_rule;
mod delete_product;
mod delete_rule;
mod export_products;
mod get_change;
mod get_import;
mod get_product;
mod get_refused_rows;
mod get_rule;
mod get_search_snapshot;
mod get_snapshot;
mod get_synonyms;
mod list_categories;
mod list_imports;
mod list_products;
mod list_rules;
mod replace_product;
mod replace_rule;
mod replace_synonyms;
mod start_import;
mod stream_change_events;
mod update_product;

use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use problem::{FieldError, IfMatch, Problem};
use runtime::http::within;
use sqlx::PgConnection;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt as _},
    routes,
};
use vocabulary::{ProductId, RuleId};

pub(crate) use self::product_draft::draft_of_json_line;
use crate::{
    app::{SearchSettingsError, WriteProductsError},
    domain::{MAX_ROW, Product, Rule, ValidationError},
    state::AppState,
    storage::{
        products::{self, WriteError},
        rules,
    },
};

/// The timeout of a long poll: the longest wait, and some seconds for the response.
const LONG_POLL_TIMEOUT: Duration = Duration::from_secs(35);
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(10);

/// The routes of the service.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    let products = OpenApiRouter::new()
        .routes(routes!(list_products::list_products, create_product::create_product))
        .routes(routes!(
            get_product::get_product,
            replace_product::replace_product,
            update_product::update_product,
            delete_product::delete_product
        ))
        .layer(DefaultBodyLimit::max(MAX_ROW));
    let search = OpenApiRouter::new()
        .routes(routes!(get_synonyms::get_synonyms, replace_synonyms::replace_synonyms))
        .routes(routes!(list_rules::list_rules, create_rule::create_rule))
        .routes(routes!(get_rule::get_rule, replace_rule::replace_rule, delete_rule::delete_rule))
        .layer(DefaultBodyLimit::max(MAX_ROW));
    OpenApiRouter::new()
        .merge(products)
        .merge(search)
        .routes(routes!(list_categories::list_categories))
        .routes(routes!(start_import::start_import).layer(within(UPLOAD_TIMEOUT)))
        .routes(routes!(list_imports::list_imports))
        .routes(routes!(get_import::get_import))
        .routes(routes!(get_refused_rows::get_refused_rows))
        .routes(routes!(export_products::export_products))
        .routes(routes!(get_snapshot::get_snapshot))
        .routes(routes!(get_search_snapshot::get_search_snapshot))
        .routes(routes!(get_change::get_change).layer(within(LONG_POLL_TIMEOUT)))
        .routes(routes!(stream_change_events::stream_change_events))
        .merge(runtime::operations::routes())
}

/// Locks a product until the transaction ends; 404 if it does not exist, 412 if `if_match` names another
/// version.
async fn lock_product(
    connection: &mut PgConnection,
    id: ProductId,
    if_match: Option<IfMatch>,
) -> Result<Product, Problem> {
    let product = products::lock(connection, id).await?.ok_or_else(|| product_not_found(id))?;
    if let Some(if_match) = if_match {
        if_match.check(product.version.get())?;
    }
    Ok(product)
}

/// 404 for a product that does not exist, or was deleted.
fn product_not_found(id: ProductId) -> Problem {
    Problem::not_found(format_args!("product {id}"))
}

/// Locks a rule until the transaction ends; 404 if it does not exist, 412 if `if_match` names another version.
async fn lock_rule(
    connection: &mut PgConnection,
    id: RuleId,
    if_match: Option<IfMatch>,
) -> Result<Rule, Problem> {
    let rule = rules::lock(connection, id).await?.ok_or_else(|| rule_not_found(id))?;
    if let Some(if_match) = if_match {
        if_match.check(rule.version.get())?;
    }
    Ok(rule)
}

/// 404 for a rule that does not exist, or was deleted.
fn rule_not_found(id: RuleId) -> Problem {
    Problem::not_found(format_args!("rule {id}"))
}

/// 409 if there are too many rules, otherwise an internal error.
fn settings_not_written(error: SearchSettingsError) -> Problem {
    match error {
        SearchSettingsError::TooManyRules => {
            Problem::conflict("too_many_rules", "The maximum number of rules exists")
        }
        SearchSettingsError::Database(error) => error.into(),
        SearchSettingsError::Messaging(error) => error.into(),
    }
}

/// 409 if a SKU is taken, otherwise an internal error.
fn not_written(error: WriteProductsError) -> Problem {
    match error {
        WriteProductsError::Storage(WriteError::SkusTaken(skus)) => {
            Problem::conflict("sku_taken", "Another product has this SKU")
                .detail(format!("Taken: {}.", skus.join(", ")))
                .member("skus", skus)
        }
        WriteProductsError::Storage(WriteError::Database(error)) => error.into(),
        WriteProductsError::Messaging(error) => error.into(),
    }
}

/// 422 with every invalid field.
fn not_valid(errors: Vec<ValidationError>) -> Problem {
    let error = |error: ValidationError| FieldError::new(error.field, error.code, error.message);
    Problem::validation(errors.into_iter().map(error).collect())
}

/// 400 for a query parameter.
fn invalid_query(field: &str, message: impl Into<String>) -> Problem {
    Problem::bad_request("invalid_query", "The query string is not valid")
        .errors(vec![FieldError::new(field, "invalid", message)])
}
