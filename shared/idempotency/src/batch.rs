//! Many requests in one transaction, with two statements for all of them.

use std::collections::{HashMap, HashSet};

use problem::Problem;
use sqlx::PgConnection;

use crate::request::{Request, StoredRequest, StoredResponse};

/// The columns of the primary keys of several requests.
#[derive(Debug, Default)]
struct KeyColumns<'a> {
    caller: Vec<&'a str>,
    operation: Vec<&'a str>,
    key: Vec<&'a str>,
}

impl<'a> FromIterator<&'a Request<'a>> for KeyColumns<'a> {
    /// Requests without a key are left out.
    fn from_iter<I: IntoIterator<Item = &'a Request<'a>>>(requests: I) -> Self {
        let mut all = Self::default();
        for request in requests {
            let Some(key) = request.key else { continue };
            all.caller.push(request.caller);
            all.operation.push(request.operation);
            all.key.push(key.as_str());
        }
        all
    }
}

/// What was answered to earlier requests with the keys of `requests`: the stored response, or 422 `idempotency_key_reused` for another
/// body. A request without a key, or with a new one, gets `None`.
///
/// To answer the new ones, pass their responses to [`store_all`] in the transaction of the effect.
pub async fn find_all(
    connection: &mut PgConnection,
    requests: &[Request<'_>],
) -> Result<Vec<Option<Result<StoredResponse, Problem>>>, sqlx::Error> {
    let KeyColumns { caller: callers, operation: operations, key: keys } =
        requests.iter().collect();
    if keys.is_empty() {
        return Ok(requests.iter().map(|_| None).collect());
    }
    let rows = sqlx::query!(
        r#"
        select caller as "caller!", operation as "operation!", key as "key!", fingerprint, status, headers, body
        from unnest($1::text[], $2::text[], $3::text[]) as asked (caller, operation, key)
        join idempotency.request using (caller, operation, key)
        "#,
        &callers as &[&str],
        &operations as &[&str],
        &keys as &[&str],
    )
    .fetch_all(connection)
    .await?;
    let mut stored: HashMap<[String; 3], StoredRequest> = HashMap::with_capacity(rows.len());
    for row in rows {
        let request = StoredRequest {
            fingerprint: row.fingerprint,
            status: row.status,
            headers: row.headers,
            body: row.body,
        };
        stored.insert([row.caller, row.operation, row.key], request);
    }
    let answer = |request: &Request<'_>| {
        let stored = stored.get(&request.id()?)?;
        Some(stored.replay(&request.fingerprint()))
    };
    Ok(requests.iter().map(answer).collect())
}

/// Stores the responses to requests, each with another key, in the transaction of their effects. Waits while another transaction
/// stores a response to one of the keys.
///
/// Returns the indices of the requests that have been answered meanwhile. Their effects must not be committed; [`find_all`] finds the
/// responses.
pub async fn store_all(
    connection: &mut PgConnection,
    answered: &[(Request<'_>, &StoredResponse)],
) -> Result<HashSet<usize>, Problem> {
    let with_key = || answered.iter().filter(|(request, _)| request.key.is_some());
    let KeyColumns { caller: callers, operation: operations, key: keys } =
        with_key().map(|(request, _)| request).collect();
    if keys.is_empty() {
        return Ok(HashSet::new());
    }
    let headers = with_key().map(|(_, response)| serde_json::to_value(&response.headers));
    let headers: Vec<serde_json::Value> =
        headers.collect::<Result<_, _>>().map_err(|error| Problem::internal_from(&error))?;
    let fingerprints: Vec<Vec<u8>> = with_key().map(|(request, _)| request.fingerprint()).collect();
    let statuses: Vec<i16> = with_key().map(|(_, response)| response.stored_status()).collect();
    let bodies: Vec<&[u8]> = with_key().map(|(_, response)| response.body.as_slice()).collect();
    // In the order of the keys, so that two transactions never deadlock.
    let stored = sqlx::query!(
        r#"
        insert into idempotency.request (caller, operation, key, fingerprint, status, headers, body)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::smallint[], $6::jsonb[], $7::bytea[])
        order by 1, 2, 3
        on conflict do nothing
        returning caller, operation, key
        "#,
        &callers as &[&str],
        &operations as &[&str],
        &keys as &[&str],
        &fingerprints,
        &statuses,
        &headers,
        &bodies as &[&[u8]],
    )
    .fetch_all(connection)
    .await?;
    let stored: HashSet<[String; 3]> =
        stored.into_iter().map(|row| [row.caller, row.operation, row.key]).collect();
    let is_answered = |request: &Request<'_>| request.id().is_some_and(|id| !stored.contains(&id));
    let indices = answered.iter().enumerate();
    Ok(indices.filter(|(_, (request, _))| is_answered(request)).map(|(index, _)| index).collect())
}
