//! Pages of Parquet, unpacked here and not by the `parquet` crate, whose Zstandard is written in C, and which believes what a page says
//! of its size.

use super::super::{fault::bytes, packed::zstd};
use parquet::{
    basic::{Compression, CompressionCodec},
    bloom_filter::Sbbf,
    column::page::{Page, PageMetadata, PageReader},
    errors::{ParquetError, Result as Decoded},
    file::{metadata::RowGroupMetaData, reader::RowGroupReader, serialized_reader::SerializedPageReader},
    record::reader::RowIter,
    schema::types::Type,
};
use std::{
    fs::File,
    io::Read as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A page may hold so many times the longest document: writers look at its length every thousand rows or so.
pub(super) const PAGE: u64 = 16;

/// A row group whose pages are unpacked by [`Pages`].
pub(super) struct Group<'a> {
    pub file: Arc<File>,
    pub metadata: &'a RowGroupMetaData,
    /// Bytes of the longest page.
    pub limit: u64,
    /// Bytes of pages that have been read.
    pub read: Arc<AtomicU64>,
}

impl RowGroupReader for Group<'_> {
    fn metadata(&self) -> &RowGroupMetaData {
        self.metadata
    }

    fn num_columns(&self) -> usize {
        self.metadata.num_columns()
    }

    fn get_column_page_reader(&self, column: usize) -> Decoded<Box<dyn PageReader>> {
        let column = self.metadata.column(column);
        let codec = column.compression_codec();
        let raw = column.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
        let rows = usize::try_from(self.metadata.num_rows())?;
        let inner = SerializedPageReader::new(Arc::clone(&self.file), &raw, rows, None)?;
        Ok(Box::new(Pages { inner, codec, limit: self.limit, read: Arc::clone(&self.read) }))
    }

    fn get_column_bloom_filter(&self, _: usize) -> Option<&Sbbf> {
        None
    }

    fn get_row_iter(&self, projection: Option<Type>) -> Decoded<RowIter<'_>> {
        RowIter::from_row_group(projection, self)
    }
}

/// Pages as they are in the file, unpacked one by one.
struct Pages {
    inner: SerializedPageReader<File>,
    codec: CompressionCodec,
    limit: u64,
    read: Arc<AtomicU64>,
}

impl Pages {
    fn unpack(&self, raw: &[u8]) -> Decoded<Vec<u8>> {
        let most = self.limit.saturating_add(1);
        let mut out = Vec::new();
        match self.codec {
            CompressionCodec::UNCOMPRESSED => out.extend_from_slice(raw),
            CompressionCodec::SNAPPY => {
                let length = snap::raw::decompress_len(raw).map_err(external)?;
                if length as u64 <= self.limit {
                    out = snap::raw::Decoder::new().decompress_vec(raw).map_err(external)?;
                } else {
                    return Err(self.too_long());
                }
            }
            CompressionCodec::GZIP => {
                flate2::read::MultiGzDecoder::new(raw).take(most).read_to_end(&mut out).map_err(external)?;
            }
            CompressionCodec::ZSTD => {
                zstd(raw).take(most).read_to_end(&mut out).map_err(external)?;
            }
            other => return Err(ParquetError::General(format!("pages packed with {other:?} are not supported"))),
        }
        if out.len() as u64 > self.limit { Err(self.too_long()) } else { Ok(out) }
    }

    fn too_long(&self) -> ParquetError {
        ParquetError::General(format!("a page unpacks to more than {}, {PAGE} times `document_bytes`", bytes(self.limit)))
    }
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl Iterator for Pages {
    type Item = Decoded<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Decoded<Option<Page>> {
        let Some(mut page) = self.inner.get_next_page()? else { return Ok(None) };
        self.read.fetch_add(page.buffer().len() as u64, Ordering::Relaxed);
        match &mut page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => *buf = self.unpack(buf)?.into(),
            // Levels come first, as they are.
            Page::DataPageV2 { buf, is_compressed, def_levels_byte_len, rep_levels_byte_len, .. } if *is_compressed => {
                let levels = (*def_levels_byte_len as usize).saturating_add(*rep_levels_byte_len as usize);
                let (levels, values) = buf.split_at_checked(levels).ok_or_else(|| ParquetError::EOF("a page of levels".into()))?;
                let mut whole = levels.to_vec();
                if !values.is_empty() {
                    whole.extend(self.unpack(values)?);
                }
                *buf = whole.into();
            }
            Page::DataPageV2 { .. } => {}
        }
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Decoded<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Decoded<()> {
        self.inner.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Decoded<bool> {
        self.inner.at_record_boundary()
    }
}
