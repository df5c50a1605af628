//! The few templates whose argument is part of the sentence.
//!
//! Templates are programs that live on the wiki, so most are removed: boxes, citations, notices. But
//! *the bridge is `{{convert|5|km}}` long* without its template is no sentence, and such templates stand
//! in most articles of the English Wikipedia, which is what this table is made for. Elsewhere a name
//! that is not in it loses a word, as every other template does.

/// What a template shows.
#[derive(Clone, Copy)]
enum Shows {
    /// Always this text.
    Text(&'static str),
    /// Its positional argument of this number, from 1.
    Argument(usize),
    /// A text, and after it the first argument.
    Prefixed(&'static str),
    /// All positional arguments, with blanks between.
    All,
    /// A number and its unit, or a range of numbers.
    Measure,
    /// A term, and in parentheses how it is written and read.
    Term,
}

const TABLE: [(Shows, &str); 16] = [
    (
        Shows::Argument(1),
        "abbr,abbrv,angbr,angle bracket,big,blockquote,cquote,em,flag,flagcountry,flagu,formatnum,ill,interlanguage link,\
         interlanguage link multi,italics correction,keypress,kbd,larger,mono,mvar,no italic,nobold,nobr,noitalic,nowrap,nbay,\
         pull quote,quote,quotation,resize,sc,small,smallcaps,smaller,strong,sub,sup,tooltip,val,vanchor,var,visible anchor,\
         section link,bdi,linktext,wikt-lang,not a typo,sic,proper name,ship name",
    ),
    (Shows::Argument(2), "lang,color,font color,rtl-lang"),
    (Shows::Argument(3), "transl,transliteration"),
    (Shows::Prefixed("HMS "), "hms"),
    (Shows::Prefixed("USS "), "uss"),
    (Shows::Prefixed("SS "), "ss"),
    (Shows::Prefixed("RMS "), "rms"),
    (Shows::Prefixed("c. "), "circa,c."),
    (Shows::Prefixed("As of "), "as of"),
    (Shows::All, "ship,linktext"),
    (Shows::Measure, "convert,cvt"),
    (Shows::Term, "nihongo"),
    (
        Shows::Text(" "),
        "nbsp,space,spaces,spc,thinsp,hair space,thin space",
    ),
    (
        Shows::Text(" – "),
        "snd,snds,spnd,spaced ndash,spaced en dash,dash,spaced en dash space",
    ),
    (Shows::Text("–"), "ndash,en dash,nsndns,endash"),
    (Shows::Text("—"), "mdash,em dash,emdash,mdashb"),
];

/// Texts longer than this, in bytes, are not looked into: no such template holds more than a quotation.
const MAX_LEN: usize = 4096;

/// What the template with this content (name and arguments, between the braces) shows in a sentence;
/// `None` for those that are removed.
pub fn text(content: &str) -> Option<String> {
    if content.len() > MAX_LEN {
        return None;
    }
    let (name, arguments) = content.split_once('|').unwrap_or((content, ""));
    let (name, arguments) = match name.split_once(':') {
        Some((function, value)) => (function, value),
        None => (name, arguments),
    };
    let name = name.trim().replace('_', " ").to_lowercase();
    if name == "'s" || name == "'" {
        return Some(name.replace('\'', "’"));
    }
    if name.starts_with("lang-") {
        return positional(arguments).into_iter().next();
    }
    let (shows, _) = TABLE
        .iter()
        .find(|(_, names)| names.split(',').any(|known| known == name))?;
    let arguments = positional(arguments);
    let argument = |number: usize| {
        arguments
            .get(number - 1)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    };
    match shows {
        Shows::Text(text) => Some((*text).to_owned()),
        // `{{transl|ar|text}}` and `{{transl|ar|DIN|text}}`: the last one counts.
        Shows::Argument(number) => argument(*number)
            .or_else(|| argument(arguments.len().max(1)))
            .map(str::to_owned),
        Shows::Prefixed(prefix) => argument(1).map(|text| format!("{prefix}{text}")),
        Shows::All => Some(arguments.join(" ")),
        Shows::Measure => Some(measure(&arguments)),
        Shows::Term => argument(1)
            .or(argument(3))
            .or(argument(2))
            .map(str::to_owned),
    }
}

/// `5|km|mi` is *5 km*, `5|to|8|km` is *5 to 8 km*, `5|x|8|m` is *5 x 8 m*.
fn measure(arguments: &[String]) -> String {
    let joins = [
        "to", "-", "–", "and", "or", "by", "x", "×", "+/-", "to(-)", "and(-)",
    ];
    let mut words = Vec::new();
    let mut rest = arguments.iter();
    while let (Some(number), unit) = (rest.next(), rest.next()) {
        words.push(number.as_str());
        match unit {
            Some(join) if joins.contains(&join.as_str()) => words.push(join),
            unit => {
                words.extend(unit.map(String::as_str));
                break;
            }
        }
    }
    words.join(" ")
}

/// The arguments without a name, and those named by their number. Bars inside links do not separate.
fn positional(arguments: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut links = 0_usize;
    let mut rest = arguments;
    while let Some(next) = rest.chars().next() {
        let len = match rest.get(..2) {
            Some("[[") => {
                links += 1;
                2
            }
            Some("]]") => {
                links = links.saturating_sub(1);
                2
            }
            _ => next.len_utf8(),
        };
        let (taken, after) = rest.split_at(len);
        match pieces.last_mut() {
            Some(piece) if links > 0 || taken != "|" => piece.push_str(taken),
            _ => pieces.push(String::new()),
        }
        rest = after;
    }
    let mut found = Vec::new();
    for piece in &pieces {
        match piece.split_once('=') {
            Some((name, value)) if matches!(name.trim(), "1" | "2" | "3" | "text" | "quote") => {
                found.push(value.trim().to_owned())
            }
            Some((name, _))
                if name
                    .trim()
                    .chars()
                    .all(|c| c.is_alphanumeric() || "_- ".contains(c)) => {}
            _ => found.push(piece.trim().to_owned()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn shows_what_the_reader_of_the_page_sees() {
        let cases = [
            ("convert|5|km|mi", Some("5 km")),
            ("convert|5|to|8|km|mi|abbr=on", Some("5 to 8 km")),
            (
                "lang|fr|''[[Paris|la ville]]''",
                Some("''[[Paris|la ville]]''"),
            ),
            ("lang-de|Wasser", Some("Wasser")),
            ("transl|ar|DIN|al-kitāb", Some("al-kitāb")),
            ("transl|ar|kitāb", Some("kitāb")),
            ("Nowrap| a b ", Some("a b")),
            ("quote|text=So it goes.|author=K. V.", Some("So it goes.")),
            ("nihongo|Tokyo|東京|Tōkyō", Some("Tokyo")),
            ("formatnum:1234", Some("1234")),
            ("USS|Maine|ACR-1", Some("USS Maine")),
            ("ndash", Some("–")),
            ("Infobox person|name=X", None),
            ("cite web|url=http://a|title=b", None),
            ("small", None),
            ("", None),
        ];
        for (content, expected) in cases {
            assert_eq!(text(content).as_deref(), expected, "{content}");
        }
    }
}
