//! Effort: how much one answer may take. The operator sets it, a question may ask for less.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most programs that are tried side by side.
pub const MOST_CANDIDATES: u32 = 8;
/// Most repairs that a question can ask for.
pub const MOST_REPAIRS: u32 = 10;
/// Millionths in one.
const MICRO: f64 = 1_000_000.0;

/// How much one answer may take. When a budget is used up, what exists by then is the answer, and it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Effort {
    /// Programs that are asked for and run side by side; the best one is kept. Default 1.
    pub candidates: u32,
    /// Programs that may be asked for in place of one that failed. Default 3.
    pub max_repairs: u32,
    /// Tokens sent and received, summed over all calls. Checked between calls, so that the last one may exceed it.
    /// Default 200 000.
    pub max_tokens: u64,
    /// Seconds from the beginning to the end; waiting for a free worker or the model counts. Default 600.
    pub max_seconds: u64,
    /// What the calls may cost, in millionths of a US dollar; checked as the tokens are. Default 1 000 000.
    pub max_cost_micro_usd: u64,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort { candidates: 1, max_repairs: 3, max_tokens: 200_000, max_seconds: 600, max_cost_micro_usd: 1_000_000 }
    }
}

/// What a question asks for; `None` leaves a setting as the operator has it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wanted {
    /// See [`Effort::candidates`].
    pub candidates: Option<u32>,
    /// See [`Effort::max_repairs`].
    pub max_repairs: Option<u32>,
    /// See [`Effort::max_tokens`].
    pub max_tokens: Option<u64>,
    /// See [`Effort::max_seconds`].
    pub max_seconds: Option<u64>,
    /// See [`Effort::max_cost_micro_usd`]; in US dollars.
    pub max_cost_usd: Option<f64>,
}

impl Effort {
    /// The operator's settings with what a question asks for.
    ///
    /// # Errors
    ///
    /// Names the setting that is out of range: budgets can only be made smaller.
    pub fn with(self, wanted: Wanted) -> Result<Effort, String> {
        let number = |name: &str, wanted: Option<u64>, default: u64, least: u64, most: u64| match wanted {
            Some(number) if !(least..=most).contains(&number) => {
                Err(format!("{name} must be between {least} and {most} here, not {number}"))
            }
            wanted => Ok(wanted.unwrap_or(default)),
        };
        let small = |name, wanted: Option<u32>, default: u32, least, most: u32| {
            let number = number(name, wanted.map(u64::from), default.into(), least, most.into())?;
            Ok::<u32, String>(u32::try_from(number).unwrap_or(most))
        };
        let most = self.max_cost_micro_usd as f64 / MICRO;
        let cost = match wanted.max_cost_usd {
            Some(usd) if !(usd > 0.0 && usd <= most) => {
                return Err(format!("max_cost_usd must be above 0 and at most {most} here, not {usd}"));
            }
            Some(usd) => ((usd * MICRO).ceil() as u64).min(self.max_cost_micro_usd),
            None => self.max_cost_micro_usd,
        };
        let most_repairs = MOST_REPAIRS.max(self.max_repairs);
        Ok(Effort {
            candidates: small("candidates", wanted.candidates, self.candidates, 1, MOST_CANDIDATES)?,
            max_repairs: small("max_repairs", wanted.max_repairs, self.max_repairs, 0, most_repairs)?,
            max_tokens: number("max_tokens", wanted.max_tokens, self.max_tokens, 1, self.max_tokens)?,
            max_seconds: number("max_seconds", wanted.max_seconds, self.max_seconds, 1, self.max_seconds)?,
            max_cost_micro_usd: cost,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_can_ask_for_less_but_not_for_more() {
        let base = Effort::default();
        assert_eq!(base.with(Wanted::default()), Ok(base));
        let less = Wanted { max_tokens: Some(10), max_cost_usd: Some(0.25), candidates: Some(8), ..Wanted::default() };
        let less = base.with(less).unwrap();
        assert_eq!((less.max_tokens, less.max_cost_micro_usd, less.candidates), (10, 250_000, 8));
        for more in [
            Wanted { max_tokens: Some(200_001), ..Wanted::default() },
            Wanted { max_tokens: Some(0), ..Wanted::default() },
            Wanted { max_seconds: Some(601), ..Wanted::default() },
            Wanted { max_cost_usd: Some(1.5), ..Wanted::default() },
            Wanted { max_cost_usd: Some(f64::NAN), ..Wanted::default() },
            Wanted { candidates: Some(9), ..Wanted::default() },
            Wanted { candidates: Some(0), ..Wanted::default() },
            Wanted { max_repairs: Some(11), ..Wanted::default() },
        ] {
            assert!(base.with(more).is_err(), "{more:?}");
        }
    }
}
