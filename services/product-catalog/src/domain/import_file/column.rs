//! The meanings of columns.

/// The meaning of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    /// Joins rows into one product; not stored.
    Product,
    Sku,
    /// In the language of its text, as [`Description`](Self::Description).
    Title,
    TitleZh,
    TitleEn,
    Description,
    DescriptionZh,
    DescriptionEn,
    /// The description, if there is no other.
    ShortDescription,
    Brand,
    Category,
    /// The category if there is no other, otherwise an attribute of this name.
    CategoryFallback(String),
    /// Several categories, separated by commas.
    Categories,
    Status,
    /// The status as yes or no.
    Published,
    /// In major units, such as `129.00`.
    Price,
    Currency,
    /// A higher price, shown struck through.
    ComparePrice,
    /// A lower price for a time.
    SalePrice,
    SaleStart,
    SaleEnd,
    /// Start and end of a sale, with a slash between.
    SaleInterval,
    Barcode,
    /// URLs.
    Images,
    /// A number of pieces; inventory applies it.
    Stock,
    /// Whether a product can be bought; not applied, except announced products.
    Availability,
    /// `attr.<name>`.
    Attribute(String),
    /// An attribute of several texts, separated by commas.
    List(String),
    /// `option.<name>`.
    Option(String),
    /// The name of the option with this number; it counts for all rows of a product.
    OptionName(u8),
    OptionValue(u8),
    /// The number of a row, by which variants name their product.
    RecordId,
    /// `simple`, `variable`, `variation` and others.
    RecordType,
    /// The SKU or the number of the product of a variant.
    Parent,
    /// Known, and without a place in the catalogue.
    Passed,
    /// Ignored as the client wishes.
    Ignored,
    /// Without a name; its cells must be empty.
    Unnamed,
}

impl Column {
    /// Whether a file may have several columns of this meaning.
    pub(super) const fn may_repeat(&self) -> bool {
        matches!(
            self,
            Self::Images
                | Self::Passed
                | Self::Ignored
                | Self::Unnamed
                | Self::Stock
                | Self::ComparePrice
                | Self::SalePrice
        )
    }

    /// Whether values of the column have no place in the catalogue.
    pub(super) const fn is_not_applied(&self) -> bool {
        matches!(self, Self::Passed | Self::Ignored | Self::Availability)
    }
}
