//! What S3 says if it does not hand out an object: a status, and mostly an XML document.

use std::{error::Error, fmt};

use aws_smithy_xml::decode::{Document, XmlDecodeError, try_data};
use http::StatusCode;

/// Why there is no object, in S3's words.
#[derive(Debug, Default)]
pub(super) struct ErrorDocument {
    status: StatusCode,
    pub(super) code: String,
    pub(super) message: String,
    request_id: String,
    host_id: String,
}

impl ErrorDocument {
    /// Reads an answer. If its body is no such document, only the status is known.
    pub(super) fn parse(status: StatusCode, body: &[u8]) -> Self {
        let mut document = Self { status, ..Self::default() };
        let _ = document.fill(body);
        document
    }

    fn fill(&mut self, body: &[u8]) -> Result<(), XmlDecodeError> {
        let mut document = Document::try_from(body)?;
        let mut error = document.root_element()?;
        while let Some(mut element) = error.next_tag() {
            let field = match element.start_el().local() {
                "Code" => &mut self.code,
                "Message" => &mut self.message,
                "RequestId" => &mut self.request_id,
                "HostId" => &mut self.host_id,
                _ => continue,
            };
            *field = try_data(&mut element)?.into_owned();
        }
        Ok(())
    }
}

/// `S3 answered 403 AccessDenied: Access Denied, request id …, host id …`. AWS Support asks for the ids.
impl fmt::Display for ErrorDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, code, message, request_id, host_id } = self;
        write!(f, "S3 answered {}", status.as_u16())?;
        if !code.is_empty() {
            write!(f, " {code}: {message}")?;
        }
        for (name, id) in [("request id", request_id), ("host id", host_id)] {
            if !id.is_empty() {
                write!(f, ", {name} {id}")?;
            }
        }
        Ok(())
    }
}

impl Error for ErrorDocument {}
