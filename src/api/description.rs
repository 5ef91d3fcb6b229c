//! The description of the port by OpenAPI, made of the list of routes and of the forms of the
//! answers: it cannot be silent on an address that exists.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem,
    Ref, Required, SecurityRequirement,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::refusal::{PROBLEM_JSON, ProblemRecord};

/// Where it is served.
pub(super) const ADDRESS: &str = "/api/v1/openapi.json";

/// What a token is called in it.
const TOKEN: &str = "token";

/// Returns what is said of the port as a whole.
pub(super) fn begun() -> OpenApi {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let components = ComponentsBuilder::new()
        .schema(ProblemRecord::name(), ProblemRecord::schema())
        .security_scheme(TOKEN, SecurityScheme::Http(scheme));
    let info = InfoBuilder::new()
        .title("dbwarden")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "What the daemon knows, what it did and why, and what people may tell it. \
             No GET changes anything.",
        ))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ));
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components.build()))
        .security(Some([
            SecurityRequirement::default(),
            SecurityRequirement::new(TOKEN, [] as [&str; 0]),
        ]))
        .build()
}

/// Adds what all addresses have in common, and returns it as it is served.
pub(super) fn finished(mut described: OpenApi) -> String {
    let own = OperationBuilder::new()
        .summary(Some("This description"))
        .operation_id(Some("openapi"))
        .response("200", json("The description", ObjectBuilder::new().build()));
    described
        .paths
        .paths
        .insert(ADDRESS.to_owned(), PathItem::new(HttpMethod::Get, own));
    for (address, item) in &mut described.paths.paths {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            let refused = ResponseBuilder::new()
                .description("It was refused, or could not be done")
                .content(
                    PROBLEM_JSON,
                    Content::new(Some(Ref::from_schema_name(ProblemRecord::name()))),
                );
            let responses = &mut operation.responses.responses;
            responses.insert("default".to_owned(), refused.build().into());
            if address.contains("{domain}") {
                let name = ParameterBuilder::new()
                    .name("domain")
                    .parameter_in(ParameterIn::Path)
                    .required(Required::True)
                    .description(Some("What the configuration calls the domain"))
                    .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()));
                let parameters = operation.parameters.get_or_insert_default();
                parameters.push(name.build().into());
            }
        }
    }
    described
        .to_json()
        .expect("names, numbers and text have a form in JSON")
}

/// Serves it.
pub(super) fn answer(description: &str) -> Response {
    ([(CONTENT_TYPE, "application/json")], description.to_owned()).into_response()
}

fn json(
    says: &str,
    schema: impl Into<utoipa::openapi::RefOr<utoipa::openapi::Schema>>,
) -> utoipa::openapi::Response {
    ResponseBuilder::new()
        .description(says)
        .content("application/json", Content::new(Some(schema)))
        .build()
}
