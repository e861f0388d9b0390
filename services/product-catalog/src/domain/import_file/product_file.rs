//! Reads a product file while it arrives.

use encoding_rs::Encoding;

use super::{
    columns::{Columns, InvalidHeader},
    file_row::decode_names,
    import_settings::ImportSettings,
    preset::Preset,
    product_table::ProductTable,
    record_reader::{HeaderShape, RecordReader},
    row_grouper::TooManyProducts,
    text_decoder::{NotText, TextDecoder},
};
use crate::domain::{RefusedRow, Row};

/// What the importer must know of a file to understand its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileLayout {
    /// The names of the columns, encoded.
    pub(crate) header: Vec<u8>,
    pub(crate) delimiter: char,
    pub(crate) settings: ImportSettings,
    /// The encoding that was found.
    pub(crate) encoding: String,
    /// Whether the rows are stored as they came, by an earlier version of the service.
    pub(crate) is_raw: bool,
}

/// Why a whole file was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InvalidFile {
    /// The encoding of the `Content-Type` is unknown.
    Charset(String),
    /// The file is an archive, an image or another binary file.
    NotText(String),
    Header(InvalidHeader),
    /// There is no row below the header, or nothing at all.
    Empty,
    /// The file has too many products whose rows may stand apart.
    TooManyProducts,
    /// A workbook exceeds a limit.
    TooLarge(String),
    /// The workbook has no sheet of this name, but the others.
    UnknownSheet(String, Vec<String>),
}

impl From<NotText> for InvalidFile {
    fn from(error: NotText) -> Self {
        Self::NotText(error.to_string())
    }
}

impl From<InvalidHeader> for InvalidFile {
    fn from(error: InvalidHeader) -> Self {
        Self::Header(error)
    }
}

impl From<TooManyProducts> for InvalidFile {
    fn from(TooManyProducts: TooManyProducts) -> Self {
        Self::TooManyProducts
    }
}

impl FileLayout {
    /// The columns of the file.
    pub(crate) fn columns(&self) -> Result<Columns, InvalidHeader> {
        Columns::read(&decode_names(&self.header), &self.settings, self.delimiter)
    }

    /// The names of the columns.
    pub(crate) fn names(&self) -> Vec<String> {
        decode_names(&self.header)
    }

    /// The program whose files are read like this one.
    pub(crate) fn preset(&self) -> Option<Preset> {
        self.columns().ok().and_then(|columns| columns.preset())
    }
}

/// Reads a file that arrives in pieces, and divides it into products.
pub(crate) struct ProductFile {
    settings: ImportSettings,
    decoder: TextDecoder,
    reader: RecordReader,
    text: String,
    refused: Vec<RefusedRow>,
    table: Option<ProductTable>,
}

impl ProductFile {
    /// `charset` and `is_tsv` are what the client says of the file.
    pub(crate) fn new(
        charset: Option<&str>,
        is_tsv: bool,
        settings: ImportSettings,
    ) -> Result<Self, InvalidFile> {
        let encoding = charset
            .map(|name| {
                Encoding::for_label(name.as_bytes())
                    .ok_or_else(|| InvalidFile::Charset(name.to_owned()))
            })
            .transpose()?;
        Ok(Self {
            settings,
            decoder: TextDecoder::new(encoding),
            reader: RecordReader::new(is_tsv),
            text: String::new(),
            refused: Vec::new(),
            table: None,
        })
    }

    /// Reads the next piece, and adds the complete products to `rows`.
    pub(crate) fn push(&mut self, piece: &[u8], rows: &mut Vec<Row>) -> Result<(), InvalidFile> {
        self.decoder.push(piece, &mut self.text)?;
        self.read(false, rows)
    }

    /// Ends the file. Returns its layout, and warnings about its columns.
    pub(crate) fn finish(
        mut self,
        rows: &mut Vec<Row>,
    ) -> Result<(FileLayout, Vec<String>), InvalidFile> {
        self.decoder.finish(&mut self.text)?;
        self.read(true, rows)?;
        let table = self.table.ok_or(InvalidFile::Empty)?;
        table.finish(self.decoder.encoding(), rows)
    }

    fn read(&mut self, at_end: bool, rows: &mut Vec<Row>) -> Result<(), InvalidFile> {
        self.reader.push(&self.text);
        self.text.clear();
        if at_end {
            self.reader.finish();
        }
        if self.table.is_none() {
            let header = self.reader.next(at_end, &HeaderShape, &mut self.refused);
            if !self.refused.is_empty() {
                return Err(InvalidFile::NotText("the first line is too long".to_owned()));
            }
            let Some(header) = header else { return Ok(()) };
            let (settings, delimiter) = (self.settings.clone(), self.reader.delimiter());
            let encoding = self.decoder.encoding();
            self.table = Some(ProductTable::new(header.cells, settings, delimiter, encoding)?);
        }
        let Some(table) = &mut self.table else { return Ok(()) };
        loop {
            let record = self.reader.next(at_end, table.columns(), &mut self.refused);
            for refused in self.refused.drain(..) {
                table.refuse(refused, rows)?;
            }
            let Some(record) = record else { return Ok(()) };
            table.push(record, rows)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FileLayout, ImportSettings, InvalidFile, InvalidHeader, ProductFile, Row};
    use crate::domain::{Content, FileRow, product_of_row};

    type Read = Result<(Vec<Row>, FileLayout, Vec<String>), InvalidFile>;

    fn read(file: &[u8], piece: usize) -> Read {
        let mut reader = ProductFile::new(None, false, ImportSettings::default())?;
        let mut rows = Vec::new();
        for piece in file.chunks(piece) {
            reader.push(piece, &mut rows)?;
        }
        let (layout, warnings) = reader.finish(&mut rows)?;
        Ok((rows, layout, warnings))
    }

    /// The products, and the lines that were refused.
    fn products(file: &str) -> (Vec<Content>, Vec<(i64, String)>) {
        let (rows, layout, _) = read(file.as_bytes(), 100).unwrap();
        let columns = layout.columns().unwrap();
        let (mut products, mut refused) = (Vec::new(), Vec::new());
        for row in rows {
            let row = FileRow::decode(&row.bytes).unwrap();
            match product_of_row(&columns, &row) {
                Ok(product) => match product.to_draft() {
                    Ok(draft) => products.push(draft.validate().unwrap()),
                    Err(row) => refused.push((row.line, row.reason)),
                },
                Err(row) => refused.push((row.line, row.reason)),
            }
        }
        (products, refused)
    }

    #[test]
    fn any_cut_of_the_bytes_gives_the_same_rows() {
        let file = "\u{feff}product,sku,title,category,price\r\n\
            p,A,\"衬衫\r\n长袖\",a,1\r\n,B,27\" 显示器,a,2\r\np,C,,,3\r\n,,,,\r\n,D,x\r\n";
        let whole = read(file.as_bytes(), file.len()).unwrap();
        assert_eq!(whole.0.len(), 3);
        for piece in 1..file.len() {
            assert_eq!(read(file.as_bytes(), piece).unwrap(), whole);
        }
    }

    #[test]
    fn files_without_rows_are_refused() {
        for file in ["", "\n\n", "sku,title,category,price", "sku,title,category,price\n,,,\n"] {
            assert_eq!(read(file.as_bytes(), 3).unwrap_err(), InvalidFile::Empty, "{file}");
        }
        let missing = InvalidHeader::Missing(vec!["title_zh or title_en", "category", "price"]);
        assert_eq!(read(b"sku\n", 1).unwrap_err(), InvalidFile::Header(missing));
        assert!(matches!(read(b"PK\x03\x04abcdef", 2).unwrap_err(), InvalidFile::NotText(_)));
    }

    #[test]
    fn rows_with_the_same_product_are_variants() {
        let (products, refused) = products(
            "product,sku,title_en,category,price,option.size,attr.weight,images,status\n\
             p,A,Shirt,a/b,12.5,S,\"1 kg\",http://x http://y,draft\n\
             ,C,Cup,a,1.00,,,,\n\
             p,,,,,,,http://z,\n\
             p,B,,,13,M,,,\n",
        );
        assert_eq!((products.len(), refused), (2, vec![]));
        let shirt = &products[0];
        let prices: Vec<i64> =
            shirt.variants.iter().map(|variant| variant.price.amount()).collect();
        assert_eq!((prices, shirt.images.len()), (vec![1250, 1300], 3));
        assert_eq!(shirt.variants[1].options["size"], "M");
        assert_eq!(shirt.status.as_str(), "draft");
    }

    #[test]
    fn invalid_rows_report_line_and_reason() {
        let (products, refused) = products(
            "product,sku,title,category,price,,barcode\n\
             ,A,T,a\n\
             ,B,T,a,,,\n\
             ,C,T,a,free,,\n\
             ,D,T,a,1,x,\n\
             ,E,T,a,1,,3.65275E+11\n\
             ,,T,a,1,,\n\
             p,F,T,a,1,,\n\
             p,G\n",
        );
        assert_eq!(products.len(), 0);
        let expected = [
            (2, "the row has 4 cells, the header 7"),
            (3, "price: is required"),
            (4, "price: must be a number such as 129.00"),
            (5, "column 6 has a value, but no name in the header"),
            (6, "barcode: `3.65275E+11` was rounded by a spreadsheet; format the column as text"),
            (7, "sku: is required"),
            (9, "the row has 2 cells, the header 7"),
        ];
        assert_eq!(refused, expected.map(|(line, reason)| (line, reason.to_owned())));
    }

    #[test]
    fn columns_without_a_place_are_reported() {
        let file = b"sku,title,category,price,refused line,refused reason\nA,T,a,1,5,\n";
        let (_, _, warnings) = read(file, 9).unwrap();
        assert_eq!(
            warnings,
            ["not applied: `refused line`; products have no place for these values"]
        );
    }
}
