//! `/images`, `/policies`, `/models`: what can be chosen.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::wire::Policy;
use crate::app::{AppState, ImageInfo, ModelInfo};

/// Images.
#[derive(Serialize, ToSchema)]
pub(super) struct Images {
    /// By name.
    images: Vec<ImageInfo>,
}

/// Policies.
#[derive(Serialize, ToSchema)]
pub(super) struct PolicyList {
    /// By name.
    policies: Vec<Policy>,
}

/// Models.
#[derive(Serialize, ToSchema)]
pub(super) struct ModelList {
    /// The default one is marked.
    models: Vec<ModelInfo>,
}

/// Every guest image and whether it can be used.
#[utoipa::path(get, path = "/api/v1/images", tag = "catalog", responses((status = 200, body = Images)))]
pub(super) async fn images(State(app): State<AppState>) -> Json<Images> {
    Json(Images { images: app.backend.images() })
}

/// Every policy with its limits.
#[utoipa::path(get, path = "/api/v1/policies", tag = "catalog", responses((status = 200, body = PolicyList)))]
pub(super) async fn policies(State(app): State<AppState>) -> Json<PolicyList> {
    let policies = app.policies.iter().map(|policy| Policy {
        name: policy.name.clone(),
        description: policy.description.clone(),
        limits: policy.limits.clone(),
    });
    Json(PolicyList { policies: policies.collect() })
}

/// Every model that can be asked.
#[utoipa::path(get, path = "/api/v1/models", tag = "catalog", responses((status = 200, body = ModelList)))]
pub(super) async fn models(State(app): State<AppState>) -> Json<ModelList> {
    Json(ModelList { models: app.backend.models() })
}
