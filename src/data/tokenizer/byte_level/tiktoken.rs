//! Files of ranks as `tiktoken` has them: lines of a token's bytes in base64, a space, and its rank, which is its id.

use super::{ByteLevel, Parts, Pattern};
use crate::data::tokenizer::{hash::Map, merges::Merges};

/// More ranks than any vocabulary has: a bound on memory.
const MOST: u32 = 1 << 22;
/// More bytes than any token has: a bound on time, as a token is cut everywhere.
const LONGEST: usize = 1024;

/// Tokens by rank; empty where there is none.
pub(in crate::data::tokenizer) struct Ranks {
    tokens: Vec<Box<[u8]>>,
}

/// Published vocabularies by their number of ranks: their pattern, and their special tokens by id, the one that opens
/// documents first (openai/tiktoken `tiktoken_ext/openai_public.py`; meta-llama/llama3 `llama/tokenizer.py`).
fn published(count: usize) -> (Pattern, Vec<(String, u32)>) {
    let named = |name: &str, id: u32| (name.to_string(), id);
    match count {
        50_256 => (Pattern::Gpt2, vec![named("<|endoftext|>", 50_256)]),
        100_256 => {
            let fim = [("<|fim_prefix|>", 100_258), ("<|fim_middle|>", 100_259), ("<|fim_suffix|>", 100_260), ("<|endofprompt|>", 100_276)];
            let rest = fim.map(|(name, id)| named(name, id));
            (Pattern::Gpt4, std::iter::once(named("<|endoftext|>", 100_257)).chain(rest).collect())
        }
        128_000 => {
            let first = ["<|begin_of_text|>", "<|end_of_text|>"].map(str::to_string).into_iter();
            let second = (0..4).map(|i| format!("<|reserved_special_token_{i}|>"));
            let third = ["<|start_header_id|>", "<|end_header_id|>", "<|reserved_special_token_4|>", "<|eot_id|>"].map(str::to_string);
            let last = (5..251).map(|i| format!("<|reserved_special_token_{i}|>"));
            (Pattern::Gpt4, first.chain(second).chain(third).chain(last).zip(128_000..).collect())
        }
        other => (Pattern::Gpt4, vec![named("<|endoftext|>", other as u32)]),
    }
}

/// Whether a file begins as one of ranks does.
pub(in crate::data::tokenizer) fn looks_like_ranks(bytes: &[u8]) -> bool {
    let line = bytes.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    line.is_some_and(|line| line.len() < 4096 && parse(line.trim_ascii()).is_some())
}

fn parse(line: &[u8]) -> Option<(Box<[u8]>, u32)> {
    let space = line.iter().position(|&byte| byte == b' ')?;
    let rank = std::str::from_utf8(&line[space + 1..]).ok()?.parse().ok()?;
    Some((base64(&line[..space])?.into(), rank))
}

/// Standard base64 with padding.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    if text.is_empty() || !text.len().is_multiple_of(4) {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for four in digits.chunks(4) {
        let mut sum = 0_u32;
        for &byte in four {
            sum = sum << 6 | u32::from(digit(byte)?);
        }
        sum <<= 6 * (4 - four.len());
        out.extend_from_slice(&sum.to_be_bytes()[1..four.len()]);
    }
    Some(out)
}

impl Ranks {
    pub(in crate::data::tokenizer) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut tokens: Vec<Box<[u8]>> = Vec::new();
        for (number, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let wrong = |what: &str| format!("line {}: {what}", number + 1);
            let (token, rank) = parse(line).ok_or_else(|| wrong("not a token in base64 and a rank"))?;
            if token.is_empty() {
                return Err(wrong("an empty token"));
            }
            if token.len() > LONGEST {
                return Err(wrong("a token of more than 1024 bytes"));
            }
            if rank >= MOST || rank as usize > tokens.len() + bytes.len() {
                return Err(wrong("a rank beyond any vocabulary"));
            }
            if tokens.len() <= rank as usize {
                tokens.resize(rank as usize + 1, Box::default());
            }
            if !tokens[rank as usize].is_empty() {
                return Err(wrong("a rank that is taken"));
            }
            tokens[rank as usize] = token;
        }
        if tokens.is_empty() {
            return Err("holds no ranks".into());
        }
        Ok(Self { tokens })
    }

    pub(in crate::data::tokenizer) fn vocab(&self) -> usize {
        let (_, special) = published(self.tokens.len());
        special.iter().map(|(_, id)| *id as usize + 1).max().unwrap_or(0).max(self.tokens.len())
    }

    /// The tokenizer: of two neighbours those merge first that make the token of the lowest rank.
    pub(super) fn tokenizer(self) -> Result<ByteLevel, String> {
        let (pattern, special) = published(self.tokens.len());
        let ids: Map<&[u8], u32> = self.tokens.iter().enumerate().map(|(id, token)| (&**token, id as u32)).collect();
        if ids.len() < self.tokens.iter().filter(|token| !token.is_empty()).count() {
            return Err("holds a token twice".into());
        }
        let mut merges = Merges::default();
        // What merging makes of each token without its own rank: the pair that files of merges list.
        let mut ranked = Vec::new();
        for (rank, token) in self.tokens.iter().enumerate().filter(|(_, token)| token.len() > 1) {
            let spelled: Option<Vec<u32>> = token.iter().map(|byte| ids.get(&[*byte][..]).copied()).collect();
            if let Some(mut spelled) = spelled {
                merges.merge(&mut spelled, 0);
                if let [left, right] = spelled[..] {
                    ranked.push((left, right));
                }
            }
            for at in 1..token.len() {
                if let (Some(&left), Some(&right)) = (ids.get(&token[..at]), ids.get(&token[at..])) {
                    merges.add(left, right, rank as u32, rank as u32);
                }
            }
        }
        drop(ids);
        ByteLevel::new(Parts { tokens: self.tokens, special, ranked, whole: true, pattern }, Some(merges))
    }
}
