//! Work: what the stages share while one question is answered, and the one way in which they ask a model.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::sample::Sample;
use super::{Answer, AnswerEvent, Ask, Attempt, Details, EngineError, Stage, TokenUsage, prompt};
use crate::llm::{Completion, Llm, LlmError, Reply};
use crate::traces::Span;

/// What the stages share.
pub(super) struct Work<'a> {
    pub(super) ask: &'a Ask,
    pub(super) model: Arc<dyn Llm>,
    pub(super) samples: Vec<Sample>,
    pub(super) on_event: &'a mut (dyn FnMut(AnswerEvent) + Send),
    pub(super) cancel: &'a CancellationToken,
    pub(super) usage: TokenUsage,
    pub(super) details: Details,
    deadline: Instant,
}

/// Why a model is not asked any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The user wants no answer.
    Cancelled,
    /// A budget is used up; which one, in words.
    Spent(String),
}

impl Stop {
    /// Continues `There was no further attempt: …`.
    pub(super) fn reason(self) -> String {
        match self {
            Stop::Cancelled => "the question was cancelled".into(),
            Stop::Spent(reason) => reason,
        }
    }
}

impl<'a> Work<'a> {
    pub(super) fn new(
        ask: &'a Ask,
        model: Arc<dyn Llm>,
        on_event: &'a mut (dyn FnMut(AnswerEvent) + Send),
        cancel: &'a CancellationToken,
    ) -> Work<'a> {
        let details = Details { prompt_version: prompt::versions(), effort: ask.effort, ..Details::default() };
        let deadline = Instant::now() + Duration::from_secs(ask.effort.max_seconds);
        Work { ask, model, samples: Vec::new(), on_event, cancel, usage: TokenUsage::default(), details, deadline }
    }

    pub(super) fn stage(&mut self, stage: Stage, attempt: usize, message: String) {
        let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
        (self.on_event)(AnswerEvent::Stage { stage, attempt, message });
    }

    /// Time until the answer has to be there; `None` if it is over.
    pub(super) fn time_left(&self) -> Option<Duration> {
        self.deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// The budget that is used up.
    pub(super) fn spent(&self) -> Option<String> {
        let effort = &self.ask.effort;
        let tokens = self.usage.input_tokens.saturating_add(self.usage.output_tokens);
        if self.time_left().is_none() {
            return Some(self.too_late());
        }
        if tokens >= effort.max_tokens {
            return Some(format!("the answer has used {tokens} tokens, and it may use {}", effort.max_tokens));
        }
        let dollars = |micro: u64| micro as f64 / 1_000_000.0;
        (self.usage.cost_micro_usd >= effort.max_cost_micro_usd).then(|| {
            let (cost, most) = (dollars(self.usage.cost_micro_usd), dollars(effort.max_cost_micro_usd));
            format!("the answer has cost {cost:.4} US dollars, and it may cost {most}")
        })
    }

    fn too_late(&self) -> String {
        format!("the {} seconds that an answer may take are over", self.ask.effort.max_seconds)
    }

    /// Asks the model and adds up what it used.
    pub(super) async fn complete(&mut self, completion: &Completion) -> Result<Result<Reply, Stop>, EngineError> {
        if let Some(reason) = self.spent() {
            return Ok(Err(Stop::Spent(reason)));
        }
        let on_event = &mut *self.on_event;
        let span = Span::new("model");
        span.note("gen_ai.request.model", self.model.name().to_owned());
        let mut on_text = |text: &str| on_event(AnswerEvent::Text { text: text.to_owned() });
        let reply = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Ok(Err(Stop::Cancelled)),
            reply = tokio::time::timeout_at(self.deadline, span.around(self.model.complete(completion, &mut on_text))) => reply,
        };
        let Ok(reply) = reply else {
            // What it had used by then is not known.
            self.usage.calls += 1;
            return Ok(Err(Stop::Spent(self.too_late())));
        };
        let reply = reply.inspect_err(|_| span.fail("the model gave no usable reply"))?;
        span.note("gen_ai.usage.input_tokens", i64::try_from(reply.usage.input_tokens).unwrap_or(i64::MAX));
        span.note("gen_ai.usage.output_tokens", i64::try_from(reply.usage.output_tokens).unwrap_or(i64::MAX));
        self.usage.add(reply.usage);
        Ok(Ok(reply))
    }

    /// Asks for several completions at once. What has come when a budget is used up is given back; an error counts
    /// only if nothing came.
    pub(super) async fn complete_all(
        &mut self,
        completions: &[Completion],
    ) -> Result<Result<Vec<Reply>, Stop>, EngineError> {
        if let Some(reason) = self.spent() {
            return Ok(Err(Stop::Spent(reason)));
        }
        let model = Arc::clone(&self.model);
        let asked = completions.iter().enumerate().map(|(number, completion)| {
            let model = Arc::clone(&model);
            // Several replies at once would be read as one mixed text.
            async move {
                let span = Span::new("model");
                span.note("gen_ai.request.model", model.name().to_owned());
                (number, span.around(model.complete(completion, &mut |_| {})).await)
            }
        });
        let mut coming: FuturesUnordered<_> = asked.collect();
        let mut replies: Vec<(usize, Reply)> = Vec::new();
        let mut failed: Option<LlmError> = None;
        while !coming.is_empty() {
            let next = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Ok(Err(Stop::Cancelled)),
                next = tokio::time::timeout_at(self.deadline, coming.next()) => next,
            };
            match next {
                Ok(Some((number, Ok(reply)))) => {
                    self.usage.add(reply.usage);
                    replies.push((number, reply));
                    self.stage(Stage::Generating, 1, format!("reply {} of {}", replies.len(), completions.len()));
                }
                Ok(Some((_, Err(error)))) => failed = failed.or(Some(error)),
                Ok(None) | Err(_) => break,
            }
            if self.spent().is_some() {
                break;
            }
        }
        let left = coming.len() as u64;
        drop(coming);
        self.usage.calls += left;
        if replies.is_empty() {
            return match failed {
                Some(error) => Err(error.into()),
                None => Ok(Err(Stop::Spent(self.spent().unwrap_or_else(|| self.too_late())))),
            };
        }
        replies.sort_by_key(|(number, _)| *number);
        Ok(Ok(replies.into_iter().map(|(_, reply)| reply).collect()))
    }

    /// An answer in words, since no program was run.
    pub(super) fn without_run(self, explanation: String, program: String, attempts: Vec<Attempt>) -> Answer {
        Answer {
            explanation,
            program,
            outcome: None,
            suggestions: Vec::new(),
            attempts,
            usage: self.usage,
            model: self.model.name().to_owned(),
            details: self.details,
        }
    }
}
