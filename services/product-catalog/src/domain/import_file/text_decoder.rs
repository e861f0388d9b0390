//! Decodes the bytes of a file. Spreadsheets write GB18030 and UTF-16 as well as UTF-8.

use encoding_rs::{Decoder, DecoderResult, Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};

/// Stands for bytes that are not valid in the encoding. It is a code point that no text may contain.
pub(super) const UNDECODABLE: char = '\u{FDD0}';

/// The number of bytes that decide on the encoding, counted from the first byte that is not ASCII.
const SAMPLE: usize = 64 * 1024;
/// The number of bytes that show the type of a file.
const SIGNATURE: usize = 8;
/// Text in UTF-8 may have one broken character per this number of valid ones.
const VALID_PER_BROKEN: usize = 3;

/// The first bytes of files that are not text, and what to do.
const NOT_TEXT: [(&[u8], &str); 9] = [
    (
        b"PK\x03\x04",
        "a ZIP archive; send an .xlsx workbook with its own Content-Type, unpack others",
    ),
    (b"\xD0\xCF\x11\xE0", "an .xls workbook; save the sheet as CSV"),
    (b"\x1F\x8B", "a gzip archive; send it uncompressed"),
    (b"\x89PNG", "a PNG image"),
    (b"\xFF\xD8\xFF", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"RIFF", "an image or a sound"),
    (b"%PDF", "a PDF document"),
    (b"SQLite f", "an SQLite database"),
];

/// Why a file is refused whose encoding cannot be told.
const UNCLEAR: &str = "in neither UTF-8 nor GB18030; name its encoding, such as charset=iso-8859-1 or \
                       charset=windows-1252 in the Content-Type";

/// A file that is not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the file is {0}")]
pub(super) struct NotText(&'static str);

/// Decodes a file that arrives in pieces.
pub(super) struct TextDecoder {
    /// The encoding that the client names.
    charset: Option<&'static Encoding>,
    decoder: Option<Decoder>,
    /// Bytes that wait for the decision on the encoding, or for the end of their line.
    pending: Vec<u8>,
    /// Whether GB18030 was found by looking: then a line may be in UTF-8.
    may_be_mixed: bool,
    /// Whether the signature was checked.
    is_checked: bool,
}

impl TextDecoder {
    pub(super) fn new(charset: Option<&'static Encoding>) -> Self {
        Self { charset, decoder: None, pending: Vec::new(), may_be_mixed: false, is_checked: false }
    }

    /// Decodes the next piece, and adds it to `text`.
    pub(super) fn push(&mut self, piece: &[u8], text: &mut String) -> Result<(), NotText> {
        match &mut self.decoder {
            Some(decoder) if !self.may_be_mixed => decode(decoder, piece, false, text),
            Some(_) => {
                self.pending.extend_from_slice(piece);
                self.decode_lines(false, text);
            }
            None => {
                self.pending.extend_from_slice(piece);
                self.decide(false, text)?;
            }
        }
        Ok(())
    }

    /// Ends the file. A character that is cut off at the end is not valid.
    pub(super) fn finish(&mut self, text: &mut String) -> Result<(), NotText> {
        match &mut self.decoder {
            Some(decoder) if !self.may_be_mixed => decode(decoder, &[], true, text),
            Some(_) => self.decode_lines(true, text),
            None => self.decide(true, text)?,
        }
        Ok(())
    }

    /// The name of the encoding; ASCII is UTF-8.
    pub(super) fn encoding(&self) -> &'static str {
        self.decoder.as_ref().map_or(UTF_8, Decoder::encoding).name()
    }

    /// Decides on the encoding as soon as the pending bytes show it. ASCII passes, because it is the same in
    /// all encodings in question.
    fn decide(&mut self, at_end: bool, text: &mut String) -> Result<(), NotText> {
        if !self.is_checked {
            if self.pending.len() < SIGNATURE && !at_end {
                return Ok(());
            }
            self.is_checked = true;
            let found = NOT_TEXT.iter().find(|(signature, _)| self.pending.starts_with(signature));
            if let Some((_, what)) = found {
                return Err(NotText(what));
            }
            self.decoder = by_mark(&self.pending)
                .map(Encoding::new_decoder_with_bom_removal)
                .or_else(|| self.charset.map(Encoding::new_decoder_without_bom_handling));
        }
        if self.decoder.is_none() {
            let ascii = self.pending.iter().position(|byte| !byte.is_ascii());
            let ascii = ascii.unwrap_or(self.pending.len());
            let passed: Vec<u8> = self.pending.drain(..ascii).collect();
            text.push_str(&String::from_utf8_lossy(&passed));
            if self.pending.is_empty() || (self.pending.len() < SAMPLE && !at_end) {
                return Ok(());
            }
            let sample = &self.pending[..self.pending.len().min(SAMPLE)];
            let is_complete = self.pending.len() < SAMPLE;
            let encoding = guess(sample, is_complete).ok_or(NotText(UNCLEAR))?;
            self.decoder = Some(encoding.new_decoder_without_bom_handling());
            self.may_be_mixed = encoding == GB18030;
        }
        if self.may_be_mixed {
            self.decode_lines(at_end, text);
            return Ok(());
        }
        if let Some(decoder) = &mut self.decoder {
            decode(decoder, &std::mem::take(&mut self.pending), at_end, text);
        }
        Ok(())
    }
}

impl TextDecoder {
    /// Decodes complete lines of GB18030. A line in UTF-8 would become other characters without an error, so its
    /// first character is marked as not valid.
    fn decode_lines(&mut self, at_end: bool, text: &mut String) {
        let Some(decoder) = &mut self.decoder else { return };
        let mut rest = self.pending.as_slice();
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(at + 1);
            rest = after;
            match utf8_line(line) {
                Some(line) => mark_first(line, text),
                None => decode(decoder, line, false, text),
            }
        }
        let is_long = rest.len() > SAMPLE;
        match utf8_line(rest).filter(|_| at_end) {
            Some(line) => mark_first(line, text),
            None if at_end || is_long => decode(decoder, rest, at_end, text),
            None => {
                self.pending = rest.to_vec();
                return;
            }
        }
        self.pending.clear();
    }
}

/// A line in UTF-8 with several Chinese characters. Hardly a line in GB18030 can be read as one.
fn utf8_line(line: &[u8]) -> Option<&str> {
    if line.is_ascii() {
        return None;
    }
    let text = std::str::from_utf8(line).ok()?;
    let wide = text.chars().filter(|c| c.len_utf8() >= 3).count();
    (wide >= 2).then_some(text)
}

/// Adds a line whose first character beyond ASCII is marked as not valid.
fn mark_first(line: &str, text: &mut String) {
    let mut is_marked = false;
    text.extend(line.chars().map(|c| {
        if is_marked || c.is_ascii() {
            return c;
        }
        is_marked = true;
        UNDECODABLE
    }));
}

/// The encoding of a byte order mark, or of UTF-16 without one: text begins with ASCII in the files in question.
fn by_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return Some(encoding);
    }
    match bytes {
        [0, 1..=255, ..] => Some(UTF_16BE),
        [1..=255, 0, ..] => Some(UTF_16LE),
        _ => None,
    }
}

/// UTF-8 if the sample is text in UTF-8, perhaps with a few broken characters; otherwise GB18030. None if it
/// looks like neither: in Latin-1 most accented letters stand alone among ASCII, and GB18030 would make wrong
/// characters of them without an error.
fn guess(sample: &[u8], is_complete: bool) -> Option<&'static Encoding> {
    let (mut valid, mut broken) = (0_usize, 0_usize);
    for chunk in sample.utf8_chunks() {
        valid += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    // The sample may end within a character.
    let is_cut = std::str::from_utf8(sample).is_err_and(|error| error.error_len().is_none());
    let is_utf8 = (is_cut && !is_complete && broken == 1) || valid >= broken * VALID_PER_BROKEN;
    if is_utf8 {
        return Some(UTF_8);
    }
    let runs = sample.split(u8::is_ascii).filter(|run| !run.is_empty());
    let (single, all) = runs.fold((0_usize, 0_usize), |(single, all), run| {
        (single + usize::from(run.len() == 1), all + 1)
    });
    (single * 2 <= all).then_some(GB18030)
}

fn decode(decoder: &mut Decoder, mut bytes: &[u8], is_last: bool, text: &mut String) {
    loop {
        let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
        text.reserve(room.unwrap_or(bytes.len()));
        let (result, read) = decoder.decode_to_string_without_replacement(bytes, text, is_last);
        bytes = &bytes[read..];
        match result {
            DecoderResult::InputEmpty => return,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => text.push(UNDECODABLE),
        }
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{Encoding, GB18030, UTF_8};

    use super::{SAMPLE, TextDecoder, UNDECODABLE};

    fn decoded(bytes: &[u8], piece: usize, charset: Option<&'static Encoding>) -> String {
        let (mut decoder, mut text) = (TextDecoder::new(charset), String::new());
        for piece in bytes.chunks(piece) {
            decoder.push(piece, &mut text).unwrap();
        }
        decoder.finish(&mut text).unwrap();
        text
    }

    fn utf16(text: &str, bytes_of: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes_of).collect()
    }

    #[test]
    fn encoding_is_found_in_pieces_of_any_size() {
        let text = "sku,商品名称\nA,蓝牙耳机 降噪\n";
        let (gb18030, _, _) = GB18030.encode(text);
        let files = [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            gb18030.into_owned(),
            utf16(&format!("\u{feff}{text}"), u16::to_le_bytes),
            utf16(&format!("\u{feff}{text}"), u16::to_be_bytes),
            utf16(text, u16::to_le_bytes),
        ];
        for file in files {
            for piece in 1..file.len() {
                assert_eq!(decoded(&file, piece, None), text, "{file:?}");
            }
        }
    }

    #[test]
    fn charset_of_the_client_decides_unless_there_is_a_mark() {
        let (gb18030, _, _) = GB18030.encode("复查");
        assert_eq!(decoded(&gb18030, 1, Some(GB18030)), "复查");
        assert!(decoded(&gb18030, 1, Some(UTF_8)).contains(UNDECODABLE));
        assert_eq!(decoded("\u{feff}复查".as_bytes(), 1, Some(GB18030)), "复查");
    }

    #[test]
    fn one_broken_character_does_not_change_the_encoding() {
        let file = ["蓝牙耳机降噪".as_bytes(), b"\xE8\x93", ",无线鼠标".as_bytes()].concat();
        assert_eq!(decoded(&file, 5, None), format!("蓝牙耳机降噪{UNDECODABLE},无线鼠标"));
    }

    #[test]
    fn sample_may_end_within_a_character() {
        for shift in 0..4 {
            let text = format!("{}{}", "x".repeat(shift), "耳机x".repeat(SAMPLE / 3));
            assert_eq!(decoded(text.as_bytes(), 1000, None), text);
            let (gb18030, _, _) = GB18030.encode(&text);
            assert_eq!(decoded(&gb18030, 999, None), text);
        }
    }

    #[test]
    fn line_in_another_encoding_is_marked() {
        let mut file = GB18030.encode("编码,名称\nA,蓝牙耳机\nB,").0.into_owned();
        file.extend("无线鼠标\n".as_bytes());
        file.extend_from_slice(&GB18030.encode("C,键盘\nD,é\n").0);
        let expected = format!("编码,名称\nA,蓝牙耳机\nB,{UNDECODABLE}线鼠标\nC,键盘\nD,é\n");
        for piece in [1, 7, 1_000] {
            assert_eq!(decoded(&file, piece, None), expected);
        }
        let mut file = "编码,名称\nA,蓝牙耳机\nB,".as_bytes().to_vec();
        file.extend_from_slice(&GB18030.encode("无线鼠标\n").0);
        assert!(decoded(&file, 9, None).contains(UNDECODABLE));
    }

    #[test]
    fn latin_1_needs_its_name() {
        let latin = b"sku,title\nA,Caf\xe9s cr\xe8me\nB,na\xefve \xfcber\n";
        let mut decoder = TextDecoder::new(None);
        let mut text = String::new();
        let refused = decoder.push(latin, &mut text).and_then(|()| decoder.finish(&mut text));
        assert!(refused.unwrap_err().to_string().contains("charset=iso-8859-1"));
        let named = Encoding::for_label(b"iso-8859-1");
        assert_eq!(decoded(latin, 5, named), "sku,title\nA,Cafés crème\nB,naïve über\n");
    }

    #[test]
    fn archives_and_images_are_refused() {
        for file in [&b"PK\x03\x04\x14\0\x06\0"[..], b"\x89PNG\r\n\x1A\n", b"\xFF\xD8\xFF\xE0"] {
            let mut decoder = TextDecoder::new(None);
            let mut text = String::new();
            let pushed = decoder.push(file, &mut text).and_then(|()| decoder.finish(&mut text));
            assert!(pushed.is_err(), "{file:?}");
        }
    }
}
