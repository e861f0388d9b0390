//! From a row of the projection to a change of the index.

use crate::{
    domain::{Content, State},
    index::{Attribute, Change, Document, Localized, Price},
    storage::documents::Row,
};

/// What a row means for the index: products that are for sale are in it, all others are not.
pub(super) fn change(row: &Row) -> Change {
    let gone = || Change::Delete(row.product_id);
    let (true, Some(body)) = (row.state == State::Active.as_str(), &row.body) else {
        return gone();
    };
    match serde_json::from_str(body) {
        Ok(content) => Change::Upsert(Box::new(document(row, content))),
        Err(error) => {
            // Written by this program or an older one; the next change of the product writes it anew.
            tracing::error!(product = %row.product_id, %error, "a document cannot be read, and is left out");
            gone()
        }
    }
}

fn document(row: &Row, content: Content) -> Document {
    let Content { title, description, brand, category, attributes, variants } = content;
    let price = |variant: &crate::domain::Variant| Price {
        amount: variant.price.amount(),
        currency: variant.price.currency().to_string(),
    };
    let localized = |text: vocabulary::Localized| Localized { zh: text.zh, en: text.en };
    Document {
        product_id: row.product_id,
        version: row.version,
        title: localized(title),
        description: localized(description),
        brand: brand.unwrap_or_default(),
        category,
        attributes: attributes
            .into_iter()
            .filter_map(|(name, value)| Some((name, Attribute::from_json(&value)?)))
            .collect(),
        skus: variants.iter().map(|variant| variant.sku.to_string()).collect(),
        price_min: variants.iter().map(price).min_by_key(|price| price.amount),
        price_max: variants.iter().map(price).max_by_key(|price| price.amount),
        in_stock: row.in_stock,
        popularity: row.popularity,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::change;
    use crate::{index::Change, storage::documents::Row};

    fn row(state: &str, body: Option<&str>) -> Row {
        Row {
            product_id: Uuid::from_u128(7),
            version: 3,
            state: state.to_owned(),
            body: body.map(str::to_owned),
            in_stock: true,
            popularity: 2.0,
            change: 9,
        }
    }

    #[test]
    fn only_what_is_for_sale_is_in_the_index() {
        let body = r#"{"title":{"zh":"键盘"},"category":"a/b","attributes":{"键数":87},"variants":[
            {"sku":"A","price":{"amount":300,"currency":"CNY"}},
            {"sku":"B","price":{"amount":100,"currency":"CNY"}}]}"#;
        let Change::Upsert(document) = change(&row("active", Some(body))) else {
            panic!("deleted")
        };
        let amounts = (document.price_min.unwrap().amount, document.price_max.unwrap().amount);
        assert_eq!((document.version, amounts), (3, (100, 300)));
        assert_eq!((document.skus.len(), document.attributes.len()), (2, 1));
        for (state, body) in [
            ("draft", Some(body)),
            ("archived", Some(body)),
            ("deleted", None),
            ("active", Some("{")),
        ] {
            assert_eq!(change(&row(state, body)), Change::Delete(Uuid::from_u128(7)), "{state}");
        }
    }
}
