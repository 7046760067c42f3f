//! Models from a hub, in the standard cache that `huggingface_hub` and all that is built on it share.

mod cache;
mod client;
mod place;

pub use cache::model_name;
pub use place::Place;

use crate::settings::{Error, Result};
use cache::Cache;
use client::{Client, Found};
use std::path::{Path, PathBuf};

/// Told of a file, how many of its bytes are here, and how many it has.
pub type Downloading<'a> = &'a dyn Fn(&str, u64, u64);

/// Fetches the files of a model that [`super::import`] reads, as far as they are not here yet; answers with their folder.
///
/// Interrupted downloads go on where they ended. What has come is held against the checksum that the hub names: SHA-256 of
/// weights, the blob's SHA-1 of Git of all others.
///
/// # Errors
///
/// A name that is none, a hub that is not there or does not have the model, or wants a token; a file that is not what the
/// hub says it is; without a network, a model that is not in the cache.
pub fn fetch(model: &str, revision: &str, place: &Place, downloading: Downloading) -> Result<PathBuf> {
    check_name(model)?;
    let cache = Cache::of(&place.cache, model);
    if place.offline {
        return cache.snapshot(revision).ok_or_else(|| {
            let help = "unset HF_HUB_OFFLINE to fetch it";
            Error::input(model, format!("revision {revision} is not in {}", place.cache.display()), help)
        });
    }
    let client = Client::new(place);
    let listing = client.listing(model, revision)?;
    let wanted: Vec<&String> = listing.files.iter().filter(|name| is_wanted(name)).collect();
    if !wanted.iter().any(|name| name.ends_with(".safetensors")) {
        let help = "ask its authors for safetensors, or convert it with transformers";
        return Err(Error::input(model, "has no weights in safetensors", help));
    }
    let folder = cache.folder(&listing.commit);
    for name in wanted {
        if folder.join(name).exists() {
            continue;
        }
        let found = client.find(model, &listing.commit, name)?;
        let blob = cache.blob(&found.etag);
        if !blob.exists() {
            download(&client, &found, &blob, &|done| downloading(name, done, found.size))?;
        }
        cache.link(&listing.commit, name, &found.etag)?;
    }
    cache.remember(revision, &listing.commit)?;
    Ok(folder)
}

/// `name` or `owner/name`, of what such names are made of: nothing that leads out of the cache.
fn check_name(model: &str) -> Result<()> {
    let part = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !part.is_empty() && part.len() <= 96 && part.chars().all(plain) && !part.starts_with('.') && !part.contains("..")
    };
    let parts: Vec<&str> = model.split('/').collect();
    if parts.len() <= 2 && parts.iter().all(|it| part(it)) {
        return Ok(());
    }
    Err(Error::input(model, "is no name of a model", "write owner/name, as the address of its page has it"))
}

/// Whether a file of a model is one that is read: options, weights, tokenizer.
fn is_wanted(name: &str) -> bool {
    let plain = !name.contains(['/', '\\']) && name != "." && name != "..";
    let known = [super::CONFIG, super::TOKENIZER, super::shards::INDEX].into_iter().chain(super::COMPANIONS);
    plain && (name.ends_with(".safetensors") || known.into_iter().any(|it| it == name))
}

/// Brings a blob to its place, from where an earlier attempt ended, and verifies it.
fn download(client: &Client, found: &Found, blob: &Path, done: &dyn Fn(u64)) -> Result<()> {
    let mut name = blob.file_name().unwrap_or_default().to_os_string();
    name.push(".incomplete");
    let part = blob.with_file_name(name);
    client.bring(found, &part, done)?;
    if let Err(message) = cache::verify(&part, found) {
        // Going on from what is wrong would be wrong again.
        let _ = std::fs::remove_file(&part);
        return Err(Error::input(&found.address, message, "fetch again; if that does not help, the hub's copy is damaged"));
    }
    std::fs::rename(&part, blob).map_err(Error::io("rename", &part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        for good in ["gpt2", "EleutherAI/pythia-70m", "a/b.c_d-e"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "/", "a/", "/a", "a/b/c", "../a", "a/..", "a/.b", "a b", "a/b?x", "a\\b", "é/a"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(is_wanted("model-00001-of-00002.safetensors") && is_wanted("config.json") && is_wanted("tokenizer.json"));
        assert!(!is_wanted("pytorch_model.bin") && !is_wanted("onnx/model.safetensors") && !is_wanted("..\\x.safetensors"));
    }
}
