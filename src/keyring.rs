//! Who may ask: a keyring of digests, each with a name, a folder and a last day.
//!
//! Only SHA-256 digests are configured, so a leaked keyring opens nothing. [`ring`] is the keyring
//! that a presented key is looked up in, [`document`] the form in which operators write one, and
//! [`live`] keeps the one that is in force up to date.

pub(crate) mod document;
pub(crate) mod live;
pub(crate) mod ring;
