//! Typos as fingers make them.

/// A deterministic random number generator (`SplitMix64`), so that a seed names the same typos everywhere.
#[derive(Debug)]
pub struct Typos(u64);

impl Typos {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The query with one edit in one word of at least five letters; `None` without such a word.
    pub fn typo(&mut self, q: &str) -> Option<String> {
        let mut words: Vec<String> = q.split(' ').map(str::to_owned).collect();
        let is_long =
            |word: &String| word.len() >= 5 && word.chars().all(|c| c.is_ascii_alphabetic());
        let long: Vec<usize> = (0..words.len()).filter(|at| is_long(&words[*at])).collect();
        let word = *long.get(self.below(long.len()))?;
        let mut letters: Vec<char> = words[word].chars().collect();
        let at = self.below(letters.len());
        let letter = char::from(b'a' + u8::try_from(self.below(26)).ok()?);
        match self.below(4) {
            0 => {
                letters.remove(at);
            }
            1 => letters.insert(at, letter),
            2 => letters[at] = if letters[at] == letter { 'q' } else { letter },
            _ => {
                let at = at.min(letters.len() - 2);
                letters.swap(at, at + 1);
            }
        }
        words[word] = letters.into_iter().collect();
        Some(words.join(" "))
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let limit = u64::try_from(limit).unwrap_or(1).max(1);
        usize::try_from((mixed ^ (mixed >> 31)) % limit).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Typos;

    #[test]
    fn one_long_word_gets_one_edit() {
        let mut typos = Typos::new(1);
        for _ in 0..100 {
            let typo = typos.typo("usb keyboard").expect("a long word");
            assert!(typo.starts_with("usb ") && typo.len().abs_diff("usb keyboard".len()) <= 1);
        }
        assert_eq!(typos.typo("usb hub"), None);
    }
}
