//! BPE as SentencePiece does it: of two neighbours those merge first that make the piece of the highest score
//! (google/sentencepiece@2734490 `src/bpe_model.cc`).

use super::{
    super::{hash::Map, merges::Merges, trie::Trie},
    model::{Kind, Model},
};

/// Merges by score.
#[derive(Clone, Debug)]
pub(super) struct Pairs {
    /// Ids of single characters. Characters that are only found inside pieces have ids beyond the vocabulary.
    characters: Map<u32, u32>,
    merges: Merges,
    /// The characters of the ids beyond the vocabulary.
    lone: Vec<char>,
    vocab: u32,
    bytes: Option<[u32; 256]>,
    unknown: u32,
}

fn single(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

impl Pairs {
    pub(super) fn new(model: &Model, bytes: Option<[u32; 256]>, unknown: u32) -> Result<Self, String> {
        let vocab = model.pieces.len() as u32;
        let mut ids: Map<&str, u32> = Map::default();
        for (id, piece) in model.pieces.iter().enumerate() {
            if matches!(piece.kind, Kind::Normal | Kind::UserDefined) && ids.insert(&piece.text, id as u32).is_some() {
                return Err(format!("the piece {} is there twice", piece.text));
            }
        }
        let mut characters: Map<u32, u32> = Map::default();
        let mut lone = Vec::new();
        for piece in &model.pieces {
            for c in piece.text.chars().filter(|_| piece.kind == Kind::Normal) {
                characters.entry(c as u32).or_insert_with(|| {
                    ids.get(c.encode_utf8(&mut [0; 4]) as &str).copied().unwrap_or_else(|| {
                        lone.push(c);
                        vocab + lone.len() as u32 - 1
                    })
                });
            }
        }
        let mut scores: Vec<f32> = model.pieces.iter().map(|piece| piece.score).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores.dedup();
        let mut merges = Merges::default();
        for (id, piece) in model.pieces.iter().enumerate().filter(|(_, piece)| piece.kind == Kind::Normal) {
            let rank = scores.partition_point(|score| *score > piece.score) as u32;
            let side = |text: &str| match single(text) {
                Some(c) => characters.get(&(c as u32)).copied(),
                None => ids.get(text).copied(),
            };
            // A symbol that the user defined merges with nothing.
            let merging = |id: &u32| model.pieces.get(*id as usize).is_none_or(|piece| piece.kind == Kind::Normal);
            for (at, _) in piece.text.char_indices().skip(1) {
                let (left, right) = piece.text.split_at(at);
                if let (Some(left), Some(right)) = (side(left).filter(merging), side(right).filter(merging)) {
                    merges.add(left, right, rank, id as u32);
                }
            }
        }
        // A token such as <s> that is a single character would be found in text.
        for (id, piece) in model.pieces.iter().enumerate().filter(|(_, piece)| !matches!(piece.kind, Kind::Normal | Kind::UserDefined)) {
            if let Some(c) = single(&piece.text) {
                characters.insert(c as u32, id as u32);
            }
        }
        Ok(Self { characters, merges, lone, vocab, bytes, unknown })
    }

    pub(super) fn encode(&self, word: &str, user: Option<&Trie>, ids: &mut Vec<u32>) {
        let from = ids.len();
        let mut rest = word;
        while let Some(c) = rest.chars().next() {
            if let Some((length, id)) = user.and_then(|user| user.longest(rest.as_bytes())) {
                ids.push(id);
                rest = &rest[length..];
                continue;
            }
            match self.characters.get(&(c as u32)) {
                Some(&id) => ids.push(id),
                None => self.spell(c, ids),
            }
            rest = &rest[c.len_utf8()..];
        }
        self.merges.merge(ids, from);
        if !self.lone.is_empty() && ids[from..].iter().any(|id| *id >= self.vocab) {
            for id in ids.split_off(from) {
                match id.checked_sub(self.vocab) {
                    Some(index) => self.spell(self.lone[index as usize], ids),
                    None => ids.push(id),
                }
            }
        }
    }

    fn spell(&self, c: char, ids: &mut Vec<u32>) {
        match &self.bytes {
            Some(bytes) => ids.extend(c.encode_utf8(&mut [0; 4]).bytes().map(|byte| bytes[byte as usize])),
            None => ids.push(self.unknown),
        }
    }

    /// All merges of two pieces, best first, as files of merges list them.
    pub(super) fn listed<'a>(&self, model: &'a Model) -> Vec<[&'a str; 2]> {
        let ids: Map<&str, usize> =
            model.pieces.iter().enumerate().filter(|(_, piece)| piece.kind == Kind::Normal).map(|(id, piece)| (&*piece.text, id)).collect();
        let mut best: Vec<usize> = ids.values().copied().collect();
        best.sort_by(|a, b| model.pieces[*b].score.total_cmp(&model.pieces[*a].score).then(a.cmp(b)));
        let mut listed = Vec::new();
        for id in best {
            let text = &*model.pieces[id].text;
            let mut cuts: Vec<(usize, usize, usize)> =
                text.char_indices().skip(1).filter_map(|(at, _)| Some((*ids.get(&text[..at])?, *ids.get(&text[at..])?, at))).collect();
            cuts.sort_unstable();
            listed.extend(cuts.into_iter().map(|(.., at)| [&text[..at], &text[at..]]));
        }
        listed
    }
}
