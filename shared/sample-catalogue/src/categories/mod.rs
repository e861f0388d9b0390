//! The vocabulary of the shop, one file per family of categories.

mod audio;
mod baby;
mod beauty;
mod books;
mod clothing;
mod colours;
mod computers;
mod drinks;
mod household;
mod outdoor;
mod peripherals;
mod phones;
mod shoes_and_bags;
mod snacks;
mod toys;

use crate::kind::Kind;

/// Every kind of product that the shop sells.
pub(crate) const KINDS: &[Kind] = &[
    peripherals::MECHANICAL_KEYBOARD,
    peripherals::WIRELESS_MOUSE,
    peripherals::MONITOR,
    computers::LAPTOP,
    computers::MACBOOK,
    computers::TABLET,
    computers::IPAD,
    phones::ANDROID_PHONE,
    phones::IPHONE,
    phones::IPHONE_CASE,
    phones::HUAWEI_CASE,
    phones::XIAOMI_CASE,
    phones::POWER_BANK,
    phones::CHARGER,
    phones::SMART_WATCH,
    audio::EARBUDS,
    audio::HEADPHONES,
    audio::SPEAKER,
    shoes_and_bags::MENS_RUNNING_SHOES,
    shoes_and_bags::WOMENS_RUNNING_SHOES,
    shoes_and_bags::BACKPACK,
    clothing::MENS_DOWN_JACKET,
    clothing::WOMENS_DOWN_JACKET,
    clothing::T_SHIRT,
    beauty::FACE_CREAM,
    beauty::SUNSCREEN,
    beauty::CLEANSER,
    drinks::GREEN_TEA,
    drinks::DARK_TEA,
    drinks::COFFEE_BEANS,
    drinks::DRIP_COFFEE,
    snacks::NUTS,
    snacks::BISCUITS,
    toys::BUILDING_BLOCKS,
    toys::PLUSH,
    baby::NAPPIES,
    household::WOK,
    household::RICE_COOKER,
    household::VACUUM_CLEANER,
    household::ROBOT_VACUUM,
    household::THERMOS,
    books::COMPUTING,
    books::FICTION,
    books::PICTURE_BOOK,
    outdoor::TENT,
    outdoor::SLEEPING_BAG,
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_has_what_the_generator_draws_from() {
        for kind in KINDS {
            let code = kind.code;
            assert_eq!(kind.category.split('/').count(), 3, "{code}");
            assert!(kind.points.len() >= 2, "two different points are drawn: {code}");
            assert!(!kind.titles.is_empty() && kind.story.len() >= 2, "{code}");
            assert!(kind.story.iter().all(|sentences| !sentences.is_empty()), "{code}");
            assert!(kind.choices.iter().all(|choice| !choice.values.is_empty()), "{code}");
            assert!(kind.brands.iter().all(|brand| !brand.series.is_empty()), "{code}");
            assert!(!kind.brands.is_empty() && !kind.axes.is_empty(), "{code}");
            for axis in kind.axes {
                assert!((1..=axis.most).contains(&axis.least), "{code} {}", axis.name);
                assert!(axis.least <= axis.values.len(), "{code} {}", axis.name);
            }
        }
    }

    #[test]
    fn parts_of_skus_are_plain_and_tell_values_apart() {
        let plain = |code: &str| {
            let letters = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit();
            !code.is_empty() && code.chars().all(letters)
        };
        for kind in KINDS {
            let brands: HashSet<&str> = kind.brands.iter().map(|brand| brand.code).collect();
            assert_eq!(brands.len(), kind.brands.len(), "{}", kind.code);
            assert!(plain(kind.code) && brands.into_iter().all(plain), "{}", kind.code);
            for axis in kind.axes {
                let codes: HashSet<&str> = axis.values.iter().map(|value| value.code).collect();
                assert_eq!(codes.len(), axis.values.len(), "{} {}", kind.code, axis.name);
                assert!(codes.into_iter().all(plain), "{} {}", kind.code, axis.name);
            }
        }
    }
}
