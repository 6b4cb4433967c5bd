//! The API document says all that the route table has, and no more.

use crate::support::App;
use serde_json::Value;
use std::collections::BTreeSet;
use testkeep::server::openapi::document;
use testkeep::server::table::table;

fn told() -> BTreeSet<(String, String)> {
    let paths = document()["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| (path.clone(), method.to_uppercase()))
        })
        .collect()
}

#[test]
fn every_route_of_the_api_stands_in_the_document_and_no_other() {
    let routes = table().into_iter().filter(|route| route.path.starts_with("/api/v1/"));
    let routes: BTreeSet<_> =
        routes.map(|route| (route.path.to_owned(), route.method.as_str().to_owned())).collect();
    assert!(routes.len() > 25, "only {} routes", routes.len());
    assert_eq!(told().difference(&routes).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
    assert_eq!(routes.difference(&told()).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
}

#[test]
fn every_operation_says_what_it_does_what_it_needs_and_how_it_refuses() {
    let mut ids = BTreeSet::new();
    for (path, methods) in document()["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap()),
                "{method} {path}: its id is taken"
            );
            let place = format!("{method} {path}");
            assert!(
                operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
                "{place}: no summary"
            );
            assert!(operation["tags"][0].is_string(), "{place}: no tag");
            assert!(operation["x-permission"].is_string(), "{place}: no permission");
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.keys().any(|status| status.starts_with('2')), "{place}: never goes well");
            for refusal in ["401", "403", "404"] {
                assert!(answers.contains_key(refusal), "{place}: does not tell of {refusal}");
            }
            for name in path.split('{').skip(1).map(|part| part.split('}').next().unwrap()) {
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(parameters.iter().any(|one| one["name"] == name), "{place}: {name} is not told");
            }
        }
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| match (name.as_str(), value) {
                ("$ref", Value::String(path)) => found.push(path.clone()),
                _ => walk(value, found),
            }),
            Value::Array(values) => values.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(document(), &mut found);
    for path in found {
        assert!(document().pointer(path.trim_start_matches('#')).is_some(), "{path} leads nowhere");
    }
}

#[actix_web::test]
async fn anybody_may_read_the_document_and_its_page() {
    let app = App::start().await;
    let served: Value = app.get("/api/openapi.json").await.json().await.unwrap();
    assert_eq!(&served, document());
    assert!(served["openapi"].as_str().unwrap().starts_with("3.1"));
    let page = app.get("/api").await.text().await.unwrap();
    assert!(page.contains("/api/v1/projects/{project}/uploads"));
    app.stop().await;
}
