//! Where the hub and its cache are, by the environment variables of `huggingface_hub`.

use std::{env, fs, path::PathBuf};

/// Where the hub and its cache are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Address of the hub, without a slash at its end: `HF_ENDPOINT`, or the public one.
    pub endpoint: String,
    /// The cache: `HF_HUB_CACHE`, `HF_HOME/hub`, `XDG_CACHE_HOME/huggingface/hub` or `~/.cache/huggingface/hub`.
    pub cache: PathBuf,
    /// What says who one is, for models that ask: `HF_TOKEN`, or the file `HF_TOKEN_PATH` or `HF_HOME/token`.
    pub token: Option<String>,
    /// `HF_HUB_OFFLINE`: nothing is fetched.
    pub offline: bool,
}

impl Place {
    /// By the environment.
    pub fn from_environment() -> Self {
        Self::from(&|name| env::var(name).ok().filter(|value| !value.trim().is_empty()))
    }

    fn from(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let folder = |name: &str| variable(name).map(PathBuf::from);
        let user = || folder("HOME").or_else(|| folder("USERPROFILE")).unwrap_or_default();
        let home =
            folder("HF_HOME").unwrap_or_else(|| folder("XDG_CACHE_HOME").unwrap_or_else(|| user().join(".cache")).join("huggingface"));
        let cache = folder("HF_HUB_CACHE").or_else(|| folder("HUGGINGFACE_HUB_CACHE")).unwrap_or_else(|| home.join("hub"));
        let file = folder("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
        let token = variable("HF_TOKEN").or_else(|| variable("HUGGING_FACE_HUB_TOKEN")).or_else(|| fs::read_to_string(file).ok());
        let on = |name: &str| variable(name).is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.to_lowercase().as_str()));
        Self {
            endpoint: variable("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into()).trim_end_matches('/').to_string(),
            cache,
            token: token.map(|token| token.trim().to_string()).filter(|token| !token.is_empty()),
            offline: on("HF_HUB_OFFLINE") || on("TRANSFORMERS_OFFLINE"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(variables: &[(&str, &str)]) -> Place {
        let variables: Vec<(String, String)> = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Place::from(&move |name| variables.iter().find(|it| it.0 == name).map(|it| it.1.clone()))
    }

    #[test]
    fn variables_are_those_of_the_hubs_own_library() {
        let usual = place(&[("HOME", "/u")]);
        assert_eq!((usual.endpoint.as_str(), usual.cache), ("https://huggingface.co", PathBuf::from("/u/.cache/huggingface/hub")));
        assert!(usual.token.is_none() && !usual.offline);
        assert_eq!(place(&[("HOME", "/u"), ("XDG_CACHE_HOME", "/c")]).cache, PathBuf::from("/c/huggingface/hub"));
        assert_eq!(place(&[("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/c")]).cache, PathBuf::from("/h/hub"));
        assert_eq!(place(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/x")]).cache, PathBuf::from("/x"));
        let other = place(&[("HF_ENDPOINT", "http://localhost:1/"), ("HF_TOKEN", " t\n"), ("HF_HUB_OFFLINE", "1")]);
        assert_eq!((other.endpoint.as_str(), other.token.as_deref(), other.offline), ("http://localhost:1", Some("t"), true));
    }
}
