//! HTTP messages as crawlers keep them: headers, transfer and content encodings, and the text.

use super::{
    charset,
    record::{Headers, Record, essence},
};
use crate::data::pipeline::formats::fault::bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use std::{borrow::Cow, io::Read};

/// Content encodings that may lie over each other.
const LAYERS: usize = 4;

/// A text of the web.
#[derive(Default)]
pub(super) struct Page {
    /// Decoded; markup as it was.
    pub text: String,
    /// Without parameters, in lower case.
    pub content_type: String,
    /// The encoding's name (WHATWG).
    pub charset: Option<&'static str>,
    /// What cut the body short, if anything did.
    pub truncated: Option<&'static str>,
}

type Checked<T> = Result<T, (&'static str, String)>;

/// Types of content that are text or have it in them.
pub(super) fn is_text(mime: &str) -> bool {
    matches!(mime, "text/html" | "application/xhtml+xml" | "text/plain")
}

/// The page of a `response` record; nothing if it was no success (2xx) or is no text.
pub(super) fn response(block: &[u8], record: &Record, limit: u64) -> Checked<Option<Page>> {
    let message = record.mime();
    if !(message.is_empty() || message == "application/http") {
        // `dns:` and `ftp:` responses.
        return Ok(None);
    }
    let (status, headers, body) = parse(block).ok_or_else(|| ("http", "no HTTP response is in it".to_string()))?;
    if !(200..300).contains(&status) {
        return Ok(None);
    }
    let known = headers.get("content-type").unwrap_or_default();
    let mut mime = essence(known);
    if mime.is_empty() {
        mime = essence(record.get("warc-identified-payload-type").unwrap_or_default());
    }
    if !(is_text(&mime) || mime.is_empty()) {
        return Ok(None);
    }
    let (body, chunk) = match headers.get("transfer-encoding").is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked")) {
        // Many crawlers undo the chunks and keep the header.
        true => dechunk(body).map_or((Cow::Borrowed(body), false), |(whole, cut)| (Cow::Owned(whole), cut)),
        false => (Cow::Borrowed(body), false),
    };
    let (body, cut) = decode(body, headers.get("content-encoding").unwrap_or_default(), limit)?;
    if mime.is_empty() && !looks_like_html(&body) {
        return Ok(None);
    }
    let mut page = page(&body, known, mime)?;
    page.truncated = if chunk { Some("chunked") } else { cut.then_some("encoding") };
    Ok(Some(page))
}

/// The page of a `resource` record, which has no HTTP around it.
pub(super) fn resource(block: &[u8], record: &Record) -> Option<Page> {
    let mime = record.mime();
    if !is_text(&mime) {
        return None;
    }
    page(block, record.get("content-type").unwrap_or_default(), mime).ok()
}

fn page(body: &[u8], content_type: &str, mime: String) -> Checked<Page> {
    let (text, charset) = charset::decode(body, charset::of_type(content_type), mime != "text/plain");
    if text.contains('\0') {
        return Err(("binary", format!("zero bytes in what is called {}", if mime.is_empty() { "text" } else { &mime })));
    }
    let mime = if mime.is_empty() { "text/html".into() } else { mime };
    Ok(Page { text, content_type: mime, charset: Some(charset), truncated: None })
}

/// Status, headers and body.
fn parse(block: &[u8]) -> Option<(u16, Headers, &[u8])> {
    let mut rest = block;
    let mut line = || {
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        let line = rest[..end].trim_ascii_end();
        rest = &rest[end + 1..];
        Some(line)
    };
    let first = std::str::from_utf8(line()?).ok()?;
    let (version, status) = first.split_once(' ')?;
    let status = status.trim_start().get(..3)?.parse().ok()?;
    if !(version.starts_with("HTTP/") || version == "ICY") {
        return None;
    }
    let mut headers = Headers::default();
    // Headers without a body are an empty page.
    while let Some(line) = line().filter(|line| !line.is_empty()) {
        headers.push(line);
    }
    Some((status, headers, rest))
}

/// The body of chunks (RFC 9112, 7.1), and whether chunks are missing; nothing if there are none.
fn dechunk(body: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut whole = Vec::with_capacity(body.len());
    let mut rest = body;
    loop {
        let size = rest.iter().take(1024).position(|&byte| byte == b'\n').and_then(|end| {
            let line = std::str::from_utf8(&rest[..end]).ok()?;
            let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
            Some((size, &rest[end + 1..]))
        });
        let Some((size, after)) = size else {
            // Before anything was read, this is a body whose chunks were undone.
            return if whole.is_empty() && rest.len() == body.len() { None } else { Some((whole, true)) };
        };
        if size == 0 {
            return Some((whole, false));
        }
        let held = after.get(..size);
        whole.extend_from_slice(held.unwrap_or(after));
        if held.is_none() {
            return Some((whole, true));
        }
        rest = &after[size..];
        rest = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).unwrap_or(rest);
    }
}

/// Undoes content encodings, the last one first; and whether the body was cut short.
fn decode<'a>(body: Cow<'a, [u8]>, encodings: &str, limit: u64) -> Checked<(Cow<'a, [u8]>, bool)> {
    let (mut body, mut cut) = (body, false);
    let names = encodings.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty());
    let names: Vec<String> = names.filter(|name| name != "identity").take(LAYERS + 1).collect();
    if names.len() > LAYERS {
        return Err(("http", format!("more than {LAYERS} content encodings")));
    }
    for name in names.iter().rev() {
        let mut out = Vec::new();
        let read = match name.as_str() {
            // The header often stays when the encoding was undone.
            "gzip" | "x-gzip" if body.starts_with(&[0x1F, 0x8B]) => unpack(MultiGzDecoder::new(&*body), &mut out, limit),
            "gzip" | "x-gzip" => continue,
            "deflate" => match unpack(ZlibDecoder::new(&*body), &mut out, limit) {
                Err(_) if out.is_empty() => unpack(DeflateDecoder::new(&*body), &mut out, limit),
                read => read,
            },
            // Names nobody registered mean nothing; those of real encodings that are left are an error.
            "br" | "zstd" | "compress" if !looks_like_html(&body) => {
                return Err(("http", format!("the content encoding \"{name}\" is not supported")));
            }
            _ => continue,
        };
        if out.len() as u64 > limit {
            let most = bytes(limit);
            return Err(("too_long", format!("the body unpacks to more than {most}, the limit that `document_bytes` sets")));
        }
        if let Err(error) = read {
            if out.is_empty() && name == "deflate" {
                continue;
            } else if out.is_empty() {
                return Err(("http", format!("the {name} body is broken: {error}")));
            }
            cut = true;
        }
        body = Cow::Owned(out);
    }
    Ok((body, cut))
}

fn unpack(decoder: impl Read, out: &mut Vec<u8>, limit: u64) -> std::io::Result<usize> {
    decoder.take(limit.saturating_add(1)).read_to_end(out)
}

fn looks_like_html(body: &[u8]) -> bool {
    let begin = body.trim_ascii_start();
    let is = |tag: &[u8]| begin.get(..tag.len()).is_some_and(|first| first.eq_ignore_ascii_case(tag));
    is(b"<!doctype html") || is(b"<html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_undone_where_there_are_some() {
        let chunked = b"4\r\nWiki\r\n6;name=\"x\"\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nTrailer: x\r\n\r\n";
        assert_eq!(dechunk(chunked).unwrap(), (b"Wikipedia in \r\n\r\nchunks.".to_vec(), false));
        assert!(dechunk(b"<html>plain").is_none());
        assert!(dechunk(b"").is_none());
        assert_eq!(dechunk(b"4\r\nWi").unwrap(), (b"Wi".to_vec(), true));
        assert_eq!(dechunk(b"4\r\nWiki\r\nxyz").unwrap(), (b"Wiki".to_vec(), true));
        assert_eq!(dechunk(b"ffffffffffffffff\r\nWiki").unwrap(), (b"Wiki".to_vec(), true));
        assert_eq!(dechunk(b"0\r\n\r\n").unwrap(), (Vec::new(), false));
    }

    #[test]
    fn encodings_are_undone_within_limits() {
        use flate2::{Compression, read};
        let packed = |encoder: &mut dyn Read| {
            let mut out = Vec::new();
            encoder.read_to_end(&mut out).unwrap();
            out
        };
        let text = b"some text ".repeat(100);
        let gzip = packed(&mut read::GzEncoder::new(text.as_slice(), Compression::fast()));
        let zlib = packed(&mut read::ZlibEncoder::new(text.as_slice(), Compression::fast()));
        let raw = packed(&mut read::DeflateEncoder::new(text.as_slice(), Compression::fast()));
        let twice = packed(&mut read::GzEncoder::new(gzip.as_slice(), Compression::fast()));
        let cases = [(&gzip, "gzip"), (&zlib, "deflate"), (&raw, "deflate"), (&twice, "gzip, GZIP"), (&text, "gzip"), (&text, "utf-8")];
        for (body, name) in cases {
            let (body, cut) = decode(Cow::Borrowed(body), name, 1000).unwrap();
            assert!(*body == *text && !cut, "{name}");
        }
        assert_eq!(decode(Cow::Borrowed(&gzip), "gzip", 999).unwrap_err().0, "too_long");
        assert_eq!(decode(Cow::Borrowed(&text), "br", 1000).unwrap_err().0, "http");
        let (half, cut) = decode(Cow::Borrowed(&gzip[..gzip.len() - 10]), "gzip", 1000).unwrap();
        assert!(cut && text.starts_with(&half) && !half.is_empty());
        assert_eq!(decode(Cow::Borrowed(&gzip), "gzip,gzip,gzip,gzip,gzip", 1000).unwrap_err().0, "http");
    }
}
