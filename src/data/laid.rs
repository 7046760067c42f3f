//! The sources of a text, laid out in rows for a training context.

use super::{
    CorpusConfig, DataSpec,
    order::{Drawn, Permutation},
    packing::{Packed, Packing, Rows},
    prepare::Source,
};
use crate::random::{Purpose, generator};
use rand::Rng;

/// A row of training tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// `context` + 1 tokens, each the target of the one before.
    Window(Vec<u32>),
    /// `context` inputs with the targets that count.
    Packed(Packed),
}

/// Rows of all sources, by number.
#[derive(Debug)]
pub(super) struct Laid {
    pub context: usize,
    sources: Vec<Files>,
}

/// The files of a source.
#[derive(Debug)]
struct Files {
    /// Packed rows of each file; none where rows are windows.
    packed: Option<Vec<Rows>>,
    /// Rows up to the beginning of each file, and behind the last of them the number of all.
    starts: Vec<u64>,
}

impl Laid {
    /// Rows of `context` tokens; `opening` opens documents.
    pub fn new(sources: &[Source], spec: &DataSpec, context: usize, opening: u32) -> Self {
        let parts = spec.corpus.parts();
        let lay = |(source, (_, corpus)): (&Source, &(&str, &CorpusConfig))| {
            let opening = match corpus {
                CorpusConfig::Shards { opening: Some(own), .. } => *own,
                _ => opening,
            };
            let packed = (spec.packing != Packing::Concatenate).then(|| {
                source.files.iter().map(|file| Rows::new(&file.documents(opening), context, spec.packing, opening)).collect::<Vec<_>>()
            });
            let mut starts = vec![0];
            for (number, file) in source.files.iter().enumerate() {
                let rows = packed.as_ref().map_or((file.ids.len().saturating_sub(1) / context) as u64, |packed| packed[number].len());
                starts.push(starts[number] + rows);
            }
            Files { packed, starts }
        };
        Self { context, sources: sources.iter().zip(&parts).map(lay).collect() }
    }

    /// Rows of a source.
    pub fn rows(&self, source: usize) -> u64 {
        *self.sources[source].starts.last().expect("there is a last number")
    }

    /// Where a draw from a source lies: its file, and the row in it. An epoch visits every row once, in an order drawn from
    /// (seed, source, epoch).
    fn place(&self, sources: &[Source], seed: u64, drawn: Drawn) -> (usize, u64) {
        let rows = self.rows(drawn.source);
        assert!(rows > 0, "require_context was not asked");
        let name = &sources[drawn.source].name;
        // A text of one source has the order that it had before there were mixtures.
        let seed = if name.is_empty() { seed } else { generator(seed, Purpose::DataOrder, &format!("source {name}")).next_u64() };
        let row = Permutation::new(seed, drawn.nth / rows, rows).at(drawn.nth % rows);
        let starts = &self.sources[drawn.source].starts;
        let file = starts.partition_point(|start| *start <= row) - 1;
        (file, row - starts[file])
    }

    /// Reads what was drawn.
    pub fn read(&self, sources: &[Source], seed: u64, drawn: Drawn) -> Row {
        let (file, row) = self.place(sources, seed, drawn);
        let ids = &sources[drawn.source].files[file].ids;
        match &self.sources[drawn.source].packed {
            Some(packed) => Row::Packed(packed[file].row(ids, row)),
            None => Row::Window(ids.read(row as usize * self.context, self.context + 1)),
        }
    }

    /// Targets of what was drawn, without reading it.
    pub fn targets(&self, sources: &[Source], seed: u64, drawn: Drawn) -> usize {
        let (file, row) = self.place(sources, seed, drawn);
        self.sources[drawn.source].packed.as_ref().map_or(self.context, |packed| packed[file].targets(row))
    }
}
