//! Colours that many kinds share.

use crate::kind::{Value, option};

pub(super) const BLACK: Value = option("BLK", "黑色", "black");
pub(super) const WHITE: Value = option("WHT", "白色", "white");
pub(super) const GREY: Value = option("GRY", "灰色", "grey");
pub(super) const SILVER: Value = option("SLV", "银色", "silver");
pub(super) const BLUE: Value = option("BLU", "蓝色", "blue");
pub(super) const NAVY: Value = option("NVY", "藏青色", "navy");
pub(super) const GREEN: Value = option("GRN", "绿色", "green");
pub(super) const ARMY_GREEN: Value = option("ARM", "军绿色", "army green");
pub(super) const RED: Value = option("RED", "红色", "red");
pub(super) const PINK: Value = option("PNK", "粉色", "pink");
pub(super) const PURPLE: Value = option("PUR", "紫色", "purple");
pub(super) const ORANGE: Value = option("ORG", "橙色", "orange");
pub(super) const YELLOW: Value = option("YLW", "黄色", "yellow");
pub(super) const BEIGE: Value = option("BGE", "米色", "beige");
pub(super) const KHAKI: Value = option("KHK", "卡其色", "khaki");
pub(super) const BROWN: Value = option("BRN", "棕色", "brown");
