//! Invariant 4: the copies of the catalogue.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, header::AUTHORIZATION};
use http_body_util::Empty;
use serde_json::Value;
use tls::http::{HttpClient, HttpError, Timeouts, read_success};

use crate::{error::Error, findings::Findings, sessions::Sessions, suite::Suite};

/// Timeout of a comparison of the whole catalogue.
const DRIFT_TIMEOUT: Duration = Duration::from_mins(1);

/// The limit for a connection to search-sync.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Invariant 4: the copies of all services have the products and versions of the catalogue.
pub(crate) async fn check_copies(
    sessions: &mut Sessions<'_>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut catalogue = sessions.of("product-catalog").await?;
    let originals: BTreeMap<String, i64> = catalogue
        .rows::<(String, i64)>("select id::text, version from product")
        .await?
        .into_iter()
        .collect();
    findings.checked.insert("products", i64::try_from(originals.len()).unwrap_or(i64::MAX));
    let copies = [
        ("inventory", "select product_id::text, version from product"),
        ("order", "select product_id::text, version from product"),
        ("search-sync", "select product_id::text, version from document"),
        ("behavior-analytics", "select product_id::text, version from product"),
    ];
    for (service, query) in copies {
        let mut connection = sessions.of(service).await?;
        let copy: BTreeMap<String, i64> =
            connection.rows::<(String, i64)>(query).await?.into_iter().collect();
        for (id, version) in &originals {
            if copy.get(id) != Some(version) {
                let held = copy.get(id).map_or("none".to_owned(), |held| format!("version {held}"));
                findings.add(
                    4,
                    [format!(
                        "product {id}: version {version} in the catalogue, {held} in {service}"
                    )],
                );
            }
        }
        let unknown = copy.keys().filter(|id| !originals.contains_key(*id));
        findings
            .add(4, unknown.map(|id| format!("product {id} of {service} is not in the catalogue")));
    }
    Ok(())
}

/// Invariant 4, for what the shop edits about its search: search-sync has its versions.
pub(crate) async fn check_search_settings(
    sessions: &mut Sessions<'_>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut catalogue = sessions.of("product-catalog").await?;
    let originals =
        "select id::text, version from rule union all select 'synonyms', version from synonym_list";
    let originals: BTreeMap<String, i64> =
        catalogue.rows::<(String, i64)>(originals).await?.into_iter().collect();
    let mut search = sessions.of("search-sync").await?;
    let copies = "select key, version from search_setting where until is null";
    let copies: BTreeMap<String, i64> =
        search.rows::<(String, i64)>(copies).await?.into_iter().collect();
    let differing = originals.keys().chain(copies.keys()).collect::<BTreeSet<_>>().into_iter();
    let differing = differing.filter(|key| originals.get(*key) != copies.get(*key));
    findings.add(
        4,
        differing.map(|key| {
            let version =
                |versions: &BTreeMap<String, i64>| versions.get(key).copied().unwrap_or_default();
            let (original, copy) = (version(&originals), version(&copies));
            format!(
                "search setting {key}: version {original} in the catalogue, {copy} in search-sync"
            )
        }),
    );
    Ok(())
}

/// Invariant 4, for the index itself: search-sync compares it with the catalogue.
pub(crate) async fn check_index(
    url: &str,
    suite: Suite<'_>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let (connect, read, idle) = (CONNECT_TIMEOUT, Some(DRIFT_TIMEOUT), CONNECT_TIMEOUT);
    let client = HttpClient::new(suite.tls.cloned(), Timeouts { connect, read, idle });
    let request = Request::get(format!("{url}/v1/index/drift"))
        .header(AUTHORIZATION, format!("Bearer {}", suite.token))
        .body(Empty::<Bytes>::new())
        .map_err(HttpError::from)?;
    let drift: Value = serde_json::from_slice(&read_success(client.send(request).await?).await?)
        .map_err(|_| Error::Unexpected("the drift report cannot be decoded".to_owned()))?;
    let number = |name: &str| drift[name].as_i64();
    let (Some(indexed), Some(differing)) = (number("index"), number("differing")) else {
        return Err(Error::Unexpected(format!("unexpected drift report: {drift}")));
    };
    findings.checked.insert("indexed_products", indexed);
    let items = drift["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    findings.add(4, items.iter().map(|item| format!("a product differs in the index: {item}")));
    let unnamed = usize::try_from(differing).unwrap_or_default().saturating_sub(items.len());
    if unnamed > 0 {
        findings.add(4, [format!("{unnamed} more products differ in the index")]);
    }
    Ok(())
}
