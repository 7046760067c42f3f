//! Names that mean something in the 20 Wikipedias of LLaMA (bg ca cs da de en es fr hr hu it nl pl pt ro ru sl sr sv uk).

use std::{collections::HashSet, sync::LazyLock};

/// What a link leads to, as far as its text depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A page: the link has a text.
    Page,
    /// A picture or sound that is shown in place.
    File,
    /// A category or the same article in another language: the link is not shown.
    Unseen,
}

/// Namespace 6 of MediaWiki.
const FILE: &str = "file image файл картинка fitxer imatge soubor fil billede datei bild archivo imagen fichier datoteka slika fájl kép \
    immagine bestand afbeelding plik grafika ficheiro imagem arquivo fișier fişier imagine изображение датотека слика зображення";

/// Namespace 14 of MediaWiki.
const CATEGORY: &str = "category категория categoria kategorie kategori categoría catégorie kategorija kategória categorie kategoria \
    категорија категорія";

/// Codes of Wikipedias: a link that begins with one is not shown.
const LANGUAGES: &str = "aa ab ace ady af ak als alt am ami an ang anp ar arc ary arz as ast atj av avk awa ay az azb ba ban bar bat-smg \
    bbc bcl bdr be be-tarask be-x-old ber bew bg bh bi bjn blk bm bn bo bpy br bs btm bug bxr ca cbk-zam cdo ce ceb ch cho chr chy ckb co \
    cr crh cs csb cu cv cy da dag de dga din diq dsb dtp dty dv dz ee el eml en eo es et eu ext fa fat ff fi fiu-vro fj fo fon fr frp frr \
    fur fy ga gag gan gcr gd gl glk gn gom gor got gpe gsw gu guc gur guw gv ha hak haw he hi hif ho hr hsb ht hu hy hyw hz ia iba id ie \
    ig igl ii ik ilo inh io is it iu ja jam jbo jv ka kaa kab kbd kbp kcg kg kge ki kj kk kl km kn knc ko koi kr krc ks ksh ku kus kv kw \
    ky la lad lb lbe lez lfn lg li lij lld lmo ln lo lrc lt ltg lv lzh mad mai map-bms mdf mg mh mhr mi min mk ml mn mni mnw mo mos mr \
    mrj ms mt mus mwl my myv mzn na nah nan nap nds nds-nl ne new ng nia nl nn no nov nqo nr nrm nso nup nv ny oc olo om or os pa pag pam \
    pap pcd pcm pdc pfl pi pih pl pms pnb pnt ps pt pwn qu rm rmy rn ro roa-rup roa-tara rsk ru rue rup rw sa sah sat sc scn sco sd se sg \
    sh shi shn shy si simple sk skr sl sm smn sn so sq sr srn ss st stq su sv sw syl szl szy ta tay tcy tdd te tet tg th ti tig tk tl tly \
    tn to tok tpi tr trv ts tt tum tw ty tyv udm ug uk ur uz ve vec vep vi vls vo vro wa war wo wuu xal xh xmf yi yo yue za zea zgh zh \
    zh-classical zh-min-nan zh-yue zu";

fn set(words: &'static str) -> HashSet<&'static str> {
    words.split_ascii_whitespace().collect()
}

/// What a link's target is. `[[:File:…]]` and `[[:de:…]]` are pages: their links are shown.
pub(super) fn target(target: &str) -> Target {
    static FILES: LazyLock<HashSet<&str>> = LazyLock::new(|| set(FILE));
    static CATEGORIES: LazyLock<HashSet<&str>> = LazyLock::new(|| set(CATEGORY));
    static CODES: LazyLock<HashSet<&str>> = LazyLock::new(|| set(LANGUAGES));
    let Some((space, _)) = target.split_once(':') else { return Target::Page };
    let space = space.trim_matches([' ', '_', '\n']);
    if space.is_empty() || space.len() > 40 {
        return Target::Page;
    }
    if CODES.contains(space) {
        return Target::Unseen;
    }
    let lower = space.to_lowercase();
    if FILES.contains(lower.as_str()) {
        Target::File
    } else if CATEGORIES.contains(lower.as_str()) {
        Target::Unseen
    } else {
        Target::Page
    }
}

/// Headings of sections that are lists of references, in the 20 languages.
const REFERENCES: &str = "references|notes|footnotes|citations|notes and references|references and notes|works cited|sources|\
    източници|бележки|бележки и източници|referències|notes i referències|notes|reference|poznámky|referencer|noter|fodnoter|kilder|\
    einzelnachweise|anmerkungen|einzelnachweise und anmerkungen|fußnoten|referencias|notas|notas y referencias|références|\
    notes et références|izvori|bilješke|jegyzetek|források|note|bronnen|bronnen, noten en/of referenties|noten|referenties|przypisy|uwagi|\
    referências|notas e referências|referințe|note și referințe|note de subsol|примечания|сноски|источники|sklici|opombe|референце|\
    напомене|извори|reference|napomene|referenser|noter|källor|fotnoter|примітки|джерела|виноски";

/// Headings of sections that are lists of links to other sites.
const EXTERNAL: &str = "external links|външни препратки|enllaços externs|externí odkazy|eksterne henvisninger|eksterne links|weblinks|\
    enlaces externos|liens externes|lien externe|vanjske poveznice|külső hivatkozások|további információk|collegamenti esterni|\
    externe links|externe link|linki zewnętrzne|ligações externas|links externos|legături externe|ссылки|внешние ссылки|\
    zunanje povezave|спољашње везе|спољне везе|spoljašnje veze|externa länkar|посилання|зовнішні посилання";

/// Headings of sections that are lists of links to other articles.
const SEE_ALSO: &str = "see also|вижте също|виж още|vegeu també|související články|podívejte se také na|se også|siehe auch|véase también|\
    vea también|voir aussi|articles connexes|article connexe|povezani članci|vidi još|također pogledajte|kapcsolódó szócikkek|\
    lásd még|voci correlate|zie ook|zobacz też|ver também|vezi și|vezi şi|articole conexe|см. также|смотри также|glej tudi|види још|\
    погледајте још|takođe pogledajte|vidi još|pogledajte još|se även|див. також|дивись також";

/// A kind of section that is a list and no prose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// `References` and its like (`Notes`, `Footnotes`).
    References,
    /// `External links`.
    ExternalLinks,
    /// `See also`.
    SeeAlso,
}

/// The kind of the section below a heading, by its name in any of the 20 languages.
pub(super) fn section(heading: &str) -> Option<Section> {
    static SECTIONS: LazyLock<std::collections::HashMap<&str, Section>> = LazyLock::new(|| {
        let lists = [(REFERENCES, Section::References), (EXTERNAL, Section::ExternalLinks), (SEE_ALSO, Section::SeeAlso)];
        lists.into_iter().flat_map(|(names, section)| names.split('|').map(move |name| (name.trim(), section))).collect()
    });
    let heading = heading.trim_matches([' ', ':', '\n']);
    if heading.len() > 80 {
        return None;
    }
    SECTIONS.get(heading.to_lowercase().as_str()).copied()
}

/// Words that make a page a redirect.
const REDIRECT: &str = "redirect перенаправление виж пренасочване redirecció redireccion redirección přesměruj omdirigering weiterleitung \
    redirection preusmjeri átirányítás rinvia doorverwijzing patrz przekieruj tam redirecionamento redireciona redirecteaza \
    redirecționează preusmeritev преусмјери преусмери перенаправлення";

/// Whether a page only leads to another one (`#REDIRECT [[…]]`).
pub(super) fn redirect(text: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(REDIRECT));
    let Some(rest) = text.trim_start().strip_prefix('#') else { return false };
    let rest = rest.trim_start();
    let end = rest.char_indices().take(40).find(|(_, letter)| !letter.is_alphabetic()).map_or(0, |(place, _)| place);
    let after = rest[end..].trim_start().trim_start_matches(':').trim_start();
    after.starts_with("[[") && WORDS.contains(rest[..end].to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (name, kind) in [
            ("Paris", Target::Page),
            ("Datei:Foto.jpg", Target::File),
            ("файл:Фото.jpg", Target::File),
            ("Category:Cities", Target::Unseen),
            (" Catégorie :Villes", Target::Unseen),
            ("de:Paris", Target::Unseen),
            (":de:Paris", Target::Page),
            (":Category:Cities", Target::Page),
            ("Star Trek: Picard", Target::Page),
            ("wikt:word", Target::Page),
            ("2001: A Space Odyssey", Target::Page),
        ] {
            assert_eq!(target(name), kind, "{name}");
        }
    }

    /// Code of each of the 20 languages, and its most used headings of the three kinds.
    #[rustfmt::skip]
    const HEADINGS: [[&str; 4]; 20] = [
        ["bg", "Източници", "Външни препратки", "Вижте също"],
        ["ca", "Referències", "Enllaços externs", "Vegeu també"],
        ["cs", "Reference", "Externí odkazy", "Související články"],
        ["da", "Referencer", "Eksterne henvisninger", "Se også"],
        ["de", "Einzelnachweise", "Weblinks", "Siehe auch"],
        ["en", "References", "External links", "See also"],
        ["es", "Referencias", "Enlaces externos", "Véase también"],
        ["fr", "Notes et références", "Liens externes", "Voir aussi"],
        ["hr", "Izvori", "Vanjske poveznice", "Povezani članci"],
        ["hu", "Jegyzetek", "Külső hivatkozások", "Kapcsolódó szócikkek"],
        ["it", "Note", "Collegamenti esterni", "Voci correlate"],
        ["nl", "Bronnen, noten en/of referenties", "Externe links", "Zie ook"],
        ["pl", "Przypisy", "Linki zewnętrzne", "Zobacz też"],
        ["pt", "Referências", "Ligações externas", "Ver também"],
        ["ro", "Note", "Legături externe", "Vezi și"],
        ["ru", "Примечания", "Ссылки", "См. также"],
        ["sl", "Sklici", "Zunanje povezave", "Glej tudi"],
        ["sr", "Референце", "Спољашње везе", "Види још"],
        ["sv", "Referenser", "Externa länkar", "Se även"],
        ["uk", "Примітки", "Посилання", "Див. також"],
    ];

    #[test]
    fn sections_in_every_language() {
        for [language, references, external, also] in HEADINGS {
            assert_eq!(section(references), Some(Section::References), "{language}");
            assert_eq!(section(&external.to_uppercase()), Some(Section::ExternalLinks), "{language}");
            assert_eq!(section(&format!(" {also}: ")), Some(Section::SeeAlso), "{language}");
        }
        assert_eq!(section("History"), None);
        assert_eq!(section(""), None);
    }

    #[test]
    fn redirects() {
        for text in ["#REDIRECT [[Paris]]", " #redirect: [[A]]", "#WEITERLEITUNG [[B]]", "#ПЕРЕНАПРАВЛЕНИЕ [[В]]"] {
            assert!(redirect(text), "{text}");
        }
        for text in ["# one [[two]]", "#REDIRECT", "", "#", "text"] {
            assert!(!redirect(text), "{text}");
        }
    }
}
