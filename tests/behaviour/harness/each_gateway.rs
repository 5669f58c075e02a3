//! The same request through every gateway.

use super::{Environment, GATEWAYS, Request, Response};

impl Environment {
    /// Sends a request through each of the [`GATEWAYS`]. Asserts that the response is the same through all of them,
    /// and returns the one through the first.
    pub async fn send_through_each(&self, request: &Request) -> Response {
        let through = async |gateway| {
            fastrand::seed(1); // or `retry-after` is spread differently
            self.send(request.clone().through(gateway)).await
        };
        let first = through(&GATEWAYS[0]).await;
        for gateway in &GATEWAYS[1..] {
            let other = through(gateway).await;
            assert_eq!(without_times(&other), without_times(&first), "{}", gateway.name);
        }
        first
    }
}

impl Request {
    /// A poll of the job by GET and one by POST, through each of the [`GATEWAYS`].
    pub fn every_poll(job_id: &str) -> impl Iterator<Item = Self> {
        GATEWAYS
            .iter()
            .flat_map(move |gateway| [Self::get_job(job_id), Self::job(job_id)].map(|request| request.through(gateway)))
    }
}

/// A response without the end of an envelope, which has the times.
pub fn without_times(response: &Response) -> String {
    response.to_string().split(r#","message":"success","pid":"#).next().unwrap().to_owned()
}
