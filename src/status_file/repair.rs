//! JSON as Python writes it: with numbers that JSON does not have. A transcript has them for silence. Each becomes `null`.

const NOT_FINITE: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// The text with `null` in place of each, and how many there were; everything else stays as it is. Whether the rest
/// is JSON is not looked at.
pub(super) fn repair(text: &str) -> (String, usize) {
    let (mut repaired, mut count, mut kept) = (String::with_capacity(text.len()), 0, 0);
    let (mut in_string, mut may_be_value, mut at) = (false, true, 0);
    while let Some((&byte, _)) = text.as_bytes().get(at..).and_then(<[u8]>::split_first) {
        let found = text.get(at..).filter(|_| may_be_value).and_then(not_finite);
        if let Some(word) = found {
            repaired.push_str(text.get(kept..at).unwrap_or_default());
            repaired.push_str("null");
            at += word.len();
            (kept, count, may_be_value) = (at, count + 1, false);
            continue;
        }
        match byte {
            b'\\' if in_string => at += 1, // what is escaped does not end the string
            b'"' => in_string = !in_string,
            _ => {}
        }
        let begins = matches!(byte, b'[' | b':' | b',') || may_be_value && byte.is_ascii_whitespace();
        may_be_value = begins && !in_string;
        at += 1;
    }
    repaired.push_str(text.get(kept..).unwrap_or_default());
    (repaired, count)
}

/// The word that the text begins with, if a value may end behind it.
fn not_finite(text: &str) -> Option<&'static str> {
    NOT_FINITE.into_iter().find(|word| {
        let next = text.strip_prefix(word).map(|rest| rest.chars().next().unwrap_or(','));
        next.is_some_and(|next| next.is_ascii_whitespace() || matches!(next, ',' | ']' | '}'))
    })
}
