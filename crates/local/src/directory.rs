//! A directory of the user's own status files, as far as the banner tells of it.

use std::{fs, path::Path};

use job_status::JobId;

/// What is in the directory when the server starts. Files that come later are served like these.
#[derive(Debug, PartialEq, Eq)]
pub struct Files {
    /// The job that was written last.
    pub newest: Option<String>,
    /// Names that no job id leads to, because they have capital letters.
    pub capital: Vec<String>,
}

impl Files {
    /// Looks at the names and times of the files. What can't be read is passed over.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        let (mut newest, mut capital) = (None, Vec::new());
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(id) = name.strip_suffix(".json").and_then(JobId::parse) else { continue };
            if name == format!("{id}.json") {
                let written = entry.metadata().and_then(|metadata| metadata.modified()).ok();
                newest = newest.max(Some((written, id.to_string())));
            } else {
                capital.push(name);
            }
        }
        capital.sort();
        Self { newest: newest.map(|(_, id)| id), capital }
    }
}
