//! Imports of product files as people have them: encodings, delimiters, quotation marks, column names, and the
//! exports of other programs.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::suite::{Suite, keyboard, problem_of};

const HEADER: &str = "sku,title_zh,category,price";

async fn send(suite: &Suite, query: &str, kind: &str, body: impl Into<Vec<u8>>) -> Response {
    suite
        .request(Method::POST, &format!("/v1/imports{query}"))
        .header("content-type", kind)
        .body(body.into())
        .send()
        .await
        .unwrap()
}

/// Imports a file with parameters, and waits until the import is finished.
async fn imported_with(suite: &Suite, query: &str, kind: &str, body: impl Into<Vec<u8>>) -> Value {
    let response = send(suite, query, kind, body).await;
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(status, 202, "{text}");
    let started: Value = serde_json::from_str(&text).unwrap();
    suite.finished(&format!("/v1/imports/{}", started["id"].as_str().unwrap())).await
}

async fn imported(suite: &Suite, body: impl Into<Vec<u8>>) -> Value {
    imported_with(suite, "", "text/csv", body).await
}

/// The numbers of created products and refused lines.
fn created_and_refused(import: &Value) -> (i64, Vec<i64>) {
    assert_eq!(import["state"], "done");
    let refusals = import["refusals"].as_array().unwrap().iter();
    let lines = refusals.map(|row| row["line"].as_i64().unwrap()).collect();
    (import["accepted"]["created"].as_i64().unwrap(), lines)
}

fn messages(import: &Value) -> Vec<(i64, &str)> {
    let warnings = import["warnings"].as_array().unwrap().iter();
    warnings.map(|row| (row["line"].as_i64().unwrap(), row["message"].as_str().unwrap())).collect()
}

/// The product that has a SKU.
async fn product(suite: &Suite, sku: &str) -> Value {
    suite.get(&format!("/v1/products?sku={sku}")).await["items"][0].clone()
}

async fn titles(suite: &Suite, skus: &[&str]) -> Vec<Value> {
    let mut titles = Vec::new();
    for sku in skus {
        titles.push(product(suite, sku).await["title"]["zh"].clone());
    }
    titles
}

#[tokio::test(flavor = "multi_thread")]
async fn quotation_marks_never_swallow_rows() {
    let suite = Suite::start().await;
    let body = format!(
        "{HEADER}\nX1-INA,27\" 显示器,复查x1/显示器,1999.00\nX1-INB,无线鼠标,复查x1/鼠标,59.00\n\
         X1-INC,24\" 显示器,复查x1/显示器,899.00\nX1-IND,键盘,复查x1/键盘,129.00"
    );
    let import = imported(&suite, body).await;
    assert_eq!(created_and_refused(&import), (4, vec![]));
    let found = titles(&suite, &["X1-INA", "X1-INB", "X1-INC", "X1-IND"]).await;
    assert_eq!(found, ["27\" 显示器", "无线鼠标", "24\" 显示器", "键盘"]);

    let body = format!(
        "{HEADER}\nQ-1,\"静音 鼠标,a,1\nQ-2,\"静音\" 键盘,a,2\nQ-3,12'6\" 管,a,3\n\
         Q-4,\"显示器, 27\"\"\",a,4\nQ-5,3/4\" 管,a,5\nQ-6,\"开,a,6\nQ-7,中,a,7\nQ-8,关\",a,8\nQ-9,杯,a,9\n"
    );
    let import = imported(&suite, body).await;
    assert_eq!(created_and_refused(&import), (6, vec![7, 8, 9]));
    let found = titles(&suite, &["Q-1", "Q-2", "Q-3", "Q-4", "Q-5", "Q-9"]).await;
    let expected = ["\"静音 鼠标", "\"静音\" 键盘", "12'6\" 管", "显示器, 27\"", "3/4\" 管", "杯"];
    assert_eq!(found, expected);
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_line_ends_are_understood() {
    let suite = Suite::start().await;
    for (number, end) in ["\r", "\r\n", "\n"].into_iter().enumerate() {
        let body = format!(
            "{HEADER}{end}L{number}-A,旧麦风,复查x1,10.00{end}L{number}-B,新麦风,复查x1,20.00{end}"
        );
        assert_eq!(created_and_refused(&imported(&suite, body).await), (2, vec![]));
    }
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_other_encodings_are_decoded() {
    let suite = Suite::start().await;
    let gbk = |sku: &str| {
        let mut body = format!("sku,title_zh,brand,category,price\r\n{sku},").into_bytes();
        body.extend(b"\xc0\xb6\xd1\xc0\xb6\xfa\xbb\xfa \xbd\xb5\xd4\xeb,\xbb\xaa\xce\xaa,\xb8\xb4\xb2\xe9x1/");
        body.extend(b"\xb6\xfa\xbb\xfa,299.00\r\n");
        body
    };
    let named = imported_with(&suite, "", "text/csv; charset=gb18030", gbk("X1-GBK")).await;
    let unnamed = imported(&suite, gbk("X1-GBN")).await;
    assert_eq!(unnamed["file"], json!({"encoding": "gb18030", "delimiter": ",", "preset": null}));
    let text = "\u{feff}sku\ttitle_zh\tbrand\tcategory\tprice\r\nX1-UTF\t蓝牙耳机 降噪\t华为\t复查x1/耳机\t299.00\r\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16 = imported(&suite, utf16).await;
    assert_eq!(utf16["file"]["encoding"], "UTF-16LE");
    for import in [named, unnamed, utf16] {
        assert_eq!(created_and_refused(&import), (1, vec![]));
    }
    for sku in ["X1-GBK", "X1-GBN", "X1-UTF"] {
        let product = product(&suite, sku).await;
        assert_eq!(product["title"]["zh"], "蓝牙耳机 降噪");
        assert_eq!(
            (&product["brand"], &product["category"]),
            (&json!("华为"), &json!("复查x1/耳机"))
        );
    }
    // A broken character refuses its line only.
    let mut broken = format!("{HEADER}\nX1-BR1,蓝牙耳机降噪,a,1\nX1-BR2,蓝牙").into_bytes();
    broken.extend(b"\xe8\x80,a,2\nX1-BR3,\xe9\xbc\xa0,a,3\n");
    assert_eq!(created_and_refused(&imported(&suite, broken).await), (2, vec![3]));
    let unknown = send(&suite, "", "text/csv; charset=klingon", HEADER).await;
    assert_eq!(problem_of(unknown).await.0, 415);
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delimiter_is_read_off_the_header() {
    let suite = Suite::start().await;
    let files = [
        ("text/csv", "sku;title_zh;category;price\nX1-DLS;保温杯;复查x1;49,00\n"),
        ("text/csv", "sku\ttitle_zh\tcategory\tprice\nX1-DLT\t保温杯\t复查x1\t49.00\n"),
        (
            "text/tab-separated-values",
            "sku\ttitle_zh\tcategory\tprice\nX1-DLV\t保温杯\t复查x1\t49.00\n",
        ),
    ];
    for (kind, body) in files {
        let import = imported_with(&suite, "", kind, body).await;
        assert_eq!(created_and_refused(&import), (1, vec![]), "{body}");
    }
    for sku in ["X1-DLS", "X1-DLT", "X1-DLV"] {
        let price = product(&suite, sku).await["variants"][0]["price"].clone();
        assert_eq!(price, json!({"amount": 4900, "currency": "CNY"}));
    }
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_product_belong_together() {
    let suite = Suite::start().await;
    let import = imported(
        &suite,
        "product,title_en,description_en,brand,category,option.Color,sku,price,images,status\n\
         tee,Plain Tee,Soft cotton,Acme,复查x1/Shirts,Green,X1-SHG,25,https://img.example/green.jpg,active\n\
         tee,,,,,Blue,X1-SHB,25,https://img.example/blue.jpg|https://img.example/back.jpg,\n\
         cap,Cap,,,复查x1/Caps,,X1-CAP,9,,\n\
         tee,,,,,Gray,X1-SHY,25,https://img.example/gray.jpg,\n\
         tee,,,,,,,,https://img.example/label.jpg,\n",
    )
    .await;
    assert_eq!(created_and_refused(&import), (2, vec![]));
    let tee = product(&suite, "X1-SHY").await;
    let pictures = ["green", "blue", "back", "gray", "label"];
    let pictures = pictures.map(|name| format!("https://img.example/{name}.jpg"));
    assert_eq!(tee["images"], json!(pictures));
    let colours: Vec<&Value> =
        tee["variants"].as_array().unwrap().iter().map(|one| &one["options"]["Color"]).collect();
    assert_eq!(colours, ["Green", "Blue", "Gray"]);
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_cells_are_passed_over() {
    let suite = Suite::start().await;
    let import =
        imported(&suite, "sku,title_zh,category,price,\nX1-PDA,折叠椅,复查x1,89.00,\n").await;
    assert_eq!(created_and_refused(&import), (1, vec![]));
    let body = format!("{HEADER}\nX1-PDB,折叠椅,复查x1,89.00\n,,,\n,,,\n");
    let import = imported(&suite, body).await;
    assert_eq!((created_and_refused(&import), &import["received"]), ((1, vec![]), &json!(1)));
    let import =
        imported(&suite, "sku,title_zh,category,price,\nX1-PDC,折叠椅,复查x1,89.00,x\n").await;
    assert_eq!(created_and_refused(&import), (0, vec![2]));
    assert_eq!(import["refusals"][0]["reason"], "column 5 has a value, but no name in the header");
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn currencies_have_their_own_decimals() {
    let suite = Suite::start().await;
    let import = imported(
        &suite,
        "sku,title_zh,category,price,currency\nX1-JPY,抹茶饼干,复查x1,1299,JPY\n\
         X1-KWD,藏红花,复查x1,1.234,KWD\nX1-YEN,饼干,复查x1,￥1299,JPY\nX1-RMB,茶,复查x1,5,RMB\n\
         X1-ZZZ,茶,复查x1,5,ZZZ\nX1-YUA,茶,复查x1,\"1,299.00元\",\nX1-EUR,茶,复查x1,250.00 EUR,\n",
    )
    .await;
    assert_eq!(created_and_refused(&import), (5, vec![5, 6]));
    let reason = import["refusals"][0]["reason"].as_str().unwrap();
    assert!(reason.ends_with("use CNY"), "{reason}");
    for (sku, amount, currency) in [
        ("X1-JPY", 1299, "JPY"),
        ("X1-KWD", 1234, "KWD"),
        ("X1-YEN", 1299, "JPY"),
        ("X1-YUA", 129_900, "CNY"),
        ("X1-EUR", 25_000, "EUR"),
    ] {
        let price = product(&suite, sku).await["variants"][0]["price"].clone();
        assert_eq!(price, json!({"amount": amount, "currency": currency}));
    }
    let mut foreign = keyboard("X1-POST");
    foreign["variants"][0]["price"]["currency"] = json!("RMB");
    let response = suite.request(Method::POST, "/v1/products").json(&foreign).send().await.unwrap();
    let (status, code, fields) = problem_of(response).await;
    assert_eq!((status, code.as_str()), (422, "validation_failed"));
    assert_eq!(fields, ["variants[0].price.currency"]);
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_categories_may_have_slashes() {
    let suite = Suite::start().await;
    let body = format!(
        "{HEADER}\nX1-CTA,音箱,复查x1/影音\\/娱乐,99\nX1-CTB,连帽衫,复查x1 > 服装 > 上衣,99\n"
    );
    assert_eq!(created_and_refused(&imported(&suite, body).await), (2, vec![]));
    assert_eq!(product(&suite, "X1-CTA").await["category"], "复查x1/影音／娱乐");
    assert_eq!(product(&suite, "X1-CTB").await["category"], "复查x1/服装/上衣");
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn html_in_descriptions_becomes_text() {
    let suite = Suite::start().await;
    let html = "<p class=\"zzclassx1\">护手霜&nbsp;<strong>滋润</strong></p><p>30 ml</p>";
    let body = format!(
        "sku,title,description,category,price\nX1-HTM,护手霜,\"{}\",a,9\n",
        html.replace('"', "\"\"")
    );
    assert_eq!(created_and_refused(&imported(&suite, body).await), (1, vec![]));
    let mut posted = keyboard("X1-HTP");
    posted["description"] = json!({"zh": html});
    suite.create(&posted).await;
    for sku in ["X1-HTM", "X1-HTP"] {
        let description = product(&suite, sku).await["description"].clone();
        assert_eq!(description, json!({"zh": "护手霜 滋润\n\n30 ml"}));
    }
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_understood_or_named() {
    let suite = Suite::start().await;
    let files = [
        "SKU, Title ,CATEGORY,Price\nH-1,茶杯,a,1\n",
        "货号,标题,类目,售价\nH-2,茶杯,a,1\n",
        "Product Code,Name,Category,Retail-Price,Vendor,EAN\nH-3,Cup,a,1,Acme,4006381333931\n",
    ];
    for file in files {
        assert_eq!(created_and_refused(&imported(&suite, file).await), (1, vec![]), "{file}");
    }
    assert_eq!(product(&suite, "H-1").await["title"], json!({"zh": "茶杯"}));
    assert_eq!(product(&suite, "H-3").await["title"], json!({"en": "Cup"}));

    let strange = "Artikel,title,category,price,Farbe,Lager\nH-4,Cup,a,1,rot,A7\n";
    let refused = problem_of(send(&suite, "", "text/csv", strange).await).await;
    let unknown = ["Artikel", "Farbe", "Lager"].map(str::to_owned).to_vec();
    assert_eq!(refused, (422, "invalid_header".to_owned(), unknown));
    let query = "?mapping=Artikel:sku,Farbe:option.color&unknown_columns=ignore";
    let import = imported_with(&suite, query, "text/csv", strange).await;
    assert_eq!(created_and_refused(&import), (1, vec![]));
    assert_eq!(messages(&import), [(1, "not applied: `Lager`; the columns are unknown")]);
    assert_eq!(product(&suite, "H-4").await["variants"][0]["options"], json!({"color": "rot"}));
    for (query, status, field) in [
        ("?mapping=Artikel:nothing", 400, "mapping"),
        ("?mapping=Artikel", 400, "mapping"),
        ("?mapping=Nothing:sku", 422, "mapping"),
        ("?preset=ebay", 400, "preset"),
        ("?unknown_columns=x", 400, "unknown_columns"),
        ("?currency=RMB", 400, "currency"),
        ("?utc_offset=east", 400, "utc_offset"),
        ("?colour=red", 400, "colour"),
    ] {
        let (found, _, fields) = problem_of(send(&suite, query, "text/csv", strange).await).await;
        assert_eq!((found, fields), (status, vec![field.to_owned()]), "{query}");
    }
    let lines = send(&suite, "?preset=shopify", "application/x-ndjson", "{}").await;
    assert_eq!(problem_of(lines).await.0, 400);
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_without_products_are_refused() {
    let suite = Suite::start().await;
    for (body, code) in [
        (Vec::new(), "empty_file"),
        (b"\r\n".to_vec(), "empty_file"),
        (HEADER.into(), "empty_file"),
        (format!("{HEADER}\n,,,\n").into(), "empty_file"),
        (b"sku\nA\n".to_vec(), "invalid_header"),
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x00".to_vec(), "not_a_product_file"),
        (b"\x89PNG\r\n\x1a\n\x00\x00".to_vec(), "not_a_product_file"),
        (vec![b','; 5_000], "empty_file"),
        ("x,".repeat(1_001).into(), "invalid_header"),
    ] {
        let (status, found, _) = problem_of(send(&suite, "", "text/csv", body).await).await;
        assert_eq!((status, found.as_str()), (422, code));
    }
    let left = r"do $$ begin if exists (select from import_chunk) then raise 'rows are left'; end if; end $$";
    suite.database.run(left).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn shopify_export_is_imported() {
    let suite = Suite::start().await;
    let import = imported(&suite, include_bytes!("../data/shopify.csv")).await;
    assert_eq!(created_and_refused(&import), (3, vec![]));
    assert_eq!(import["file"]["preset"], "shopify");
    let scarf = product(&suite, "SC-NAVY-L").await;
    assert_eq!(scarf["title"], json!({"en": "Wool scarf, ribbed"}));
    assert_eq!(scarf["description"], json!({"en": "Merino wool.\nDry clean at 30°"}));
    let category = "Apparel & Accessories/Clothing Accessories/Scarves";
    assert_eq!((&scarf["category"], &scarf["brand"]), (&json!(category), &json!("Nordlys")));
    assert_eq!(scarf["attributes"], json!({"tags": ["Winter", "Wool"], "type": "Scarves"}));
    let pictures = ["scarf-1", "scarf-2", "scarf-navy", "scarf-3"];
    let pictures = pictures.map(|name| format!("https://img.example/{name}.jpg"));
    assert_eq!(scarf["images"], json!(pictures));
    let variants = scarf["variants"].as_array().unwrap();
    assert_eq!(variants.len(), 3);
    assert_eq!(variants[0]["barcode"], "4006381333931");
    assert_eq!(variants[0]["compare_at_price"], json!({"amount": 7900, "currency": "CNY"}));
    let navy = json!({
        "sku": "SC-NAVY-L", "options": {"Color": "Navy", "Length": "Long"},
        "price": {"amount": 5900, "currency": "CNY"}
    });
    assert_eq!(variants[2], navy);
    let television = product(&suite, "TV55").await;
    assert_eq!(television["title"], json!({"en": "55\" television, OLED"}));
    assert_eq!(television["description"], json!({"en": "55\" panel\nHDMI & Wi-Fi"}));
    assert_eq!(television["variants"][0]["options"], json!({}));
    assert_eq!(product(&suite, "BOWL-OLD").await["status"], "archived");
    let warnings = messages(&import);
    for part in ["`Image Alt Text`", "currency"] {
        assert!(warnings.iter().any(|(line, text)| *line == 1 && text.contains(part)), "{part}");
    }
    let barcode = warnings.iter().find(|(line, _)| *line == 4).unwrap().1;
    assert!(barcode.starts_with("barcode left out: `4.00638E+12`"), "{barcode}");
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn woocommerce_export_is_imported() {
    let suite = Suite::start().await;
    let file = include_bytes!("../data/woocommerce.csv");
    let query = "?currency=EUR&utc_offset=%2B01:00";
    let import = imported_with(&suite, query, "text/csv", file).await;
    assert_eq!(created_and_refused(&import), (2, vec![6, 7]));
    assert_eq!(import["file"]["preset"], "woocommerce");
    let reasons: Vec<&str> =
        (0..2).map(|row| import["refusals"][row]["reason"].as_str().unwrap()).collect();
    assert!(reasons[0].contains("external"), "{reasons:?}");
    assert_eq!(reasons[1], "sku: is required");
    let boot = product(&suite, "boot-black-39").await;
    assert_eq!(boot["title"], json!({"en": "Rain boot"}));
    assert_eq!(boot["description"], json!({"en": "100 % rubber"}));
    assert_eq!(boot["category"], "Shoes/Boots");
    assert_eq!(boot["attributes"], json!({"categories": ["Sale"], "tags": ["rain"]}));
    assert_eq!(boot["images"].as_array().unwrap().len(), 2);
    let variant = |sku: &str, colour: &str, size: &str| {
        json!({
            "sku": sku, "options": {"Color": colour, "Size": size},
            "price": {"amount": 6000, "currency": "EUR"}
        })
    };
    let mut variants =
        [variant("boot-red-38", "Red", "38"), variant("boot-black-39", "Black", "39")];
    // It runs, because it has no dates.
    let reduced = json!({"amount": 5000, "currency": "EUR"});
    variants[1]["sale"] = json!({"price": reduced});
    variants[1]["current_price"] = reduced;
    assert_eq!(boot["variants"], json!(variants));
    let cup = product(&suite, "cup").await;
    assert_eq!(cup["attributes"], json!({"Material": "Glass"}));
    assert_eq!(cup["variants"][0]["price"]["amount"], 750);
    // The last day belongs to the sale.
    let sale = json!({
        "price": {"amount": 590, "currency": "EUR"},
        "starts_at": "2126-11-30T23:00:00Z", "ends_at": "2126-12-24T23:00:00Z"
    });
    assert_eq!(cup["variants"][0]["sale"], sale);
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn google_merchant_feed_is_imported() {
    let suite = Suite::start().await;
    let file = include_bytes!("../data/google_merchant.tsv");
    let import = imported_with(&suite, "", "text/tab-separated-values", file).await;
    assert_eq!(created_and_refused(&import), (3, vec![]));
    let lotion = product(&suite, "GM-1").await;
    assert_eq!(lotion["category"], "Beauty/Lotion");
    assert_eq!(lotion["images"].as_array().unwrap().len(), 3);
    let category = "Health & Beauty > Personal Care > Cosmetics > Skin Care";
    let attributes = json!({"condition": "new", "google_product_category": category});
    assert_eq!(lotion["attributes"], attributes);
    let variant = json!([{
        "sku": "GM-1", "options": {"size": "200 ml"}, "barcode": "4006381333955",
        "price": {"amount": 12_000, "currency": "CNY"},
        "sale": {"price": {"amount": 9_900, "currency": "CNY"}},
        "current_price": {"amount": 9_900, "currency": "CNY"}
    }]);
    assert_eq!(lotion["variants"], variant);
    let jacket = product(&suite, "GM-2-M").await;
    assert_eq!(jacket["variants"].as_array().unwrap().len(), 2);
    assert_eq!(jacket["variants"][1]["options"], json!({"color": "blue", "size": "M"}));
    let chair = product(&suite, "GM-3").await;
    assert_eq!(chair["variants"][0]["price"]["amount"], 249_900);
    assert_eq!(chair["attributes"], json!({"availability": "preorder", "condition": "used"}));
    let feed = "id\ttitle\tdescription\tlink\timage_link\tprice\tavailability\tbrand\tgtin\n\
        X1-GMF\tEau de parfum 100 ml\tFresh\thttps://shop.example/1\thttps://img.example/1.jpg\t250.00 CNY\tin stock\tAcme\t6901234567892";
    // A product needs a category, and the feed has none.
    for kind in ["text/tab-separated-values", "text/csv"] {
        let import = imported_with(&suite, "", kind, feed).await;
        assert_eq!(import["refused"], 0, "{import}");
        assert_eq!(product(&suite, "X1-GMF").await["category"], "未分类");
        assert_eq!(messages(&import).last().unwrap(), &(2, "no category; put into `未分类`"));
    }
    let query = "?category=Beauty/Perfume";
    imported_with(&suite, query, "text/csv", feed).await;
    assert_eq!(product(&suite, "X1-GMF").await["category"], "Beauty/Perfume");
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chinese_spreadsheet_is_imported() {
    let suite = Suite::start().await;
    let import = imported(&suite, include_bytes!("../data/excel_gb18030.csv")).await;
    assert_eq!(created_and_refused(&import), (2, vec![]));
    assert_eq!((messages(&import), &import["counted"]), (vec![], &json!(2)));
    assert_eq!(suite.counts(2).await, [("GB-001".to_owned(), 12), ("GB-002".to_owned(), 5)]);
    let keyboard = product(&suite, "GB-001").await;
    assert_eq!(keyboard["category"], "数码/电脑外设/键盘");
    assert_eq!(keyboard["variants"][0]["barcode"], "6901234567892");
    let mouse = product(&suite, "GB-002").await;
    assert_eq!(mouse["title"]["zh"], "“轻音”无线鼠标");
    assert_eq!(mouse["category"], "数码/电脑外设/鼠标");
    assert_eq!(mouse["variants"][0]["price"]["amount"], 9900);
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_of_accepted_rows_is_published() {
    let suite = Suite::start().await;
    let file = "sku,title,category,price,stock\nST-1,Cup,a,1,12\nST-2,Cup,a,1,-1\nST-3,Cup,a,1,1.5\n\
        ST-4,Cup,a,free,7\nST-5,Cup,a,1,\nST-6,Cup,a,1,0\n";
    let dry = imported_with(&suite, "?dry_run=true", "text/csv", file).await;
    assert_eq!((created_and_refused(&dry), &dry["counted"]), ((3, vec![3, 4, 5]), &json!(2)));
    let import = imported(&suite, file).await;
    assert_eq!((created_and_refused(&import), &import["counted"]), ((3, vec![3, 4, 5]), &json!(2)));
    let reason = import["refusals"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("stock: must be a whole number of pieces"), "{reason}");
    let expected = [("ST-1".to_owned(), 12), ("ST-6".to_owned(), 0)];
    assert_eq!(suite.counts(2).await, expected);

    // Products without a change are counted as well. A file of stock alone is enough.
    let stock = "货号,库存\nST-5,3\nST-1,\"1,299\"\nST-9,1\n";
    let import = imported_with(&suite, "?mode=merge", "text/csv", stock).await;
    assert_eq!(created_and_refused(&import), (0, vec![4]));
    assert_eq!(import["accepted"]["unchanged"], 2);
    let expected = [("ST-1", 12), ("ST-1", 1_299), ("ST-5", 3), ("ST-6", 0)];
    assert_eq!(suite.counts(4).await, expected.map(|(sku, count)| (sku.to_owned(), count)));
    suite.settled().await;
    assert_eq!((suite.counts(4).await.len(), suite.received().len()), (4, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn sale_prices_are_imported() {
    let suite = Suite::start().await;
    let header = "sku,title,category,price,compare_at_price,sale_price,sale_start,sale_end";
    let import = imported(
        &suite,
        format!(
            "{header}\nSP-1,Cup,a,100,120,80,2126-12-01T10:00+0800,2126-12-24\n\
             SP-2,Cup,a,100,100,100,,\nSP-3,Cup,a,100,0,,,\nSP-4,Cup,a,100,90,,,\n\
             SP-5,Cup,a,100,,101,,\nSP-6,Cup,a,100,,0,,\nSP-7,Cup,a,100,,80,soon,\n\
             SP-8,Cup,a,100,,80,2126-12-02,2126-12-01\nSP-9,Cup,a,100 EUR,120,\"80,00\",,\n\
             SP-10,Cup,a,100,,80 EUR,,\nSP-11,Cup,a,100,,,2126-12-01,\n"
        ),
    )
    .await;
    assert_eq!(created_and_refused(&import), (5, vec![5, 6, 7, 8, 9, 11]));
    let reasons: Vec<&str> = import["refusals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["reason"].as_str().unwrap())
        .collect();
    let expected = [
        "compare_at_price: must be more than the price",
        "sale_price: must be less than the price",
        "sale_price: is zero; leave the cell empty if there is no sale",
        "sale_start: must be a time such as 2026-12-01T10:00+08:00, or a day such as 2026-12-01",
        "variants[0].sale.ends_at: must be later than starts_at",
        "variants[0].sale.price.currency: must be CNY, the currency of the price",
    ];
    assert_eq!(reasons, expected);
    let warning = "the times of a sale have no sale_price; not applied";
    assert_eq!(messages(&import), [(12, warning)]);
    let yuan = |amount: i64| json!({"amount": amount, "currency": "CNY"});
    let first = product(&suite, "SP-1").await["variants"][0].clone();
    let sale = json!({
        "price": yuan(8_000),
        "starts_at": "2126-12-01T02:00:00Z", "ends_at": "2126-12-24T16:00:00Z"
    });
    assert_eq!((&first["compare_at_price"], &first["sale"]), (&yuan(12_000), &sale));
    for sku in ["SP-2", "SP-3", "SP-11"] {
        let variant = product(&suite, sku).await["variants"][0].clone();
        assert_eq!((variant.get("compare_at_price"), variant.get("sale")), (None, None));
    }
    let foreign = product(&suite, "SP-9").await["variants"][0].clone();
    assert_eq!(foreign["sale"]["price"], json!({"amount": 8_000, "currency": "EUR"}));

    // A price list keeps them, changes one, or is refused; a dry run shows them.
    let prices = "sku,price\nSP-1,110\nSP-9,70 EUR\n";
    let import = imported_with(&suite, "?mode=merge", "text/csv", prices).await;
    assert_eq!(created_and_refused(&import), (0, vec![3]));
    assert_eq!(product(&suite, "SP-1").await["variants"][0]["sale"], sale);
    let sales = "sku,sale_price,sale_end\nSP-1,75,2126-12-31\nSP-2,,2126-12-31\n";
    let query = "?mode=merge&dry_run=true";
    let import = imported_with(&suite, query, "text/csv", sales).await;
    assert_eq!(created_and_refused(&import), (0, vec![3]));
    let changes = json!([
        {
            "field": "variants.SP-1.sale.ends_at",
            "from": "2126-12-24T16:00:00Z", "to": "2126-12-31T16:00:00Z"
        },
        {"field": "variants.SP-1.sale.price", "from": "80.00 CNY", "to": "75.00 CNY"},
    ]);
    assert_eq!(import["preview"][0]["changes"], changes);
    let whole = "sku,title,category,price\nSP-1,Cup,a,110\n";
    let import = imported(&suite, whole).await;
    let reason = import["refusals"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("compare_at_price, sale_price;"), "{reason}");
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sale_that_has_ended_is_left_out_with_a_warning() {
    let suite = Suite::start().await;
    let file = "sku,title,category,price,sale_price,sale_end\nOV-1,Cup,a,10,8,2020-01-31\n";
    let import = imported(&suite, file).await;
    assert_eq!(created_and_refused(&import), (1, vec![]));
    assert_eq!(messages(&import), [(2, "a sale that has ended was left out")]);
    assert_eq!(product(&suite, "OV-1").await["variants"][0].get("sale"), None);
    let again = imported(&suite, file).await;
    assert_eq!(again["accepted"]["unchanged"], 1);
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_of_a_merchant_feed_are_intervals() {
    let suite = Suite::start().await;
    let feed = "id\ttitle\tlink\timage_link\tprice\tsale_price\tsale_price_effective_date\n\
        GI-1\tCup\thttps://s.example/1\thttps://i.example/1.jpg\t9.00 CNY\t8.00 CNY\t\
        2126-12-01T00:00+0800/2126-12-24T23:59+0800\n\
        GI-2\tCup\thttps://s.example/1\thttps://i.example/1.jpg\t9.00 CNY\t9.50 CNY\t\n\
        GI-3\tCup\thttps://s.example/1\thttps://i.example/1.jpg\t9.00 CNY\t8.00 CNY\t2126-12-01\n";
    let import = imported_with(&suite, "", "text/tab-separated-values", feed).await;
    assert_eq!(created_and_refused(&import), (2, vec![4]));
    let sale = product(&suite, "GI-1").await["variants"][0]["sale"].clone();
    assert_eq!(sale["starts_at"], "2126-11-30T16:00:00Z");
    assert_eq!(sale["ends_at"], "2126-12-24T15:59:00Z");
    let warning = (3, "sale_price: must be less than the price; not applied");
    assert!(messages(&import).contains(&warning), "{import}");
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn barcodes_are_verified() {
    let suite = Suite::start().await;
    let import = imported(
        &suite,
        "sku,title,category,price,barcode\nB-1,A,a,1,6901234567892\nB-2,A,a,1,6901234567890\n\
         B-3,A,a,1,3.65275E+11\nB-4,A,a,1,'036000291452\n",
    )
    .await;
    assert_eq!(created_and_refused(&import), (2, vec![3, 4]));
    assert_eq!(import["refusals"][0]["reason"], "barcode: `6901234567890` has a wrong check digit");
    assert_eq!(product(&suite, "B-4").await["variants"][0]["barcode"], "036000291452");
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_file_empties_nothing_without_a_word() {
    let suite = Suite::start().await;
    let mut pack = keyboard("X1-PA1");
    let mut second = keyboard("X1-PA2")["variants"][0].clone();
    second["options"]["颜色"] = json!("蓝");
    pack["variants"].as_array_mut().unwrap().push(second);
    let (before, _) = suite.create(&pack).await;
    let file = "sku,title_zh,category,price\nX1-PA1,登山包 40 升,复查x1,259.00\n";

    let import = imported(&suite, file).await;
    assert_eq!(created_and_refused(&import), (0, vec![2]));
    let reason = import["refusals"][0]["reason"].as_str().unwrap();
    for part in ["description_en", "brand", "images", "the variant X1-PA2", "?mode=merge"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(product(&suite, "X1-PA1").await, before);

    let import = imported_with(&suite, "?mode=merge", "text/csv", file).await;
    assert_eq!(import["accepted"], json!({"created": 0, "updated": 1, "unchanged": 0}));
    let merged = product(&suite, "X1-PA2").await;
    for field in ["description", "brand", "images", "attributes"] {
        assert_eq!(merged[field], before[field]);
    }
    let title = json!({"zh": "登山包 40 升", "en": "Mechanical keyboard"});
    assert_eq!((&merged["title"], &merged["category"]), (&title, &json!("复查x1")));
    assert_eq!(merged["variants"][0]["price"]["amount"], 25_900);
    assert_eq!(merged["variants"][1], before["variants"][1]);

    // New prices only; a product that does not exist needs more.
    let prices = "sku,price\nX1-PA2,199\nX1-PA9,1\n";
    let refused = problem_of(send(&suite, "", "text/csv", prices).await).await;
    assert_eq!((refused.0, refused.1.as_str()), (422, "invalid_header"));
    let import = imported_with(&suite, "?mode=merge", "text/csv", prices).await;
    assert_eq!(created_and_refused(&import), (0, vec![3]));
    assert_eq!(product(&suite, "X1-PA2").await["variants"][1]["price"]["amount"], 19_900);

    let import = imported_with(&suite, "?mode=replace", "text/csv", file).await;
    assert_eq!(import["accepted"]["updated"], 1);
    let replaced = product(&suite, "X1-PA1").await;
    assert_eq!((&replaced["brand"], &replaced["images"]), (&Value::Null, &json!([])));
    assert_eq!(replaced["variants"].as_array().unwrap().len(), 1);
    // The same file again loses nothing more.
    let import = imported(&suite, file).await;
    assert_eq!(import["accepted"]["unchanged"], 1);
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_writes_nothing() {
    let suite = Suite::start().await;
    let (before, _) = suite.create(&keyboard("D-1")).await;
    let file =
        "sku,title_en,category,price\nD-1,Quiet keyboard,a,99\nD-2,Mouse,a,5\nD-3,Cup,a,free\n";
    let import = imported_with(&suite, "?mode=merge&dry_run=true", "text/csv", file).await;
    assert_eq!((&import["dry_run"], created_and_refused(&import)), (&json!(true), (1, vec![4])));
    assert_eq!(import["accepted"]["updated"], 1);
    let preview = import["preview"].as_array().unwrap();
    assert_eq!((&preview[0]["line"], &preview[0]["product_id"]), (&json!(2), &before["id"]));
    let changes = json!([
        {"field": "category", "from": "数码/电脑外设/机械键盘", "to": "a"},
        {"field": "title.en", "from": "Mechanical keyboard", "to": "Quiet keyboard"},
        {"field": "variants.D-1.price", "from": "129.00 CNY", "to": "99.00 CNY"},
    ]);
    assert_eq!(preview[0]["changes"], changes);
    assert_eq!((&preview[1]["line"], &preview[1]["product_id"]), (&json!(3), &Value::Null));
    assert_eq!(product(&suite, "D-1").await, before);
    assert_eq!(product(&suite, "D-2").await, Value::Null);
    suite.settled().await;
    assert_eq!(suite.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_sees_earlier_rows() {
    let suite = Suite::start().await;
    let mut pair = keyboard("DE-1");
    pair["variants"].as_array_mut().unwrap().push(keyboard("DE-2")["variants"][0].clone());
    let (before, _) = suite.create(&pair).await;
    // The first row frees DE-2, and DE-9 is created before it changes.
    let file = "sku,title,category,price\nDE-1,Key,a,1\nDE-2,Free,a,2\nDE-9,New,a,3\nDE-9,Newer,a,4\n\
        DE-9,Newer,a,4\n";
    let dry = imported_with(&suite, "?mode=replace&dry_run=true", "text/csv", file).await;
    let expected = json!({"created": 2, "updated": 2, "unchanged": 1});
    assert_eq!((&dry["accepted"], &dry["refused"]), (&expected, &json!(0)), "{dry}");
    let preview = dry["preview"].as_array().unwrap();
    let products: Vec<&Value> = preview.iter().map(|one| &one["product_id"]).collect();
    assert_eq!(products, [&before["id"], &Value::Null, &Value::Null, &Value::Null]);
    let changes = json!([
        {"field": "title.en", "from": "New", "to": "Newer"},
        {"field": "variants.DE-9.price", "from": "3.00 CNY", "to": "4.00 CNY"},
    ]);
    assert_eq!(preview[3]["changes"], changes);
    let left = r"do $$ begin if exists (select from import_overlay) or exists (select from import_overlay_sku) then raise 'rows are left'; end if; end $$";
    suite.database.run(left).await.unwrap();
    assert_eq!(product(&suite, "DE-1").await, before);
    let import = imported_with(&suite, "?mode=replace", "text/csv", file).await;
    assert_eq!(import["accepted"], expected);
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_files_are_refused_as_a_whole_or_by_line() {
    let suite = Suite::start().await;
    let columns =
        |count: usize| format!("sku,title,category,price{}\nA,T,a,1\n", ",x".repeat(count));
    for (name, file, code) in [
        ("100,000 columns", columns(100_000).into_bytes(), "invalid_header"),
        ("a million columns", columns(1_000_000).into_bytes(), "not_a_product_file"),
        ("a header of 10 MB", "x".repeat(10 * 1024 * 1024).into_bytes(), "not_a_product_file"),
        ("Latin-1", b"sku,title,category,price\nA,Caf\xe9s,a,1\n".to_vec(), "not_a_product_file"),
    ] {
        let (status, found, _) = problem_of(send(&suite, "", "text/csv", file).await).await;
        assert_eq!((status, found.as_str()), (422, code), "{name}");
    }
    // A cell of 10 MB, open or closed, refuses its line; so do lines in another encoding.
    let large = "x".repeat(10 * 1024 * 1024);
    for (cell, prefix) in [(large.clone(), "P"), (format!("\"{large}\""), "C")] {
        let file =
            format!("{HEADER}\n{prefix}-1,杯,a,1\n{prefix}-2,{cell},a,1\n{prefix}-3,碗,a,1\n");
        assert_eq!(created_and_refused(&imported(&suite, file).await), (2, vec![3]));
    }
    let mut mixed = format!("{HEADER}\nM-1,蓝牙耳机,a,1\nM-2,").into_bytes();
    mixed.extend(b"\xce\xde\xcf\xdf\xca\xf3\xb1\xea,a,1\nM-3,");
    mixed.extend("键盘,a,1\n".as_bytes());
    assert_eq!(created_and_refused(&imported(&suite, mixed).await), (1, vec![2, 4]));
    let latin = b"sku,title,category,price\nLA-1,Caf\xe9s,a,1\n";
    let import = imported_with(&suite, "", "text/csv; charset=iso-8859-1", latin.as_slice()).await;
    assert_eq!(created_and_refused(&import), (1, vec![]));
    assert_eq!(product(&suite, "LA-1").await["title"]["en"], "Cafés");
    suite.settled().await;
}

/// The resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn large_file_is_received_in_bounded_memory() {
    const ROWS: u64 = 50_000;
    let suite = Suite::start().await;
    let description = "long ".repeat(200);
    // Every row is the same product, so that the import after the upload is fast.
    let row = format!("BIG-1,Cup,a,free,{description}\n");
    let header = "sku,title,category,price,description\n".to_owned();
    let size = ROWS * u64::try_from(row.len()).unwrap();
    assert!(size > 50_000_000);
    let pieces = std::iter::once(header).chain((0..ROWS / 10).map(move |_| row.repeat(10)));
    let pieces = futures::stream::iter(pieces.map(Ok::<_, std::io::Error>));
    let before = resident();
    let request = suite.request(Method::POST, "/v1/imports?dry_run=true");
    let request = request.header("content-type", "text/csv");
    let sending = request.body(reqwest::Body::wrap_stream(pieces)).send();
    let (done, mut ended) = tokio::sync::oneshot::channel();
    let watching = async move {
        let mut most = 0;
        while ended.try_recv().is_err() {
            most = most.max(resident());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        most
    };
    let sending = async {
        let response = sending.await.unwrap();
        done.send(()).unwrap();
        response
    };
    let (response, most) = tokio::join!(sending, watching);
    assert_eq!(response.status(), 202);
    // The reader holds up to 16 MiB of rows. Other tests may run in the same process, unless nextest runs them.
    if std::env::var_os("NEXTEST").is_some() {
        assert!(most < before + size / 2, "{before} bytes grew to {most}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workbook_is_imported_like_a_text_file() {
    const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    let suite = Suite::start().await;
    let file = include_bytes!("../data/products.xlsx");
    let import = imported_with(&suite, "", XLSX, file).await;
    assert_eq!(created_and_refused(&import), (2, vec![5]));
    assert_eq!(import["file"]["encoding"], "XLSX");
    let keyboard = product(&suite, "XL-1").await;
    assert_eq!(keyboard["title"], json!({"zh": "机械键盘"}));
    let variant = &keyboard["variants"][0];
    assert_eq!(variant["barcode"], "6901234567892");
    assert_eq!(variant["price"], json!({"amount": 5_997, "currency": "CNY"}));
    assert_eq!(variant["sale"]["ends_at"], "2126-12-24T16:00:00Z");
    assert_eq!(suite.counts(2).await, [("XL-1".to_owned(), 12), ("XL-2".to_owned(), 0)]);
    let import = imported_with(&suite, "?sheet=价格&mode=merge", XLSX, file).await;
    assert_eq!(import["accepted"]["updated"], 1, "{import}");
    assert_eq!(product(&suite, "XL-1").await["variants"][0]["price"]["amount"], 4_900);
    for (query, kind, body, status, code) in [
        ("?sheet=Nothing", XLSX, file.as_slice(), 422, "unknown_sheet"),
        ("", XLSX, b"sku,title\nA,B\n", 422, "not_a_product_file"),
        ("", XLSX, b"", 422, "empty_file"),
        ("", "text/csv", file, 422, "not_a_product_file"),
        ("?sheet=x", "text/csv", b"sku", 400, "invalid_query"),
        ("?sheet=x", "application/x-ndjson", b"{}", 400, "invalid_query"),
    ] {
        let response = send(&suite, query, kind, body).await;
        let (found, found_code, _) = problem_of(response).await;
        assert_eq!((found, found_code.as_str()), (status, code), "{query}");
    }
    let large = send(&suite, "", XLSX, vec![0; 64 * 1024 * 1024 + 1]).await;
    assert_eq!(problem_of(large).await.0, 413);
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_rows_are_a_file_to_correct() {
    let suite = Suite::start().await;
    let file = "sku,title,category,price\nR-1,=1+1,a,free\nR-2,Cup,a,5\nR-3,\"a, b\"\n";
    let import = imported(&suite, file).await;
    assert_eq!(created_and_refused(&import), (1, vec![2, 4]));
    let path = format!("/v1/imports/{}/refused.csv", import["id"].as_str().unwrap());
    let response = suite.anonymous(Method::GET, &path).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    let refused = String::from_utf8(response.bytes().await.unwrap().to_vec()).unwrap();
    let expected = "\u{feff}refused_line,refused_reason,sku,title,category,price\n\
        2,price: must be a number such as 129.00,R-1,'=1+1,a,free\n\
        4,\"the row has 2 cells, the header 4\",R-3,\"a, b\"\n";
    assert_eq!(refused, expected);
    let corrected = refused.replace("free", "7").replace("\"a, b\"", "\"a, b\",c,8");
    let import = imported(&suite, corrected).await;
    assert_eq!(created_and_refused(&import), (2, vec![]));
    assert_eq!(product(&suite, "R-1").await["title"], json!({"en": "=1+1"}));
    let lines = imported_with(&suite, "", "application/x-ndjson", "{}\n").await;
    let path = format!("/v1/imports/{}/refused.csv", lines["id"].as_str().unwrap());
    let refused = suite.anonymous(Method::GET, &path).send().await.unwrap().text().await.unwrap();
    assert!(refused.ends_with(",{}\n"), "{refused}");
    let unknown = "/v1/imports/00000000-0000-7000-8000-000000000000/refused.csv";
    let unknown = suite.anonymous(Method::GET, unknown).send().await.unwrap();
    assert_eq!(problem_of(unknown).await.0, 404);
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_are_listed_newest_first() {
    let suite = Suite::start().await;
    let mut ids = Vec::new();
    for number in 0..3 {
        let import = imported(&suite, format!("{HEADER}\nL-{number},杯,a,1\n")).await;
        ids.insert(0, import["id"].clone());
    }
    let first = suite.get("/v1/imports?limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = suite.get(&format!("/v1/imports?limit=2&cursor={cursor}")).await;
    let items =
        first["items"].as_array().unwrap().iter().chain(second["items"].as_array().unwrap());
    let found: Vec<Value> = items.map(|import| import["id"].clone()).collect();
    assert_eq!((found, &second["next_cursor"]), (ids, &Value::Null));
    assert_eq!(first["items"][0]["accepted"]["created"], 1);
    for query in ["limit=0", "limit=101", "cursor=x"] {
        let path = format!("/v1/imports?{query}");
        let response = suite.anonymous(Method::GET, &path).send().await.unwrap();
        assert_eq!(problem_of(response).await.0, 400);
    }
    suite.settled().await;
}
