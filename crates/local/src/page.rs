//! The reference page: `openapi.yaml` as people read it, with requests to try from the browser.
//!
//! Swagger UI renders it. Its files are part of this program, and the page's content security
//! policy lets the browser load nothing from, and send nothing to, anywhere else. What `servers`
//! has first is where the document is served, so a request that is tried comes to this endpoint.
//!
//! The demo key is filled in. A key of the user's own is not: pages are for whoever asks, keys are
//! not.

use std::io::{Cursor, Read};

use http_body_util::Full;
use hyper::{Method, Response, body::Bytes, header, http::HeaderValue};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

use crate::options::DEMO_KEY;

const OPENAPI: &str = include_str!("../../../schemas/openapi.yaml");

const HTML: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Job status: reference</title>
<link rel="icon" href="/favicon-32x32.png">
<link rel="stylesheet" href="/swagger-ui.css">
<style>
/* On a phone, the cells of a table stand below each other: side by side they take 564 of 390 pixels. */
@media (max-width: 640px) {
  .swagger-ui table.responses-table, .swagger-ui table.responses-table :is(thead, tbody, tr, td) { display: block; max-width: 100%; }
  .swagger-ui table.responses-table thead { display: none; }
  .swagger-ui .opblock-body { overflow-x: auto; }
  .swagger-ui :is(.markdown, .renderedMarkdown) :is(pre, code) { white-space: pre-wrap; overflow-wrap: anywhere; }
}
</style>
<div id="page" data-api-key="{api_key}"></div>
<script src="/swagger-ui-bundle.js"></script>
<script src="/page.js"></script>
</html>
"#;

/// `apiKey` is the security scheme's name in `openapi.yaml`.
const SCRIPT: &str = r##""use strict";
const { apiKey } = document.querySelector("#page").dataset;
const ui = SwaggerUIBundle({
  url: "/openapi.yaml",
  dom_id: "#page",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: "none",
  onComplete: () => apiKey && ui.preauthorizeApiKey("apiKey", apiKey),
});
"##;

/// Swagger UI sets styles from its script and has its icons in `data:` URLs.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// What is served beside the endpoint.
#[derive(Clone, Copy)]
pub struct Page {
    /// Empty if there is none to fill in.
    api_key: &'static str,
}

impl Page {
    /// The page for an endpoint that accepts `api_key`.
    #[must_use]
    pub fn new(api_key: &str) -> Self {
        Self { api_key: if api_key == DEMO_KEY { DEMO_KEY } else { "" } }
    }

    /// The page, the document or one of their files; `None` if this is a request for the endpoint.
    #[must_use]
    pub fn answer(self, method: &Method, path: &str) -> Option<Response<Full<Bytes>>> {
        if method != Method::GET {
            return None;
        }
        let (content_type, body) = match path {
            "/" => ("text/html; charset=utf-8", HTML.replace("{api_key}", self.api_key).into()),
            "/page.js" => ("text/javascript; charset=utf-8", SCRIPT.into()),
            "/openapi.yaml" => ("application/yaml", OPENAPI.into()),
            "/swagger-ui-bundle.js" => ("text/javascript; charset=utf-8", swagger_ui("swagger-ui-bundle.js")?),
            "/swagger-ui.css" => ("text/css; charset=utf-8", swagger_ui("swagger-ui.css")?),
            "/favicon-32x32.png" => ("image/png", swagger_ui("favicon-32x32.png")?),
            _ => return None,
        };
        let mut response = Response::new(Full::from(body));
        response.headers_mut().extend([
            (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ]);
        Some(response)
    }
}

/// A file of Swagger UI's distribution.
fn swagger_ui(name: &str) -> Option<Bytes> {
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED)).ok()?;
    // The first directory is named after the version.
    let path = archive.file_names().flatten().find(|path| path.ends_with(&format!("/dist/{name}")))?.into_owned();
    let mut bytes = Vec::new();
    archive.by_name(&path).ok()?.read_to_end(&mut bytes).ok()?;
    Some(bytes.into())
}
