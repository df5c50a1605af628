//! What a link may point to: the namespaces and languages of a wiki.

use std::collections::HashMap;

/// Names of the namespaces of files that MediaWiki accepts or that large Wikipedias use, so that pages
/// are read rightly even where the dump's `siteinfo` is missing. Lower case.
const FILE_NAMES: &str = "file image datei bild fichier archivo imagen ficheiro imagem immagine bestand afbeelding \
    lêer beeld plik grafika файл изображение зображення ファイル 画像 文件 图像 檔案 圖像 파일 그림 ملف صورة پرونده dosya resim fil \
    tiedosto kuva soubor obrázok obrázek fájl kép berkas gambar";

/// As [`FILE_NAMES`], for categories.
const CATEGORY_NAMES: &str = "category kategorie catégorie categoría categoria categorie kategoria категория категорія \
    カテゴリ 分类 分類 분류 تصنيف رده kategori luokka kategória";

/// Namespaces besides files and categories, as every MediaWiki knows them, and the shortcuts of Wikipedia.
const OTHER_NAMES: &str = "media special talk user user_talk wikipedia wikipedia_talk project project_talk file_talk image_talk mediawiki \
    mediawiki_talk template template_talk help help_talk category_talk portal portal_talk draft draft_talk module module_talk \
    book book_talk timedtext wp wt";

/// Prefixes that lead to another wiki.
const INTERWIKI: &str = "b c commons d doi foundation hdl m mail mediazilla meta metawikipedia mw n outreach phab q rfc s species \
    strategy v voy w wikibooks wikidata wikimedia wikinews wikiquote wikisource wikispecies wikiversity wikivoyage wikt \
    wiktionary bugzilla toollabs google arxiv";

/// Prefixes of the Wikipedias, which MediaWiki takes out of the text and shows beside it.
const LANGUAGES: &str = "aa ab ace ady af ak als alt am ami an ang anp ar arc ary arz as ast atj av avk awa ay az azb ba ban bar \
    bat-smg bcl be be-tarask be-x-old bg bh bi bjn blk bm bn bo bpy br bs bug bxr ca cbk-zam cdo ce ceb ch cho chr chy ckb co cr crh \
    cs csb cu cv cy da dag de din diq dsb dty dv dz ee el eml en eo es et eu ext fa ff fi fiu-vro fj fo fr frp frr fur fy ga gag gan \
    gcr gd gl glk gn gom gor got gu guw gv ha hak haw he hi hif ho hr hsb ht hu hy hyw hz ia id ie ig ii ik ilo inh io is it iu ja jam \
    jbo jv ka kaa kab kbd kbp kcg kg ki kj kk kl km kn ko koi kr krc ks ksh ku kv kw ky la lad lb lbe lez lfn lg li lij lld lmo ln lo \
    lrc lt ltg lv mad mai map-bms mdf mg mh mhr mi min mk ml mn mni mnw mo mr mrj ms mt mus mwl my myv mzn na nah nap nds nds-nl ne new \
    ng nia nl nn no nov nqo nrm nso nv ny oc olo om or os pa pag pam pap pcd pcm pdc pfl pi pih pl pms pnb pnt ps pt qu rm rmy rn ro \
    roa-rup roa-tara ru rue rw sa sah sat sc scn sco sd se sg sh shi shn si simple sk skr sl sm smn sn so sq sr srn ss st stq su sv sw \
    szl szy ta tay tcy te tet tg th ti tk tl tn to tpi tr trv ts tt tum tw ty tyv udm ug uk ur uz ve vec vep vi vls vo wa war wo wuu xal \
    xh xmf yi yo za zea zh zh-classical zh-min-nan zh-yue zu";

/// Longest prefix that is looked up, in bytes.
const MAX_PREFIX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prefix {
    Article,
    File,
    Category,
    Other,
    Interwiki,
    Language,
}

/// Where a link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// An article, with its title as written, without a section.
    Article(&'a str),
    /// A picture or another file, with its name, shown where the link stands.
    File(&'a str),
    /// Not part of the text: a category, the same article in another language.
    Hidden,
    /// Shown, but not an article of this wiki: another namespace or wiki, a section of this page.
    Elsewhere,
}

/// The namespaces of one wiki.
#[derive(Clone, Debug)]
pub struct Site {
    prefixes: HashMap<String, Prefix>,
}

impl Default for Site {
    /// The names that any wiki may be expected to know.
    fn default() -> Self {
        let names = [
            (LANGUAGES, Prefix::Language),
            (INTERWIKI, Prefix::Interwiki),
            (OTHER_NAMES, Prefix::Other),
            (CATEGORY_NAMES, Prefix::Category),
            (FILE_NAMES, Prefix::File),
        ];
        let words = names.into_iter().flat_map(|(list, prefix)| {
            list.split_whitespace()
                .map(move |name| (name.to_owned(), prefix))
        });
        Self {
            prefixes: words.collect(),
        }
    }
}

impl Site {
    /// Adds a namespace as the `siteinfo` of a dump lists it: 0 holds the articles, 6 the files, 14 the categories.
    pub fn namespace(&mut self, key: i32, name: &str) {
        let prefix = match key {
            0 => return,
            6 => Prefix::File,
            14 => Prefix::Category,
            _ => Prefix::Other,
        };
        self.prefixes.insert(normal(name), prefix);
    }

    fn prefix<'a>(&self, target: &'a str) -> (Prefix, &'a str) {
        let article = (Prefix::Article, target);
        let Some((prefix, rest)) = target.split_once(':') else {
            return article;
        };
        if prefix.len() > MAX_PREFIX {
            return article;
        }
        match self.prefixes.get(&normal(prefix)) {
            Some(&kind) => (kind, rest.trim()),
            None => article,
        }
    }

    /// Whether a page of this title lies in the main namespace.
    pub fn is_article(&self, title: &str) -> bool {
        matches!(
            self.prefix(title).0,
            Prefix::Article | Prefix::Language | Prefix::Interwiki
        )
    }

    /// Reads what stands between `[[` and `|` or `]]`.
    pub fn target<'a>(&self, written: &'a str) -> Target<'a> {
        let written = written.trim();
        let shown = written.strip_prefix(':');
        let (prefix, rest) = self.prefix(shown.unwrap_or(written).trim_start());
        match prefix {
            Prefix::Article => {
                let title = rest.split('#').next().unwrap_or_default().trim();
                if title.is_empty() {
                    Target::Elsewhere
                } else {
                    Target::Article(title)
                }
            }
            Prefix::File if shown.is_none() => Target::File(rest),
            Prefix::Category | Prefix::Language if shown.is_none() => Target::Hidden,
            _ => Target::Elsewhere,
        }
    }

    /// The file named by `[[File:name|…`, given what follows the brackets.
    pub fn file<'a>(&self, link: &'a str) -> Option<&'a str> {
        let end = link.find(['|', ']', '[', '\n']).unwrap_or(link.len());
        match self.target(&link[..end]) {
            Target::File(name) => Some(name),
            _ => None,
        }
    }
}

/// A name with its blanks as single underscores.
pub fn underscored(name: &str) -> String {
    let words: Vec<&str> = name
        .split(|c: char| c.is_whitespace() || c == '_')
        .filter(|word| !word.is_empty())
        .collect();
    words.join("_")
}

/// A namespace's name as it is looked up: any case, blanks as underscores.
fn normal(name: &str) -> String {
    name.trim().replace(' ', "_").to_lowercase()
}
