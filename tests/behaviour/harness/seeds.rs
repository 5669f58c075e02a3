//! Inputs of the tests, for fuzzing to start from.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
};

/// Inputs from this size on, in bytes, are left out: fuzzing small ones finds the same sooner.
const LARGE: usize = 4096;

/// Adds an input to a fuzz target's corpus in the directory that `FUZZ_SEEDS` names, if it is set.
pub fn seed(target: &str, input: &[u8]) {
    if let Some(corpora) = env::var_os("FUZZ_SEEDS")
        && input.len() < LARGE
    {
        let corpus = PathBuf::from(corpora).join(target);
        fs::create_dir_all(&corpus).unwrap();
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        fs::write(corpus.join(format!("{:016x}", hasher.finish())), input).unwrap();
    }
}
