//! What the routes of promotions, shipping rates and tax rates share.

use axum::http::StatusCode;
use idempotency::{Executed, Request, StoredResponse};
use messaging::Outbox;
use problem::{Fields, IdempotencyKey, Problem};
use runtime::auth::Caller;
use serde::Serialize;

use crate::{
    app::change_cost_rules::{ChangeCostRulesError, MAX_RULES, create_cost_rule},
    domain::{
        costs::{CostRule, CouponCode, Zone},
        country, one_line,
    },
    storage::cost_rules::StoredRule,
};

/// The maximum length of the name of a rule, in characters.
const MAX_NAME: usize = 100;

/// A request that creates a rule.
pub(super) struct NewRule<'a> {
    pub(super) caller: &'a Caller,
    /// The name of the operation.
    pub(super) operation: &'static str,
    pub(super) key: Option<&'a IdempotencyKey>,
    /// The body of the request.
    pub(super) body: Vec<u8>,
    pub(super) rule: CostRule,
    pub(super) coupons: &'a [CouponCode],
}

/// Creates a rule, once for each key. `render` returns the path and the body of the rule.
pub(super) async fn create<B: Serialize>(
    outbox: &Outbox,
    new: NewRule<'_>,
    render: impl FnOnce(StoredRule) -> Option<(String, B)>,
) -> Result<Executed, Problem> {
    let NewRule { caller, operation, key, body, rule, coupons } = new;
    let request = Request { caller: caller.subject(), operation, key, body: &body };
    idempotency::execute(outbox, request, async |tx| {
        let stored = create_cost_rule(tx, rule, coupons).await?;
        let (location, body) = render(stored).ok_or_else(Problem::internal)?;
        Ok(StoredResponse::json(StatusCode::CREATED, &body)?.header("location", location))
    })
    .await
}

pub(super) fn parse_name(fields: &mut Fields, name: Option<String>) -> Option<String> {
    let name = fields.require("name", name)?;
    fields.check("name", one_line(&name, MAX_NAME))
}

/// Everywhere, if both are absent.
pub(super) fn parse_zone(
    fields: &mut Fields,
    letters: Option<String>,
    region: Option<String>,
) -> Option<Zone> {
    let country = match letters {
        Some(letters) => Some(fields.check("country", country(&letters))?),
        None => None,
    };
    let region = match region {
        Some(region) => Some(fields.check("region", one_line(&region, MAX_NAME))?),
        None => None,
    };
    fields.check("region", Zone::new(country, region))
}

impl From<ChangeCostRulesError> for Problem {
    fn from(error: ChangeCostRulesError) -> Self {
        match error {
            ChangeCostRulesError::TooMany => {
                Self::conflict("too_many_rules", "The maximum number of rules exists")
                    .detail(format!("The limit is {MAX_RULES} of each kind."))
            }
            ChangeCostRulesError::NotFound => Self::not_found("the rule"),
            ChangeCostRulesError::CouponsTaken(codes) => {
                let codes: Vec<&str> = codes.iter().map(CouponCode::as_str).collect();
                Self::conflict("coupon_taken", "Another promotion has this coupon code")
                    .detail(format!("Taken: {}.", codes.join(", ")))
                    .member("coupons", codes)
            }
            ChangeCostRulesError::Database(error) => error.into(),
        }
    }
}
