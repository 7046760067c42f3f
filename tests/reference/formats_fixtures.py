#!/usr/bin/env python3
"""Web archives and Parquet files as their own tools write them, and what these tools read in them.

    pip install warcio==1.8.1 pyarrow==26.0.1 zstandard==0.25.0
    python3 tests/reference/formats_fixtures.py

Writes tests/data/fixtures/formats/: `crawl.warc.gz` by warcio, `crawl.json` with the documents that warcio finds in it,
`*.parquet` by PyArrow, and `lines.*` by the libraries of C. The content is written for this project. Running it again gives the same files.
"""

import base64
import bz2
import gzip
import io
import json
import pathlib
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

FOLDER = pathlib.Path(__file__).parent.parent / "data/fixtures/formats"
DATE = "2026-01-02T03:04:05Z"


def chunked(body, size=37):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x;n=%d\r\n%s\r\n" % (len(p), n, p) for n, p in enumerate(pieces)) + b"0\r\n\r\n"


def page(title, text, head=""):
    return f"<!DOCTYPE html>\n<html><head>{head}<title>{title}</title></head>\n<body><p>{text}</p></body></html>\n"


def web_archive():
    """(kind, url, HTTP status, HTTP headers, body)"""
    plain = page("Plain", "A page without any encoding at all.").encode()
    squeezed = page("Gzip", "Packed. " * 40).encode()
    greek = page("Ελληνικά", "Καλημέρα κόσμε", '<meta charset="iso-8859-7">').encode("iso-8859-7")
    cyrillic = page("Кириллица", "Доброе утро").encode("koi8-r")
    html = "text/html"
    raw_deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw_deflate = raw_deflate.compress(squeezed) + raw_deflate.flush()
    wrapped = chunked(gzip.compress(squeezed, mtime=0), 50)
    return [
        ("response", "https://example.org/plain", "200 OK", [("Content-Type", html)], plain),
        ("request", "https://example.org/plain", None, [], b""),
        ("response", "https://example.org/gzip", "200 OK", [("Content-Type", html), ("Content-Encoding", "gzip")], gzip.compress(squeezed, mtime=0)),
        ("response", "https://example.org/deflate", "200 OK", [("Content-Type", html), ("Content-Encoding", "deflate")], raw_deflate),
        ("response", "https://example.org/chunked", "200 OK", [("Content-Type", html), ("Transfer-Encoding", "chunked")], chunked(plain)),
        ("response", "https://example.org/both", "200 OK", [("Content-Type", html), ("Transfer-Encoding", "chunked"), ("Content-Encoding", "gzip")], wrapped),
        ("response", "https://example.org/undone", "200 OK", [("Content-Type", html), ("Transfer-Encoding", "chunked")], plain),
        ("response", "https://example.org/greek", "200 OK", [("Content-Type", html)], greek),
        ("response", "https://example.org/koi8", "200 OK", [("Content-Type", "text/html; charset=KOI8-R")], cyrillic),
        ("response", "https://example.org/text", "200 OK", [("Content-Type", "text/plain")], "Just text: naïve.\n".encode()),
        ("response", "https://example.org/xhtml", "200 OK", [("Content-Type", "application/xhtml+xml")], plain),
        ("response", "https://example.org/picture", "200 OK", [("Content-Type", "image/png")], b"\x89PNG\r\n\x1a\n" + bytes(200)),
        ("response", "https://example.org/missing", "404 Not Found", [("Content-Type", html)], page("404", "Nothing here.").encode()),
        ("response", "https://example.org/moved", "301 Moved Permanently", [("Location", "/plain"), ("Content-Type", html)], b""),
        ("metadata", "https://example.org/plain", None, [], b"via: https://example.org/\r\n"),
        ("conversion", "https://example.org/plain", None, [], "A page without any encoding at all.\nDeuxième ligne.\n".encode()),
        ("resource", "https://example.org/resource", None, [], plain),
    ]


def write_warc(path):
    types = {"request": "application/http; msgtype=request", "metadata": "application/warc-fields", "conversion": "text/plain", "resource": "text/html"}
    with open(path, "wb") as out:
        writer = WARCWriter(out, gzip=True, warc_version="WARC/1.1")
        for number, (kind, url, status, headers, body) in enumerate(web_archive()):
            warc_headers = {"WARC-Record-ID": f"<urn:uuid:00000000-0000-4000-8000-{number:012}>", "WARC-Date": DATE}
            http = None
            if kind == "response":
                http = StatusAndHeaders(status, headers + [("Content-Length", str(len(body)))], protocol="HTTP/1.1")
            elif kind == "request":
                http = StatusAndHeaders("GET /plain HTTP/1.1", [("Host", "example.org")], is_http_request=True)
            extra = {} if http else {"warc_content_type": types[kind]}
            writer.write_record(writer.create_warc_record(url, kind, payload=io.BytesIO(body), http_headers=http, warc_headers_dict=warc_headers, **extra))


def read_warc(path):
    found = []
    with open(path, "rb") as file:
        for number, record in enumerate(ArchiveIterator(file), 1):
            known = record.rec_headers.get_header
            http = record.http_headers
            found.append({
                "number": number,
                "type": record.rec_type,
                "url": known("WARC-Target-URI"),
                "date": known("WARC-Date"),
                "digest": known("WARC-Payload-Digest"),
                "status": http.get_statuscode() if http and record.rec_type == "response" else None,
                "content_type": http.get_header("Content-Type") if http else known("Content-Type"),
                "body": base64.b64encode(record.content_stream().read()).decode(),
            })
    return found


def parquet():
    rows = 120
    table = pa.table({
        "text": [f"Row {n} has some text, été comme hiver. " * (n % 7) for n in range(rows)],
        "id": [f"row-{n}" for n in range(rows)],
        "url": [None if n % 5 == 0 else f"https://example.org/{n % 11}" for n in range(rows)],
        "score": [n / 4 for n in range(rows)],
        "tags": [[f"t{k}" for k in range(n % 3)] for n in range(rows)],
        "nested": [{"a": n, "b": str(n)} for n in range(rows)],
    })
    for codec in ["none", "snappy", "gzip", "zstd", "brotli"]:
        for version in ["1.0", "2.0"]:
            path = FOLDER / f"{codec}-v{version[0]}.parquet"
            pq.write_table(table, path, compression=codec, data_page_version=version, row_group_size=50, data_page_size=2000)
    nothing = pa.table({"content": ["a"], "name": ["b"]})
    pq.write_table(nothing, FOLDER / "no-text.parquet", compression="none")
    long = pa.table({"text": ["short", "x" * 1000, "also"]})
    pq.write_table(long, FOLDER / "long.parquet", compression="snappy")
    nulls = pa.table({"text": ["a", None, "c"], "number": pa.array([1, 2, 3], pa.int64())})
    pq.write_table(nulls, FOLDER / "nulls.parquet", compression="snappy")


def packed():
    """The same lines in three parts, by other settings each."""
    lines = [f"line {n} {n * 0x9E3779B9 % 2**32:x}\n".encode() for n in range(3000)]
    parts = [b"".join(lines[at : at + 1000]) for at in (0, 1000, 2000)]
    named = io.BytesIO()
    with gzip.GzipFile("name.txt", "wb", 1, named, mtime=1) as file:
        file.write(parts[0])
    (FOLDER / "lines.gz").write_bytes(named.getvalue() + gzip.compress(parts[1], 9, mtime=0) + gzip.compress(parts[2], 0, mtime=0))
    (FOLDER / "lines.bz2").write_bytes(b"".join(bz2.compress(part, level) for part, level in zip(parts, (1, 5, 9))))
    frames = [
        zstandard.ZstdCompressor(level=1, write_checksum=True).compress(parts[0]),
        zstandard.ZstdCompressor(level=19, write_content_size=False).compress(parts[1]),
        b"\x51\x2a\x4d\x18\x03\0\0\0abc",
        zstandard.ZstdCompressor(level=-5, write_checksum=True).compress(parts[2]),
    ]
    (FOLDER / "lines.zst").write_bytes(b"".join(frames))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_warc(FOLDER / "crawl.warc.gz")
    records = read_warc(FOLDER / "crawl.warc.gz")
    (FOLDER / "crawl.json").write_text(json.dumps(records, indent=1) + "\n")
    parquet()
    packed()


if __name__ == "__main__":
    main()
