//! `/images`, `/policies`, `/models`: what can be chosen; `/usage`: what was used.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use glovebox_runtime::Quota;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::wire::Policy;
use crate::app::{AppState, ImageInfo, ModelInfo};
use crate::error::Result;
use crate::storage::{DayUsage, UsageRecord};
use crate::tenants::Tenant;

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
pub(super) async fn policies(State(app): State<AppState>, tenant: Tenant) -> Json<PolicyList> {
    let policies = app.policies_of(&tenant).into_iter().map(|policy| Policy {
        name: policy.name.clone(),
        description: policy.description.clone(),
        limits: policy.limits.clone(),
    });
    Json(PolicyList { policies: policies.collect() })
}

/// Every model that the caller may ask.
#[utoipa::path(get, path = "/api/v1/models", tag = "catalog", responses((status = 200, body = ModelList)))]
pub(super) async fn models(State(app): State<AppState>, tenant: Tenant) -> Json<ModelList> {
    Json(ModelList { models: app.models_of(&tenant) })
}

/// What questions used of the models.
#[derive(Serialize, ToSchema)]
pub(super) struct UsageReport {
    /// By day and model, newest day first. Questions of deleted sessions are not counted.
    days: Vec<ModelUsage>,
    /// All of them together, by model.
    total: Vec<ModelUsage>,
}

/// What questions used of one model.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct ModelUsage {
    /// Such as `2026-01-31`, in UTC; absent in totals.
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    /// Name of the model.
    model: String,
    /// Questions.
    asks: i64,
    /// Calls of the model.
    calls: i64,
    /// Tokens sent.
    input_tokens: i64,
    /// Tokens received.
    output_tokens: i64,
    /// US dollars, by the prices in the configuration at the time.
    cost_usd: f64,
}

/// Tokens and cost by model and day.
#[utoipa::path(get, path = "/api/v1/usage", tag = "catalog", responses((status = 200, body = UsageReport)))]
pub(super) async fn usage(State(app): State<AppState>, tenant: Tenant) -> Result<Json<UsageReport>> {
    let days: Vec<ModelUsage> = app.storage.model_usage(&tenant).await?.into_iter().map(of_day).collect();
    let mut total: Vec<ModelUsage> = Vec::new();
    for day in &days {
        match total.iter_mut().find(|all| all.model == day.model) {
            Some(all) => {
                all.asks += day.asks;
                all.calls += day.calls;
                all.input_tokens += day.input_tokens;
                all.output_tokens += day.output_tokens;
                all.cost_usd += day.cost_usd;
            }
            None => total.push(ModelUsage { day: None, ..day.clone() }),
        }
    }
    Ok(Json(UsageReport { days, total }))
}

/// What tenants used.
#[derive(Serialize, ToSchema)]
pub(super) struct TenantUsageReport {
    /// By day, newest first.
    days: Vec<UsageRecord>,
    /// What may be used altogether; `null` where there is no end. Absent in the administrator's report.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    quota: Option<Quota>,
}

/// How a report is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportQuery {
    #[serde(default)]
    format: Format,
}

/// A table for programs, or one for spreadsheets.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Csv,
}

/// Runs, fuel, memory, tokens and money by day, with what is allowed. `format=csv` gives a table.
#[utoipa::path(get, path = "/api/v1/usage/days", tag = "catalog", params(("format" = Option<String>, Query)),
    responses((status = 200, body = TenantUsageReport), (status = 200, content_type = "text/csv")))]
pub(super) async fn usage_days(
    State(app): State<AppState>,
    tenant: Tenant,
    Query(query): Query<ReportQuery>,
) -> Result<Response> {
    app.meter.flush(&app.storage).await;
    let quota = Some(app.quota(&tenant));
    Ok(report(TenantUsageReport { days: app.storage.usage(Some(&tenant)).await?, quota }, query.format))
}

/// The same of every tenant, for administrators.
#[utoipa::path(get, path = "/api/v1/admin/usage", tag = "admin", params(("format" = Option<String>, Query)),
    responses((status = 200, body = TenantUsageReport), (status = 200, content_type = "text/csv")))]
pub(super) async fn usage_of_all(State(app): State<AppState>, Query(query): Query<ReportQuery>) -> Result<Response> {
    app.meter.flush(&app.storage).await;
    Ok(report(TenantUsageReport { days: app.storage.usage(None).await?, quota: None }, query.format))
}

fn report(report: TenantUsageReport, format: Format) -> Response {
    if format == Format::Json {
        return Json(report).into_response();
    }
    // Names and days hold no comma; everything else is a number.
    let mut text = "day,tenant,runs,asks,fuel,memory_mib_ms,model_tokens,model_micro_usd,refused\n".to_owned();
    for row in report.days {
        let UsageRecord { tenant, day, runs, asks, fuel, memory_mib_ms, model_tokens, model_micro_usd, refused } = row;
        text += &format!(
            "{day},{tenant},{runs},{asks},{fuel},{memory_mib_ms},{model_tokens},{model_micro_usd},{refused}\n"
        );
    }
    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response()
}

fn of_day(day: DayUsage) -> ModelUsage {
    ModelUsage {
        day: Some(day.day),
        model: day.model,
        asks: day.asks,
        calls: day.calls,
        input_tokens: day.input_tokens,
        output_tokens: day.output_tokens,
        cost_usd: day.cost_micro_usd as f64 / 1e6,
    }
}
