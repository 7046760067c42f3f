//! Classes of characters: `lang/char_classes.py`.

use crate::data::pipeline::filter::class::Class;
use std::sync::LazyLock;

/// Quotes but for those of ASCII.
const QUOTES: &str = r"”“‘´’‚„»«「」『』（）〔〕【】《》〈〉⟦⟧\x{2329}\x{232A}";

/// Other punctuation above ASCII that is taken from both ends.
const MARKS: &str = "…¿؟¡。？！，、；：～·।،۔؛٪—–";

const CURRENCY: &str = "£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₾₿";

/// Letters that have case, and those of scripts without.
const CASED: &str = concat!(
    r"A-Za-z\xC0-\xD6\xD8-\xF6\xF8-\x{1BF}\x{1C4}-\x{2AF}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{38F}\x{391}-\x{3A9}",
    r"\x{3AC}-\x{3AF}\x{3B1}-\x{3C9}\x{3CC}-\x{3CE}\x{400}-\x{401}\x{403}-\x{40A}\x{40C}-\x{40D}\x{410}-\x{451}\x{453}-\x{45A}",
    r"\x{45C}-\x{45D}\x{490}-\x{491}\x{496}-\x{497}\x{4A2}-\x{4A3}\x{4AE}-\x{4AF}\x{4BA}-\x{4BB}\x{4D8}-\x{4D9}\x{4E8}-\x{4E9}",
    r"\x{1D00}-\x{1D25}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1EFF}\x{2C60}-\x{2C7B}\x{2C7E}-\x{2C7F}\x{A722}-\x{A76F}",
    r"\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{A790}-\x{A7B9}\x{A7FA}\x{AB30}-\x{AB5A}\x{AB60}-\x{AB64}\x{FF21}-\x{FF3A}",
    r"\x{FF41}-\x{FF5A}",
);
const UNCASED: &str = concat!(
    r"\x{591}-\x{5F4}\x{620}-\x{64A}\x{66E}-\x{6D5}\x{6E5}-\x{6FF}\x{750}-\x{77F}\x{8A0}-\x{8BD}\x{900}-\x{9FF}\x{B80}-\x{CFF}",
    r"\x{D80}-\x{DFF}\x{1100}-\x{137F}\x{2E80}-\x{2FDF}\x{2FF0}-\x{30FF}\x{31C0}-\x{31EF}\x{3200}-\x{4DBF}\x{4E00}-\x{9FFF}",
    r"\x{AC00}-\x{D7AF}\x{F900}-\x{FAFF}\x{FB1D}-\x{FBB1}\x{FBD3}-\x{FD3D}\x{FD50}-\x{FDC7}\x{FDF0}-\x{FDFB}\x{FE30}-\x{FE4F}",
    r"\x{FE70}-\x{FEFC}\x{1EE00}-\x{1EEBB}\x{1F200}-\x{1F2FF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2EBEF}\x{2F800}-\x{2FA1F}",
);

/// The classes of `lang/char_classes.py`.
pub(super) struct Classes {
    /// Letters.
    pub alpha: Class,
    /// Letters that are not upper case.
    pub lower: Class,
    /// Letters that are not lower case.
    pub upper: Class,
    /// Symbols (emoji, arrows, …): the category So as it was in Unicode 11.
    pub icons: Class,
    /// Characters above ASCII that are taken from both ends.
    pub ends: Class,
    /// Quotes above ASCII.
    pub quotes: Class,
    /// Signs of currencies.
    pub currency: Class,
}

pub(super) static CLASSES: LazyLock<Classes> = LazyLock::new(|| Classes {
    alpha: Class::new(&format!("[{CASED}{UNCASED}]")),
    lower: Class::new(&format!(r"[{UNCASED}\x{{294}}[\p{{Ll}}&&[{CASED}]]]")),
    upper: Class::new(&format!(r"[{UNCASED}\x{{3A2}}[\p{{Lu}}&&[{CASED}]]]")),
    icons: Class::new(r"[[\p{So}&&\p{Age:11.0}]--[\x{166D}\x{2BC9}]]"),
    ends: Class::new(&format!("[{QUOTES}{MARKS}]")),
    quotes: Class::new(&format!("[{QUOTES}]")),
    currency: Class::new(&format!("[${CURRENCY}]")),
});
