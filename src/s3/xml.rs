//! S3's XML documents: why there is no object, a session's credentials.

use aws_smithy_xml::decode::{Document, try_data};

/// The texts of the elements with these names, at any depth. The text of one that is not there is empty.
pub(super) fn texts<const N: usize>(document: &[u8], names: [&str; N]) -> [String; N] {
    let mut texts = [const { String::new() }; N];
    let Ok(mut document) = Document::try_from(document) else { return texts };
    while let Some(element) = document.next_start_element() {
        let index = names.iter().position(|name| *name == element.local());
        if let Some(text) = index.and_then(|index| texts.get_mut(index)) {
            *text = try_data(&mut document.scoped_to(element)).unwrap_or_default().into_owned();
        }
    }
    texts
}
