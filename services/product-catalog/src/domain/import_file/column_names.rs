//! The names of columns in Chinese and English.

use super::{column::Column, header_name::normalised};

/// The meaning of a normalised name; none if it is unknown.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn column_of_name(name: &str) -> Option<Column> {
    Some(match name {
        "product" | "product id" | "product group" | "parent sku" | "item group id" | "handle"
        | "spu" | "spu编码" | "款号" | "商品组" | "商品款号" => Column::Product,
        "sku" | "sku code" | "sku id" | "sku编码" | "sku码" | "variant sku" | "item sku"
        | "product code" | "item code" | "article number" | "item number" | "part number"
        | "商品编码" | "商品编号" | "商品货号" | "商家编码" | "规格编码" | "产品编码"
        | "产品编号" | "货号" | "编码" | "编号" => Column::Sku,
        "title zh" | "name zh" | "chinese title" | "chinese name" | "商品名称" | "商品标题"
        | "商品名" | "产品名称" | "中文名称" | "中文标题" | "标题" | "名称" | "品名" => {
            Column::TitleZh
        }
        "title en" | "name en" | "english title" | "english name" | "英文名称" | "英文标题"
        | "英文名" | "英文商品名称" => Column::TitleEn,
        "title" | "name" | "product name" | "product title" | "item name" => Column::Title,
        "description zh"
        | "chinese description"
        | "描述"
        | "详情"
        | "商品描述"
        | "商品详情"
        | "产品描述"
        | "产品详情"
        | "介绍"
        | "商品介绍"
        | "简介"
        | "中文描述"
        | "中文详情" => Column::DescriptionZh,
        "description en" | "english description" | "英文描述" | "英文详情" | "英文介绍" => {
            Column::DescriptionEn
        }
        "description"
        | "product description"
        | "long description"
        | "details"
        | "body"
        | "body html"
        | "body (html)" => Column::Description,
        "short description" | "summary" => Column::ShortDescription,
        "brand" | "brand name" | "vendor" | "manufacturer" | "品牌" | "品牌名称" | "厂商"
        | "厂家" | "制造商" => Column::Brand,
        "category" | "categories" | "category path" | "product category" | "product type"
        | "分类" | "类目" | "类别" | "品类" | "商品分类" | "商品类目" | "商品类别" | "产品分类" => {
            Column::Category
        }
        "status" | "product status" | "状态" | "商品状态" | "上架状态" | "销售状态" => {
            Column::Status
        }
        "price" | "unit price" | "selling price" | "sales price" | "retail price"
        | "regular price" | "variant price" | "价格" | "售价" | "销售价" | "销售价格" | "单价"
        | "零售价" | "商品价格" | "价钱" | "现价" => Column::Price,
        "currency" | "currency code" | "货币" | "币种" | "货币代码" | "货币单位" => {
            Column::Currency
        }
        "compare at price"
        | "variant compare at price"
        | "list price"
        | "original price"
        | "msrp"
        | "rrp"
        | "原价"
        | "划线价"
        | "划线价格"
        | "市场价"
        | "吊牌价" => Column::ComparePrice,
        "sale price" | "special price" | "promotion price" | "促销价" | "促销价格" | "活动价"
        | "特价" | "优惠价" => Column::SalePrice,
        "sale start"
        | "sale starts"
        | "sale starts at"
        | "sale start date"
        | "sale from"
        | "sale price start"
        | "sale price start date"
        | "special price from"
        | "date sale price starts"
        | "促销开始"
        | "促销开始时间"
        | "促销开始日期"
        | "活动开始时间"
        | "活动开始日期" => Column::SaleStart,
        "sale end"
        | "sale ends"
        | "sale ends at"
        | "sale end date"
        | "sale to"
        | "sale price end"
        | "sale price end date"
        | "special price to"
        | "date sale price ends"
        | "促销结束"
        | "促销结束时间"
        | "促销结束日期"
        | "活动结束时间"
        | "活动结束日期" => Column::SaleEnd,
        "sale price effective date" => Column::SaleInterval,
        "barcode" | "bar code" | "ean" | "ean13" | "ean 13" | "ean code" | "gtin" | "gtin13"
        | "upc" | "isbn" | "jan" | "variant barcode" | "条码" | "条形码" | "商品条码"
        | "商品条形码" | "国标码" | "69码" => Column::Barcode,
        "images"
        | "image"
        | "image url"
        | "image urls"
        | "image link"
        | "image src"
        | "image links"
        | "additional image link"
        | "picture"
        | "pictures"
        | "photo"
        | "photos"
        | "main image"
        | "图片"
        | "主图"
        | "商品图片"
        | "商品主图"
        | "图片链接"
        | "图片地址"
        | "图片网址"
        | "主图链接"
        | "附图"
        | "图集" => Column::Images,
        "stock" | "stock quantity" | "quantity" | "qty" | "inventory" | "inventory quantity"
        | "on hand" | "available" | "库存" | "库存数量" | "库存量" | "数量" | "现货"
        | "商品库存" => Column::Stock,
        "tags" | "tag" | "keywords" | "标签" | "关键词" => Column::List("tags".to_owned()),
        // The columns that a file of refused rows has besides its own.
        "refused line" | "refused reason" => Column::Passed,
        _ => return None,
    })
}

/// The column that a mapping names, such as `title_zh` or `option.颜色`; `ignore` passes a column over.
pub(super) fn column_of_target(target: &str) -> Option<Column> {
    let target = target.trim();
    if target.eq_ignore_ascii_case("ignore") {
        return Some(Column::Ignored);
    }
    column_of_prefix(target).or_else(|| column_of_name(&normalised(target)))
}

/// `attr.<name>` or `option.<name>`.
pub(super) fn column_of_prefix(name: &str) -> Option<Column> {
    let (prefix, rest) = name.split_once('.')?;
    let rest = rest.trim();
    if rest.is_empty() {
        return None;
    }
    match prefix.trim().to_lowercase().as_str() {
        "attr" | "attribute" | "属性" => Some(Column::Attribute(rest.to_owned())),
        "option" | "选项" | "规格" => Some(Column::Option(rest.to_owned())),
        _ => None,
    }
}
