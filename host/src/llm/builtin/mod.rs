//! `builtin`: the model of a machine without key and network. It plans by rules.
//!
//! ```text
//! question  question + samples → Plan      which file, which columns, which intent
//! followup  question + history → Plan      the plan before, changed by a question that goes on from it
//! program   Plan               → Python    real pandas, matplotlib and Pillow
//! explain   Plan + output      → Markdown  what was done, what came out, what was assumed
//! repair    Plan + error       → Python    the same with more care, or a plain overview
//! ```
//!
//! The plan is a value between the two: tests compare plans, and an explanation plans again.

mod columns;
mod describe;
mod explain;
mod filters;
mod followup;
mod image_question;
mod mentions;
mod numerals;
mod plan;
mod program;
mod python;
mod question;
mod repair;
mod steps;
mod suggest;
mod table_question;
#[cfg(test)]
mod tests;
mod unknown;
mod words;

use async_trait::async_trait;

use super::{Completion, Llm, LlmError, PlanContext, Purpose, Reply};
use crate::engine::TokenUsage;
use crate::engine::sample::Sample;
use plan::Plan;

/// Characters of a streamed piece: small enough to be seen arriving.
const PIECE: usize = 48;

/// The rule-based planner as a model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Builtin;

impl Builtin {
    /// The planner. It has no settings and no state.
    #[must_use]
    pub fn new() -> Self {
        Builtin
    }
}

#[async_trait]
impl Llm for Builtin {
    fn name(&self) -> &str {
        "builtin"
    }

    async fn complete(
        &self,
        request: &Completion,
        on_text: &mut (dyn for<'t> FnMut(&'t str) + Send),
    ) -> Result<Reply, LlmError> {
        let text = reply(request.purpose, &request.context);
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let end = rest.char_indices().nth(PIECE).map_or(rest.len(), |(at, _)| at);
            let (piece, tail) = rest.split_at(end);
            on_text(piece);
            rest = tail;
        }
        let usage = TokenUsage { calls: 1, ..TokenUsage::default() };
        Ok(Reply { text, usage, truncated: false })
    }
}

/// Three or four questions that could be asked about the files, all understood by the planner.
#[must_use]
pub fn suggestions(samples: &[Sample]) -> Vec<String> {
    suggest::suggestions(&numerals::understood(samples))
}

fn reply(purpose: Purpose, context: &PlanContext) -> String {
    let context = &PlanContext { samples: numerals::understood(&context.samples), ..context.clone() };
    let followup::Understanding { plan, from } = followup::plan(context);
    match purpose {
        Purpose::Generate => with_program(
            &plan,
            context,
            &introduction(&plan, from.as_deref()),
            &program::render(&plan, &context.samples),
        ),
        Purpose::Repair => {
            let earlier = context.program.as_deref().unwrap_or("");
            let error = context.result.as_deref().unwrap_or("");
            let program = repair::repair(&plan, &context.samples, earlier, error);
            with_program(
                &plan,
                context,
                "The program failed. This one does the same with more care, or less of it if it must.",
                &program,
            )
        }
        Purpose::Explain => explain::explain(context, &plan, from.as_deref()),
    }
}

fn introduction(plan: &Plan, from: Option<&str>) -> String {
    if let Some(from) = from {
        return format!("This goes on from “{}”. Plan: {}", python::plain(from), describe::sentence(plan));
    }
    if describe::understood(plan) {
        return format!("Plan: {}", describe::sentence(plan));
    }
    format!(
        "The question was not understood by the rule-based planner, so here is an overview of the file instead. {}\n\nPlan: {}",
        explain::CONFIGURE,
        describe::sentence(plan)
    )
}

fn with_program(plan: &Plan, context: &PlanContext, introduction: &str, program: &str) -> String {
    let mut text = format!("{introduction}\n\n```python\n{program}```\n");
    let next = suggest::next(plan, &context.samples);
    if !next.is_empty() {
        text += "\nNext questions:\n";
        for question in next {
            text += &format!("- {question}\n");
        }
    }
    text
}
