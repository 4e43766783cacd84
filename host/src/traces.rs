//! Traces: where the time of a request went, told to a collector of OpenTelemetry if one is configured.
//!
//! What is told is said here and where spans are made, attribute by attribute: ids, names, sizes, counts and endings, and
//! nothing that a caller wrote. A collector that is slow or away costs a bounded queue of spans, which then are dropped.

use std::time::Duration;

use opentelemetry::context::FutureExt;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, Value, global};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};

/// Spans that wait to be sent; later ones are dropped.
const QUEUE: usize = 4096;
/// Time for one sending, and for the last one when the server stops.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between sendings.
const PAUSE: Duration = Duration::from_secs(2);

/// Sends spans until it is stopped.
pub struct Exporter(SdkTracerProvider);

impl Exporter {
    /// Begins to send to `endpoint`, such as `http://127.0.0.1:4318/v1/traces`, of each hundred traces so many.
    /// `OTEL_EXPORTER_OTLP_HEADERS` has headers with what the collector wants to see, such as a key.
    ///
    /// # Errors
    ///
    /// The endpoint is no address.
    pub fn start(endpoint: &str, percent: u64) -> Result<Exporter, String> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| format!("traces_endpoint: {error}"))?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(512)
            .with_scheduled_delay(PAUSE)
            .build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let share = Sampler::TraceIdRatioBased(percent as f64 / 100.0);
        let resource = Resource::builder_empty()
            .with_service_name("glovebox")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_sampler(Sampler::ParentBased(Box::new(share)))
            .with_resource(resource)
            .build();
        global::set_tracer_provider(provider.clone());
        Ok(Exporter(provider))
    }

    /// Sends what is left, if the collector takes it in time. Blocks.
    pub fn stop(self) {
        if let Err(error) = self.0.shutdown_with_timeout(PATIENCE) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// A piece of work that is under way; over when this is dropped. Without an exporter it is nothing.
pub struct Span(Context);

impl Span {
    /// A request: part of the caller's trace if its headers name one.
    #[must_use]
    pub fn of_request(method: &str, route: &str, headers: &axum::http::HeaderMap) -> Span {
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
        let tracer = global::tracer("glovebox");
        let span = tracer
            .span_builder(format!("{method} {route}"))
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("http.request.method", method.to_owned()),
                KeyValue::new("http.route", route.to_owned()),
            ])
            .start_with_context(&tracer, &parent);
        Span(parent.with_span(span))
    }

    /// Part of what the calling task does at present.
    #[must_use]
    pub fn new(name: &'static str) -> Span {
        let (tracer, parent) = (global::tracer("glovebox"), Context::current());
        Span(parent.with_span(tracer.span_builder(name).start_with_context(&tracer, &parent)))
    }

    /// Notes a fact: an id, a name of ours, a size, an ending. Never what a caller wrote.
    pub fn note(&self, key: &'static str, value: impl Into<Value>) {
        self.0.span().set_attribute(KeyValue::new(key, value));
    }

    /// Notes that it failed, with a word of ours.
    pub fn fail(&self, why: &'static str) {
        self.0.span().set_status(Status::error(why));
    }

    /// Does `work` as this span: spans made in it are its parts.
    pub async fn around<T>(&self, work: impl Future<Output = T>) -> T {
        work.with_context(self.0.clone()).await
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.0.span().end();
    }
}

/// Lets a task that is about to be spawned be part of what the present one does.
pub fn here<F: Future>(task: F) -> impl Future<Output = F::Output> {
    task.with_current_context()
}

struct Headers<'a>(&'a axum::http::HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}
