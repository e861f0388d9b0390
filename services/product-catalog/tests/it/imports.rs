//! Imports and exports.

use std::{collections::BTreeSet, fmt::Write as _};

use reqwest::{Method, Response};
use serde_json::{Value, json};
use service_testkit::LONGEST_WAIT;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use testkit::wait_for;

use crate::suite::{Suite, keyboard, later, problem_of};

const NDJSON: &str = "application/x-ndjson";

async fn import(suite: &Suite, kind: &str, body: String) -> Response {
    suite
        .request(Method::POST, "/v1/imports")
        .header("content-type", kind)
        .body(body)
        .send()
        .await
        .unwrap()
}

/// Imports a body, and waits until the import is finished.
async fn imported(suite: &Suite, kind: &str, body: String) -> Value {
    let response = import(suite, kind, body).await;
    assert_eq!(response.status(), 202);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let started: Value = response.json().await.unwrap();
    assert_eq!(location, format!("/v1/imports/{}", started["id"].as_str().unwrap()));
    suite.finished(&location).await
}

fn counts(import: &Value) -> [i64; 6] {
    let accepted = &import["accepted"];
    let counts = [
        &import["received"],
        &import["processed"],
        &accepted["created"],
        &accepted["updated"],
        &accepted["unchanged"],
        &import["refused"],
    ];
    counts.map(|count| count.as_i64().unwrap())
}

fn lines(products: impl IntoIterator<Item = Value>) -> String {
    products.into_iter().fold(String::new(), |mut body, product| {
        writeln!(body, "{product}").unwrap();
        body
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn valid_lines_are_imported_and_invalid_ones_reported() {
    let suite = Suite::start().await;
    let (owner, _) = suite.create(&keyboard("K-1")).await;
    suite.create(&keyboard("K-2")).await;
    let mut changed = keyboard("K-1");
    changed["brand"] = json!("Other");
    let mut both = keyboard("K-1");
    both["variants"].as_array_mut().unwrap().push(keyboard("K-2")["variants"][0].clone());
    let mut priceless = keyboard("K-9");
    priceless["variants"][0]["price"]["amount"] = json!(-5);
    let mut twice = keyboard("K-4");
    twice["brand"] = json!("Later");
    let body = [
        keyboard("K-3").to_string(),
        changed.to_string(),
        keyboard("K-2").to_string(),
        "{\"title\":".to_owned(),
        String::new(),
        priceless.to_string(),
        both.to_string(),
        keyboard("K-4").to_string(),
        twice.to_string(),
    ]
    .join("\n");
    let import = imported(&suite, NDJSON, body).await;
    assert_eq!((&import["state"], counts(&import)), (&json!("done"), [8, 8, 2, 2, 1, 3]));
    assert!(import["finished_at"].is_string());
    let refusals = import["refusals"].as_array().unwrap();
    let reasons: Vec<(i64, &str)> = refusals
        .iter()
        .map(|row| (row["line"].as_i64().unwrap(), row["reason"].as_str().unwrap()))
        .collect();
    assert!(reasons[0].0 == 4 && reasons[0].1.starts_with("is not JSON: "), "{reasons:?}");
    assert_eq!(
        reasons[1],
        (6, "variants[0].price.amount: an amount of money must not be negative")
    );
    assert_eq!(reasons[2], (7, "its SKUs belong to 2 different products"));
    let updated = &suite.get("/v1/products?sku=K-1").await["items"][0];
    assert_eq!(
        (&updated["id"], &updated["version"], &updated["brand"]),
        (&owner["id"], &json!(2), &json!("Other"))
    );
    let last = &suite.get("/v1/products?sku=K-4").await["items"][0];
    assert_eq!((&last["version"], &last["brand"]), (&json!(2), &json!("Later")));

    // The applied changes of each service are counted.
    let inventory = suite.downstream("inventory").await;
    inventory.applied(&[(updated, 2), (last, 2)], later(0)).await;
    let path = format!("/v1/imports/{}", import["id"].as_str().unwrap());
    wait_for("the receipts are counted", LONGEST_WAIT, async || {
        let downstream = suite.get(&path).await["downstream"].clone();
        // K-4 has two versions.
        if downstream[1] == json!({"service": "inventory", "applied": 3}) {
            Ok(())
        } else {
            Err(downstream)
        }
    })
    .await
    .unwrap();
    suite.settled().await;
    assert_eq!(suite.received().len(), 2 + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_import_continues_and_repeats_nothing() {
    const ROWS: usize = 2_600;
    let mut suite = Suite::start().await;
    // Another transaction holds the SKU of a row in the middle, so the importer waits there.
    let mut holder = PgConnection::connect(suite.database.url()).await.unwrap();
    let hold = r"begin;
        insert into product (id, version, status, category, document, created_at, updated_at)
            values ('00000000-0000-7000-8000-000000000000', 1, 'active', 'a', '{}', now(), now());
        insert into variant (sku, product_id) values ('R-1600', '00000000-0000-7000-8000-000000000000')";
    sqlx::raw_sql(AssertSqlSafe(hold)).execute(&mut holder).await.unwrap();

    let rows = (0..ROWS).map(|row| {
        if row % 100 == 7 { json!({ "row": row }) } else { keyboard(&format!("R-{row}")) }
    });
    let response = import(&suite, NDJSON, lines(rows)).await;
    assert_eq!(response.status(), 202);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    wait_for("the importer is in the middle", LONGEST_WAIT, async || {
        let processed = suite.get(&location).await["processed"].as_i64().unwrap();
        if (1_000..=1_600).contains(&processed) { Ok(()) } else { Err(processed) }
    })
    .await
    .unwrap();
    let observer = suite.database.connect().await.unwrap();
    wait_for("the importer waits", LONGEST_WAIT, async || {
        let waiting = "select count(*) from pg_stat_activity \
            where datname = current_database() and wait_event_type = 'Lock'";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&observer).await.unwrap();
        if waiting > 0 { Ok(()) } else { Err("no session waits") }
    })
    .await
    .unwrap();
    observer.close().await;

    suite.restart_catalogue().await;
    sqlx::raw_sql(AssertSqlSafe("rollback")).execute(&mut holder).await.unwrap();
    let import = suite.finished(&location).await;
    assert_eq!((&import["state"], counts(&import)), (&json!("done"), [2600, 2600, 2574, 0, 0, 26]));
    assert_eq!(import["refusals"][0]["line"], 8);
    suite.settled().await;
    let received = suite.received();
    let products: BTreeSet<_> = received.iter().map(|one| one.product).collect();
    assert_eq!((received.len(), products.len()), (2574, 2574));
    assert!(received.iter().all(|one| one.version == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn exported_products_are_imported_unchanged() {
    let suite = Suite::start().await;
    let products = (0..1_203).map(|row| keyboard(&format!("E-{row}")));
    let first = imported(&suite, NDJSON, lines(products)).await;
    assert_eq!(counts(&first), [1203, 1203, 1203, 0, 0, 0]);
    let exported = suite.request(Method::GET, "/v1/export").send().await.unwrap();
    assert_eq!(exported.headers()["content-type"], NDJSON);
    let exported = exported.text().await.unwrap();
    assert_eq!(exported.lines().count(), 1_203);
    let line: Value = serde_json::from_str(exported.lines().next().unwrap()).unwrap();
    assert_eq!(suite.get(&format!("/v1/products/{}", line["id"].as_str().unwrap())).await, line);
    let second = imported(&suite, NDJSON, exported.clone()).await;
    assert_eq!(counts(&second), [1203, 1203, 0, 0, 1203, 0]);

    let empty = Suite::start().await;
    let third = imported(&empty, NDJSON, exported).await;
    assert_eq!(counts(&third), [1203, 1203, 1203, 0, 0, 0]);
    suite.settled().await;
    empty.settled().await;
    assert_eq!((suite.received().len(), empty.received().len()), (1203, 1203));
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_files_are_imported() {
    let suite = Suite::start().await;
    let body = "\u{feff}product,sku,title_zh,title_en,brand,category,price,currency,option.尺码,attr.材质\r\n\
        shirt,S-1,\"衬衫\n长袖\",Shirt,Cloth,服装/衬衫,129.00,,S,棉\r\n\
        shirt,S-2,,,,,139.5,,M,\r\n\
        ,C-1,,Cup,,家居/杯子,9.90,EUR,,\r\n\
        ,C-2,,Cup,,家居/杯子,free,EUR,,\r\n\
        ,C-3,,Cup\r\n";
    let import = imported(&suite, "text/csv; charset=utf-8", body.to_owned()).await;
    assert_eq!((&import["format"], counts(&import)), (&json!("csv"), [4, 4, 2, 0, 0, 2]));
    let expected = json!([
        {"line": 6, "reason": "price: must be a number such as 129.00"},
        {"line": 7, "reason": "the row has 4 cells, the header 10"},
    ]);
    assert_eq!(import["refusals"], expected);
    let shirt = &suite.get("/v1/products?sku=S-2").await["items"][0];
    assert_eq!(shirt["title"], json!({"zh": "衬衫\n长袖", "en": "Shirt"}));
    assert_eq!(shirt["attributes"], json!({"材质": "棉"}));
    let variant = |sku: &str, amount: i64, size: &str| json!({"sku": sku, "price": {"amount": amount, "currency": "CNY"}, "options": {"尺码": size}});
    assert_eq!(shirt["variants"], json!([variant("S-1", 12900, "S"), variant("S-2", 13950, "M")]));

    for (bad, code) in
        [("", "empty_file"), ("sku,colour\nA,red\n", "invalid_header"), ("sku\n", "invalid_header")]
    {
        let (status, found, _) =
            problem_of(self::import(&suite, "text/csv", bad.to_owned()).await).await;
        assert_eq!((status, found.as_str()), (422, code));
    }
    let (status, code, _) =
        problem_of(self::import(&suite, "application/xml", "<a/>".to_owned()).await).await;
    assert_eq!((status, code.as_str()), (415, "unsupported_media_type"));
    for empty in ["", "\n\n", "\u{feff}\r\n"] {
        let refused = self::import(&suite, NDJSON, empty.to_owned()).await;
        let (status, code, _) = problem_of(refused).await;
        assert_eq!((status, code.as_str()), (422, "empty_file"));
    }
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn same_key_starts_one_import() {
    let suite = Suite::start().await;
    let body = lines((0..3).map(|row| keyboard(&format!("I-{row}"))));
    let post = |body: &str| {
        let request = suite.request(Method::POST, "/v1/imports").header("content-type", NDJSON);
        request.header("idempotency-key", "once").body(body.to_owned()).send()
    };
    let (first, second) = tokio::join!(post(&body), post(&body));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (202, 202));
    let location = first.headers()["location"].clone();
    assert_eq!(&location, &second.headers()["location"]);
    assert_eq!(problem_of(post("{}\n").await.unwrap()).await.1, "idempotency_key_reused");
    let import = suite.finished(location.to_str().unwrap()).await;
    assert_eq!(counts(&import), [3, 3, 3, 0, 0, 0]);
    suite.settled().await;
    let left = r"do $$ begin if exists (select from import_chunk) then raise 'rows are left'; end if; end $$";
    suite.database.run(left).await.unwrap();
    assert_eq!(suite.received().len(), 3);
}
