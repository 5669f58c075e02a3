//! Where a bucket is: its address, and the name its requests are signed for.
//!
//! The SDK's own rules decide both, for buckets, access points, regions and partitions alike. They run once, at
//! start-up, instead of for every request.

use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use futures_util::FutureExt;

/// A bucket, a directory bucket (S3 Express One Zone) or an access point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    url: String,
    pub(super) region: String,
    pub(super) service: String,
    /// A directory bucket is read in sessions.
    pub(super) is_directory: bool,
    /// Whether its objects are asked for with their checksums.
    pub(super) checksums: bool,
}

/// How S3 is addressed, where it is not Amazon's usual way.
#[derive(Clone, Debug, Default)]
pub struct Addressing {
    /// The URL of another S3 than Amazon's, addressed path-style.
    pub endpoint: Option<String>,
    /// Whether by FIPS endpoints.
    pub fips: bool,
    /// Whether by endpoints for IPv4 and IPv6.
    pub dual_stack: bool,
    /// Whether without asking for checksums, which some other servers refuse.
    pub no_checksums: bool,
}

impl Bucket {
    /// The bucket with this name or ARN.
    ///
    /// `None` if there can't be such a bucket, or if it is a multi-region access point: that one needs another kind of
    /// signature.
    #[must_use]
    pub fn resolve(name: &str, region: &str, addressing: &Addressing) -> Option<Self> {
        let params = Params::builder()
            .bucket(name)
            .region(region)
            .set_endpoint(addressing.endpoint.clone())
            .force_path_style(addressing.endpoint.is_some())
            .use_fips(addressing.fips)
            .use_dual_stack(addressing.dual_stack)
            .build()
            .ok()?;
        let endpoint = DefaultResolver::new().resolve_endpoint(&params).now_or_never()?.ok()?;
        let (scheme, is_directory) = endpoint.auth_schemes().iter().find_map(|scheme| match scheme.name() {
            "sigv4" => Some((scheme, false)),
            "sigv4-s3express" => Some((scheme, true)),
            _ => None,
        })?;
        let property = |name| Some(scheme.get(name)?.as_string()?.to_owned());
        Some(Self {
            url: endpoint.url().trim_end_matches('/').to_owned(),
            region: property("signingRegion")?,
            service: property("signingName")?,
            is_directory,
            checksums: !addressing.no_checksums,
        })
    }

    /// Scheme and authority, and for path-style addressing the bucket; without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}
