//! A fault of ours becomes a page, and the server goes on.

use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, test, web};
use leadgen::web::{WebError, error};

async fn panics() -> HttpResponse {
    panic!("the secret is hunter2")
}

async fn fails() -> Result<HttpResponse, WebError> {
    Err(WebError::Internal("the secret is hunter2".to_owned()))
}

#[actix_web::test]
async fn a_panic_and_a_fault_become_a_page_that_tells_nothing() {
    let app = App::new()
        .route("/panics", web::get().to(panics))
        .route("/fails", web::get().to(fails))
        .wrap(from_fn(error::draw));
    let app = test::init_service(app).await;
    for path in ["/panics", "/fails", "/panics"] {
        let request = test::TestRequest::get().uri(path).to_request();
        let response = match test::try_call_service(&app, request).await {
            Ok(response) => response.into_parts().1.map_into_boxed_body(),
            Err(error) => error.error_response(),
        };
        assert_eq!(response.status(), 500, "{path}");
        let body = actix_web::body::to_bytes(response.into_body())
            .await
            .unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("Something went wrong"), "{text}");
        assert!(!text.contains("hunter2"));
    }
}
