//! Lists of orders: numbers, days of a time zone, statuses, SKUs, and files.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::{Pacific, Tz};
use serde_json::{Value, json};
use vocabulary::CustomerId;

use crate::shop::{Client, Deadlines, Shop, order_request};

/// The ids of a list.
async fn list(client: &Client, query: &str) -> Vec<String> {
    let page = client.get(&format!("/v1/orders?{query}")).await.expect(200);
    let ids = page["items"].as_array().unwrap().iter().map(|order| &order["id"]);
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_order_is_found_by_its_number() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let (_, stranger) = shop.customer();
    let placed = client.post("/v1/orders", &order_request(me, &[("SILENT-1", 1)], "test")).await;
    let placed = placed.expect(202);
    let (id, number) = (placed["id"].as_str().unwrap(), placed["number"].as_str().unwrap());
    let other = client.place(me, "SILENT-1", "test").await;
    assert_eq!(number.len(), 17, "{number}");
    assert!(number.chars().all(|c| c.is_ascii_digit() || c == '-'), "{number}");
    let read = client.get(&format!("/v1/orders/{id}")).await.expect(200);
    assert_eq!(read["number"], placed["number"]);
    for form in [number.to_owned(), number.replace('-', ""), number.replace('-', "%20")] {
        for reader in [&client, &shop.admin()] {
            assert_eq!(list(reader, &format!("number={form}")).await, [id], "{form}");
        }
        // It gives no access, and does not tell whether there is such an order.
        assert!(list(&stranger, &format!("number={form}")).await.is_empty());
    }
    assert!(list(&client, &format!("number={number}&status=delivered")).await.is_empty());
    assert!(list(&client, &format!("number={number}&sku=KB-RED")).await.is_empty());
    assert_eq!(list(&client, &format!("number={number}&sku=SILENT-1&status=placed")).await, [id]);

    let last = number.chars().last().unwrap();
    let wrong = if last == '0' { '1' } else { '0' };
    let wrong = format!("{}{wrong}", &number[..16]);
    for (number, reason) in [(&*wrong, "wrong digit"), ("123", "15 digits"), (id, "15 digits")] {
        let answer = client.get(&format!("/v1/orders?number={number}")).await;
        assert_eq!(answer.problem(), (400, "invalid_query"));
        let error = &answer.body["errors"][0];
        assert_eq!(error["field"], "number");
        assert!(error["message"].as_str().unwrap().contains(reason), "{error}");
    }
    // The database computes what the program computes.
    for id in [id, &other] {
        let read = client.get(&format!("/v1/orders/{id}")).await.expect(200);
        let digits = read["number"].as_str().unwrap().replace('-', "");
        let computed: i64 = sqlx::query_scalar("select order_number($1::uuid)")
            .bind(id)
            .fetch_one(&shop.order)
            .await
            .unwrap();
        assert_eq!(format!("{computed:014}"), digits[..14]);
    }
    shop.close().await;
}

/// Refuses the next `count` orders, as the unique index does.
fn taken_numbers(count: u32) -> String {
    format!(
        "drop sequence if exists attempt;
         create sequence attempt;
         create or replace function refuse() returns trigger language plpgsql as $$
         begin
             if nextval('attempt') <= {count} then
                 raise unique_violation using constraint = 'orders_by_number';
             end if;
             return new;
         end $$;
         create or replace trigger refuse before insert on orders for each row execute function refuse()"
    )
}

#[tokio::test]
async fn an_order_whose_number_is_taken_gets_another() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    shop.run(&taken_numbers(3)).await;
    let id = client.place(me, "SILENT-1", "test").await;
    assert_eq!(client.get(&format!("/v1/orders/{id}")).await.expect(200)["id"], json!(id));
    assert_eq!(list(&client, "limit=100").await, [id], "it was placed once");

    shop.run(&taken_numbers(1_000)).await;
    let request = order_request(me, &[("SILENT-1", 1)], "test");
    let refused = client.post("/v1/orders", &request).await;
    assert_eq!(refused.problem(), (503, "order_number_taken"));
    shop.close().await;
}

#[tokio::test]
async fn orders_of_days_are_listed_in_a_time_zone() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "SILENT-1", "test").await;
    let placed_at: DateTime<Utc> = sqlx::query_scalar("select max(placed_at) from orders")
        .fetch_one(&shop.order)
        .await
        .unwrap();
    // There is never the same day in these two zones.
    let days: Vec<(Tz, NaiveDate)> = [Pacific::Kiritimati, Pacific::Pago_Pago, Tz::Asia__Shanghai]
        .map(|zone| (zone, placed_at.with_timezone(&zone).date_naive()))
        .to_vec();
    assert_ne!(days[0].1, days[1].1);
    for (zone, day) in &days {
        for reader in [&client, &shop.admin()] {
            for (from, to, is_listed) in
                [(0, 0, true), (-1, 0, true), (0, 1, true), (1, 2, false), (-2, -1, false)]
            {
                let at = |days| *day + TimeDelta::days(days);
                let span = format!("placed_from={}&placed_to={}", at(from), at(to));
                let query = format!("{span}&time_zone={}", zone.name());
                assert_eq!(!list(reader, &query).await.is_empty(), is_listed, "{query}");
            }
        }
    }
    // The zone of the shop.
    let day = days[2].1;
    assert_eq!(list(&client, &format!("placed_from={day}&placed_to={day}")).await, [id]);
    for bad in ["placed_from=2026-02-30", "placed_to=tomorrow", "time_zone=Mars/Olympus"] {
        let answer = client.get(&format!("/v1/orders?{bad}")).await;
        assert_eq!(answer.problem(), (400, "invalid_query"), "{bad}");
        let field = bad.split_once('=').unwrap().0;
        assert_eq!(answer.body["errors"][0]["field"], field);
    }
    shop.close().await;
}

#[tokio::test]
async fn orders_are_listed_by_statuses_and_sku() {
    let shop = Shop::open(Deadlines::NONE).await;
    let ((me, client), (other, stranger)) = (shop.customer(), shop.customer());
    let admin = shop.admin();
    let mut orders = Vec::new();
    for skus in [&["SILENT-1"][..], &["SILENT-1", "SILENT-2"], &["SILENT-2"]] {
        let lines: Vec<(&str, i64)> = skus.iter().map(|sku| (*sku, 1)).collect();
        let placed = client.post("/v1/orders", &order_request(me, &lines, "test")).await;
        orders.push(placed.expect(202)["id"].as_str().unwrap().to_owned());
    }
    let foreign = stranger.place(other, "SILENT-2", "test").await;
    client.post(&format!("/v1/orders/{}/cancel", orders[0]), &json!({})).await.expect(200);
    let [cancelled, both, second] = [0, 1, 2].map(|index| orders[index].as_str());

    assert_eq!(list(&client, "status=placed,cancelled").await, [second, both, cancelled]);
    assert_eq!(list(&client, "status=placed,%20placed").await, [second, both]);
    assert_eq!(list(&admin, "status=cancelled,placed").await, [&foreign, second, both, cancelled]);
    assert_eq!(list(&admin, "status=cancelled,placed&limit=2").await, [&*foreign, second]);
    assert_eq!(list(&client, "sku=SILENT-1").await, [both, cancelled]);
    assert_eq!(list(&client, "sku=SILENT-1&status=placed").await, [both]);
    assert_eq!(list(&admin, "sku=SILENT-2").await, [&foreign, second, both]);
    assert_eq!(list(&admin, "sku=SILENT-2&status=cancelled,rejected").await, [""; 0]);
    assert_eq!(list(&admin, &format!("sku=SILENT-2&customer_id={other}")).await, [&*foreign]);
    assert_eq!(list(&admin, "sku=UNKNOWN").await, [""; 0]);

    for filter in ["status=placed,cancelled&", "sku=SILENT-2&", ""] {
        let (mut pages, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/orders?{filter}limit=1{cursor}");
            let page = admin.get(&path).await.expect(200);
            pages.push(page["items"][0]["id"].as_str().unwrap().to_owned());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(pages, list(&admin, &format!("{filter}limit=100")).await, "{filter}");
    }
    for bad in ["status=", "status=placed,lost", "status=placed,", "sku=", "number="] {
        let answer = client.get(&format!("/v1/orders?{bad}")).await;
        assert_eq!(answer.problem(), (400, "invalid_query"), "{bad}");
    }
    shop.close().await;
}

/// The rows of a file without its header, each with its cells. No cell of these tests has a comma or a line break.
fn rows(file: &str) -> Vec<Vec<&str>> {
    file.lines().skip(1).map(|row| row.split(',').collect()).collect()
}

#[tokio::test]
async fn orders_are_a_file_with_a_row_for_each_line() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 19_900), ("+1-CMD", 5)]).await;
    let ((me, client), (_, stranger)) = (shop.customer(), shop.customer());
    let lines = [("KB-RED", 2), ("+1-CMD", 1)];
    let placed = client.post("/v1/orders", &order_request(me, &lines, "manual")).await.expect(202);
    let id = placed["id"].as_str().unwrap();
    client.wait(id, "reserved").await;

    let (status, content_type, file) = client.get_text("/v1/orders?format=csv", "*/*").await;
    assert_eq!((status, &*content_type), (200, "text/csv; charset=utf-8"));
    assert_eq!(
        file.lines().next().unwrap(),
        "number,order_id,placed_at,status,payment,customer_id,sku,title,quantity,unit_price,discount,tax,currency,order_total,cancelled,returned"
    );
    let number = placed["number"].as_str().unwrap();
    let customer = me.to_string();
    let found = rows(&file);
    assert_eq!(found.len(), 2, "{file}");
    for (row, (sku, quantity, price)) in
        found.iter().zip([("'+1-CMD", "1", "0.05"), ("KB-RED", "2", "199.00")])
    {
        assert_eq!(row[..2], [number, id]);
        assert!(row[2].ends_with("+08:00"), "{row:?}");
        assert_eq!(row[3..7], ["reserved", "pending", &customer, sku]);
        assert_eq!(row[8..], [quantity, price, "0.00", "0.00", "CNY", "398.05", "0", "0"]);
    }
    assert!(!file.contains("林小满"), "names and addresses stay here");

    let (_, content_type, same) = client.get_text("/v1/orders", "text/html, text/csv;q=0.9").await;
    assert_eq!((&*content_type, &same), ("text/csv; charset=utf-8", &file));
    let (_, content_type, _) = client.get_text("/v1/orders?format=json", "text/csv").await;
    assert_eq!(content_type, "application/json");
    let (.., marked) = client.get_text("/v1/orders?format=csv&bom=true", "*/*").await;
    assert_eq!(marked, format!("\u{feff}{file}"));
    let (.., elsewhere) = client.get_text("/v1/orders?format=csv&time_zone=UTC", "*/*").await;
    assert!(rows(&elsewhere)[0][2].ends_with("+00:00"), "{elsewhere}");
    let (.., filtered) = client.get_text("/v1/orders?format=csv&status=cancelled", "*/*").await;
    assert_eq!(rows(&filtered).len(), 0);
    let (.., foreign) = stranger.get_text("/v1/orders?format=csv", "*/*").await;
    assert_eq!((foreign.lines().count(), rows(&foreign).len()), (1, 0));
    for bad in ["format=csv&limit=5", "format=csv&cursor=AAAAAAAAAAAAAAAAAAAAAA", "format=xml"] {
        let answer = client.get(&format!("/v1/orders?{bad}")).await;
        assert_eq!(answer.problem(), (400, "invalid_query"), "{bad}");
    }
    let anonymous = shop.anonymous.get("/v1/orders?format=csv").await;
    assert_eq!(anonymous.problem(), (401, "unauthorized"));
    shop.close().await;
}

/// Orders of one line each, a second apart, the newest now; and their statistics.
fn many_orders(count: u32) -> String {
    format!(
        "insert into orders (id, customer_id, status, method, total, currency, shipping_address, placed_at, changed_at, payment_id)
         select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || substr(hash, 1, 3) || '8' || substr(hash, 4, 15))::uuid,
             md5((n % 1000)::text)::uuid, case when n % 100 = 0 then 'rejected' else 'delivered' end, 'manual', 100, 'CNY',
             '{{\"name\": \"a\", \"line1\": \"b\", \"city\": \"c\", \"country\": \"CN\"}}', at, at, gen_random_uuid()
         from (select n, now() - n * interval '1 second' as at, md5(n::text) as hash from generate_series(1, {count}) n) o;
         update orders set reason = '{{\"code\": \"insufficient_stock\", \"text\": \"x\"}}' where status = 'rejected';
         insert into order_line (order_id, sku, quantity)
         select id, 'SKU-' || (row_number() over (order by id)) % 500, 1 from orders;
         analyze orders, order_line"
    )
}

#[tokio::test]
async fn a_long_list_is_streamed_as_one_file() {
    let shop = Shop::open(Deadlines::NONE).await;
    // More than two chunks.
    shop.run(&many_orders(1_100)).await;
    let (_, _, file) = shop.admin().get_text("/v1/orders?format=csv", "*/*").await;
    let rows = rows(&file);
    let numbers: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!((rows.len(), numbers.len()), (1_100, 1_100));
    let times: Vec<&str> = rows.iter().map(|row| row[2]).collect();
    assert!(times.is_sorted_by(|earlier, later| earlier >= later), "the newest are first");
    shop.close().await;
}

/// The statements of the lists, as they are in the source.
fn statements() -> Vec<&'static str> {
    let source = include_str!("../../src/storage/order_lists.rs");
    source.split("r#\"").skip(1).map(|rest| rest.split("\"#").next().unwrap()).collect()
}

#[tokio::test]
async fn lists_follow_an_index_among_many_orders() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.run(&many_orders(100_000)).await;
    let (last, first) =
        ("'ffffffff-ffff-ffff-ffff-ffffffffffff'", "'00000000-0000-0000-0000-000000000000'");
    let customer = CustomerId::new();
    let expected = [
        ("orders_by_number", format!("1, {last}, {first}, null, null, null, null, null")),
        (
            "orders_of_customer",
            format!("'{customer}', {last}, {first}, null, null, null, null, 21"),
        ),
        ("order_line_by_sku", format!("'SKU-1', {last}, {first}, '{{rejected}}', null, null, 21")),
        ("orders_of_status", format!("'{{rejected,expired}}', {last}, {first}, null, null, 21")),
        ("orders_pkey", format!("{last}, {first}, null, null, 21")),
    ];
    let statements = statements();
    assert_eq!(statements.len(), expected.len());
    let mut connection = shop.order.acquire().await.unwrap();
    for (statement, (index, parameters)) in statements.into_iter().zip(expected) {
        // As with the first parameters, and as planned for any.
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let prepare = format!("set plan_cache_mode = {mode}; prepare list as {statement}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap();
            let explain = format!("explain (format json) execute list ({parameters})");
            let plan: Value = sqlx::query_scalar(sqlx::AssertSqlSafe(explain))
                .fetch_one(&mut *connection)
                .await
                .unwrap();
            let plan = plan.to_string();
            assert!(plan.contains(&format!("\"{index}\"")), "{mode}: {plan}");
            assert!(!plan.contains("Seq Scan"), "{mode}: {plan}");
            sqlx::raw_sql("deallocate list").execute(&mut *connection).await.unwrap();
        }
    }
    drop(connection);
    shop.close().await;
}
