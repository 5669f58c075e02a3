//! JSON as Python writes it: `NaN`, `Infinity` and `-Infinity` stand where a value may stand. JSON has no such
//! numbers, and a transcript has them for silence, so each becomes `null`.

/// What Python writes for numbers that JSON has not.
const NOT_FINITE: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// The text with `null` in place of each, and how many there were; everything else stays as it is. Whether the rest
/// is JSON is not looked at.
pub(super) fn repair(text: &str) -> (String, usize) {
    let (mut repaired, mut count, mut kept) = (String::with_capacity(text.len()), 0, 0);
    let (mut in_string, mut may_be_value, mut at) = (false, true, 0);
    while let Some((&byte, _)) = text.as_bytes().get(at..).and_then(<[u8]>::split_first) {
        let starts_with =
            |word: &&&str| text.as_bytes().get(at..).is_some_and(|rest| rest.starts_with(word.as_bytes()));
        let found = NOT_FINITE.iter().find(|word| may_be_value && !in_string && starts_with(word));
        if let Some(word) = found.filter(|word| ends_value(text.as_bytes().get(at + word.len()))) {
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
        may_be_value = matches!(byte, b'[' | b':' | b',') || may_be_value && byte.is_ascii_whitespace();
        at += 1;
    }
    repaired.push_str(text.get(kept..).unwrap_or_default());
    (repaired, count)
}

fn ends_value(next: Option<&u8>) -> bool {
    next.is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b'}'))
}
