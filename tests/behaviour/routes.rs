//! Two routes and two methods, and nothing else.

use local::samples::{DONE, FAILED, RUNNING, UNKNOWN};

use crate::harness::{Environment, Request, without_times};

#[tokio::test]
async fn both_routes_give_the_same_answer() {
    let environment = Environment::start().await;
    for job_id in [DONE, FAILED, RUNNING, UNKNOWN] {
        let [toolkit, paid] =
            ["/v1/toolkit/job/status", "/paid/get/job/status"].map(|path| Request::job(job_id).path(path));
        let [toolkit, paid] =
            [environment.send_through_each(&toolkit).await, environment.send_through_each(&paid).await];
        assert_eq!(without_times(&paid), without_times(&toolkit));
    }
}

#[tokio::test]
async fn a_route_may_have_whole_segments_in_front() {
    let environment = Environment::start().await;
    for (path, status) in [
        ("/paid/get/job/status", 200),
        ("/v1/toolkit/job/status", 200),
        ("/prod/paid/get/job/status", 200),
        ("/api/v1/toolkit/job/status", 200),
        ("/api/v2/prod/paid/get/job/status", 200),
        ("/v1/toolkit/job/status/", 200),
        ("/v1/toolkit/job/status//", 404),
        ("/unpaid/get/job/status", 404),
        ("/xv1/toolkit/job/status", 404),
        ("/paid/get/job/status/x", 404),
        ("/paid/get/job", 404),
        ("/PAID/get/job/status", 404),
        ("paid/get/job/status", 404),
        ("/paid%2Fget/job/status", 404),
        ("/v1/toolkit/job/%73tatus", 404),
        ("/", 404),
        ("", 404),
        ("/caf\u{e9} and \u{0}", 404),
    ] {
        let response = environment.send_through_each(&Request::job(DONE).path(path)).await;
        assert_eq!(response.status, status, "{path:?}");
    }
}

#[tokio::test]
async fn no_method_but_get_and_post_is_served() {
    let environment = Environment::start().await;
    for method in ["get", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "PROPFIND", "not a method", ""] {
        let response = environment.send_through_each(&Request::job(DONE).method(method)).await;
        assert_eq!((response.status, response.header("allow")), (405, Some("GET, POST")), "{method:?}");
    }
}
