//! What breaks inside: a handler that panics, on the real stack.

use crate::kernel::house::House;
use crate::support;
use actix_web::HttpResponse;
use actix_web::body::to_bytes;
use actix_web::dev::Service;
use actix_web::http::Method;
use actix_web::test::{TestRequest, init_service};
use actix_web::web::Data;
use testkeep::server::stack::{self, Shared};
use testkeep::server::status::Status;
use testkeep::web::routes::public;

async fn panics() -> HttpResponse {
    panic!("with a name in it: Erika Mustermann")
}

#[actix_web::test]
async fn a_panic_costs_one_request_and_says_nothing_of_what_it_held() {
    let house = House::start();
    let folder = tempfile::tempdir().unwrap();
    let options = support::options(folder.path(), &[]);
    let status = Data::new(Status::new(&options, None).unwrap());
    let shared = Data::new(Shared::new(house.door.clone(), status.clone(), options));
    let routes = vec![public(Method::GET, "/panics", panics)];
    let service = init_service(stack::app(&shared, routes)).await;
    for _ in 0..2 {
        let request = TestRequest::get().uri("/panics").insert_header(("Host", "localhost")).to_request();
        let answer = service.call(request).await.unwrap_err().error_response();
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers().get("x-request-id").unwrap().len(), 24);
        assert!(answer.headers().contains_key("content-security-policy"));
        let body = to_bytes(answer.into_body()).await.unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(body.contains("internal") && !body.contains("Erika"), "{body}");
    }
    assert_eq!(status.requests_under_way(), 0);
}
