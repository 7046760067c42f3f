//! Models in the layout of Hugging Face: `config.json`, safetensors, tokenizer files; in and out.
//!
//! ```text
//! config.json ─ Keys ─► Family::read ─► ModelConfig ─ resolve ─► ModelSpec ┐
//! *.safetensors ─ Shards ─► Family::layout(spec) ─ rows of theirs to columns of ours ─► weights by path ─► Transformer
//! ```
//!
//! A family is a file under `families/`: how its options are read, how they are written, and where its tensors lie. What it
//! cannot express is found by reading back what it has written, so no family lists what it lacks.

mod export;
mod families;
mod fetch;
mod folder;
mod gather;
mod gguf;
mod import;
mod keys;
mod layout;
mod pairing;
mod rope;
mod shards;

pub use export::{Exported, Obstacle, differences, export};
pub use families::{Family, families, family};
pub use fetch::{Downloading, Place, fetch, model_name};
pub use folder::{COMPANIONS, CONFIG, Files, TOKENIZER, is_model_folder, keep_config, special_tokens, stored_dtype};
pub use gguf::{Described, Quantisation, write_gguf};
pub use import::{Imported, import};
pub use layout::{Entry, Form, Layout, Part};
pub use pairing::repaired;
pub use shards::{Dtype, Shards, Written, write_safetensors};
