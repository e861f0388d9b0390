//! Attributes: free-form facts about a product.

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Attribute {
    Flag(bool),
    Number(Number),
    Text(String),
    Texts(Vec<String>),
}

/// A JSON number. Integers and decimals are distinct, so 6 and 6.0 stay as written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Unsigned(u64),
    /// Only for negative numbers.
    Signed(i64),
    Decimal(f64),
}
