//! Names of the formats.

/// A format of another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Event files of TensorBoard, one per run.
    TensorBoard,
    /// One table, comma-separated.
    Csv,
    /// The same table, a JSON object per line.
    JsonLines,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::TensorBoard, Self::Csv, Self::JsonLines];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::TensorBoard => "tensorboard",
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| format!("expected one of {}", names()))
    }
}
