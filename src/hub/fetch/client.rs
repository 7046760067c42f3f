//! The hub's protocol, as far as it is needed: what a revision holds, where a file is, its bytes from some point on.

use super::Place;
use crate::settings::{Error, Result};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
    time::Duration,
};
use ureq::{Agent, RequestBuilder, http::Response, typestate::WithoutBody};

/// Longest answer that lists files.
const LISTING: u64 = 64 << 20;
/// Attempts at a download that breaks off.
const ATTEMPTS: usize = 5;
/// Places that one address may lead to, one behind the other.
const PLACES: usize = 10;

/// Who asks.
pub struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
}

/// What a revision is.
pub struct Listing {
    /// Its commit.
    pub commit: String,
    /// Its files.
    pub files: Vec<String>,
}

/// A file on a hub.
#[derive(Debug)]
pub struct Found {
    /// Its address.
    pub address: String,
    /// Its checksum: SHA-256, or SHA-1 of Git.
    pub etag: String,
    /// Its bytes.
    pub size: u64,
}

impl Client {
    pub fn new(place: &Place) -> Self {
        let config = Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(20)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .http_status_as_error(false)
            // Where an answer leads is looked at here.
            .max_redirects(0)
            .user_agent(concat!("ablate/", env!("CARGO_PKG_VERSION")));
        Self { agent: config.build().into(), endpoint: place.endpoint.clone(), token: place.token.clone() }
    }

    /// What a revision of a model holds.
    pub fn listing(&self, model: &str, revision: &str) -> Result<Listing> {
        let address = format!("{}/api/models/{model}/revision/{}", self.endpoint, escaped(revision));
        let mut response = self.get(&address, 0)?;
        let text = response.body_mut().with_config().limit(LISTING).read_to_string().map_err(|error| unreachable(&address, &error))?;
        let wrong = || Error::input(&address, "answers what no hub answers", "check HF_ENDPOINT");
        let value: Value = serde_json::from_str(&text).map_err(|_| wrong())?;
        let commit = value["sha"].as_str().filter(|sha| !sha.is_empty() && sha.chars().all(|c| c.is_ascii_hexdigit())).ok_or_else(wrong)?;
        let siblings = value["siblings"].as_array().ok_or_else(wrong)?;
        let files = siblings.iter().filter_map(|it| it["rfilename"].as_str().map(str::to_string)).collect();
        Ok(Listing { commit: commit.to_string(), files })
    }

    /// Where a file of a commit is, and what it must be.
    pub fn find(&self, model: &str, commit: &str, name: &str) -> Result<Found> {
        let address = format!("{}/{model}/resolve/{commit}/{}", self.endpoint, escaped(name));
        // A model that was renamed is led to by the hub itself. The checksum of large files is told before the way leads to where
        // they are stored.
        let on = |response: &Response<ureq::Body>, next: &str| !response.headers().contains_key("x-linked-etag") && self.is_hub(next);
        let (address, response) = self.followed(&address, |at| self.agent.head(at), on)?;
        let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let etag = text("x-linked-etag").or_else(|| text("etag")).map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_string());
        let size = text("x-linked-size").or_else(|| text("content-length")).and_then(|size| size.parse().ok());
        // A checksum becomes the name of a file.
        let plain = |etag: &String| !etag.is_empty() && etag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        match (etag.filter(plain), size) {
            (Some(etag), Some(size)) => Ok(Found { address, etag, size }),
            _ => Err(Error::input(&address, "comes without checksum and length", "check HF_ENDPOINT")),
        }
    }

    /// Brings what is missing of a file, in several attempts if it breaks off.
    pub fn bring(&self, found: &Found, path: &Path, done: &dyn Fn(u64)) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        }
        let mut left = ATTEMPTS;
        loop {
            let here = fs::metadata(path).map_or(0, |data| data.len());
            if here > found.size {
                fs::remove_file(path).map_err(Error::io("remove", path))?;
                continue;
            }
            done(here);
            if here == found.size && path.exists() {
                return Ok(());
            }
            left -= 1;
            match self.some(found, path, here, done) {
                Ok(()) if fs::metadata(path).is_ok_and(|data| data.len() >= found.size) => return Ok(()),
                Err(Broken::Here(error)) => return Err(Error::io("write", path)(error)),
                Err(Broken::There(error)) if left == 0 => return Err(error),
                Ok(()) if left == 0 => {
                    return Err(Error::input(&found.address, "breaks off again and again", "fetch again: it goes on where it ended"));
                }
                _ => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }

    /// One attempt, from byte `here` on.
    fn some(&self, found: &Found, path: &Path, here: u64, done: &dyn Fn(u64)) -> Result<(), Broken> {
        let mut response = self.get(&found.address, here).map_err(Broken::There)?;
        // Who does not know ranges sends everything.
        let goes_on = response.status() == 206;
        let mut file = File::options().create(true).append(goes_on).write(true).truncate(!goes_on).open(path).map_err(Broken::Here)?;
        let mut at = if goes_on { here } else { 0 };
        let mut body = response.body_mut().with_config().limit(found.size + 1).reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match body.read(&mut buffer) {
                Ok(0) => return file.sync_all().map_err(Broken::Here),
                Ok(read) => {
                    file.write_all(&buffer[..read]).map_err(Broken::Here)?;
                    at += read as u64;
                    done(at.min(found.size));
                }
                Err(error) => return Err(Broken::There(unreachable(&found.address, &error))),
            }
        }
    }

    fn get(&self, address: &str, from: u64) -> Result<Response<ureq::Body>> {
        let request = |at: &str| {
            let request = self.agent.get(at);
            if from > 0 { request.header("range", format!("bytes={from}-")) } else { request }
        };
        Ok(self.followed(address, request, |_, _| true)?.1)
    }

    /// The answer at an address, or where that leads, as long as `on` wants to go there; with the address that it is from. Who one
    /// is, is told to the hub alone: where large files are stored is somebody else's.
    fn followed(
        &self,
        address: &str,
        request: impl Fn(&str) -> RequestBuilder<WithoutBody>,
        on: impl Fn(&Response<ureq::Body>, &str) -> bool,
    ) -> Result<(String, Response<ureq::Body>)> {
        let mut at = address.to_string();
        for _ in 0..PLACES {
            let request = match &self.token {
                Some(token) if self.is_hub(&at) => request(&at).header("authorization", format!("Bearer {token}")),
                _ => request(&at),
            };
            let response = self.sent(&at, request.call())?;
            let location = response.headers().get("location").and_then(|location| location.to_str().ok());
            match location.filter(|_| response.status().is_redirection()).map(|location| led(&at, location)) {
                Some(next) if on(&response, &next) => at = next,
                _ => return Ok((at, response)),
            }
        }
        Err(Error::input(address, "leads on and on", "check HF_ENDPOINT"))
    }

    fn is_hub(&self, address: &str) -> bool {
        origin(address).eq_ignore_ascii_case(origin(&self.endpoint))
    }

    fn sent(&self, address: &str, response: std::result::Result<Response<ureq::Body>, ureq::Error>) -> Result<Response<ureq::Body>> {
        let response = response.map_err(|error| unreachable(address, &error))?;
        let help = match response.status().as_u16() {
            200..=399 => return Ok(response),
            401 | 403 => "accept the model's terms on its page, and set HF_TOKEN",
            404 => "check the name and the revision",
            429 => "wait, and set HF_TOKEN",
            _ => "try again later",
        };
        Err(Error::input(address, format!("answers {}", response.status()), help))
    }
}

/// Why an attempt ended.
enum Broken {
    Here(io::Error),
    There(Error),
}

fn unreachable(address: &str, error: &dyn std::fmt::Display) -> Error {
    Error::input(
        address,
        format!("cannot be reached: {error}"),
        "check the network, HF_ENDPOINT and proxies; HF_HUB_OFFLINE=1 takes what is in the cache",
    )
}

/// Protocol, host and port of an address.
fn origin(address: &str) -> &str {
    let host = address.find("://").map_or(0, |at| at + 3);
    &address[..address[host..].find(['/', '?', '#']).map_or(address.len(), |end| host + end)]
}

/// Where an answer from `address` leads that names a location.
fn led(address: &str, location: &str) -> String {
    let origin = origin(address);
    if location.contains("://") {
        location.to_string()
    } else if location.starts_with("//") {
        format!("{}{location}", &origin[..origin.find("//").unwrap_or(0)])
    } else if location.starts_with('/') {
        format!("{origin}{location}")
    } else {
        format!("{}/{location}", address.rsplit_once('/').map_or(address, |(folder, _)| folder))
    }
}

/// A part of an address.
fn escaped(part: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    part.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_lead_where_they_say() {
        let from = "https://hub.test:8/a/b?c=/d";
        for (location, to) in
            [("/x/y", "https://hub.test:8/x/y"), ("http://other.test/x", "http://other.test/x"), ("//other.test/x", "https://other.test/x")]
        {
            assert_eq!(led(from, location), to);
        }
        assert_eq!(led("https://hub.test/a/b", "x"), "https://hub.test/a/x");
        assert_eq!((origin(from), origin("http://hub.test")), ("https://hub.test:8", "http://hub.test"));
        // Who the hub is, is not a matter of how its name begins.
        assert_ne!(origin("https://hub.test@evil.test/"), origin("https://hub.test"));
        assert_ne!(origin("https://hub.test.evil.test/"), origin("https://hub.test"));
    }
}
