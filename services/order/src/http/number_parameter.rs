//! Parameters with the number of an order.

use problem::Problem;

use super::page_limit::invalid_parameter;
use crate::domain::{InvalidOrderNumber, OrderNumber};

/// The number in `parameter`, if there is one; 400 if it is invalid.
pub(super) fn order_number(
    parameter: &str,
    text: Option<&str>,
) -> Result<Option<OrderNumber>, Problem> {
    let invalid = |error: InvalidOrderNumber| invalid_parameter(parameter, error.to_string());
    text.map(str::parse).transpose().map_err(invalid)
}
