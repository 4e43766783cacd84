//! Words that tell the figure, the chart, the step of time and the end of a ranking.

use super::super::columns::{is_measure, searched, span_days};
use super::super::plan::{Agg, Chart, Every, Order};
use super::super::python::name_words;
use super::Reading;

impl Reading<'_> {
    pub(super) fn chart(&self) -> Chart {
        let kinds: &[(&[&str], Chart)] = &[
            (&["histogram", "histograms", "hist"], Chart::Histogram),
            (&["boxplot", "boxplots", "box", "whisker", "whiskers"], Chart::Box),
            (&["violin", "violins", "violinplot"], Chart::Violin),
            (&["scatter", "scatterplot", "scatterplots"], Chart::Scatter),
            (&["heatmap", "heat"], Chart::Heatmap),
            (&["pie", "donut", "doughnut"], Chart::Pie),
            (&["area"], Chart::Area),
            (&["bar", "bars", "barchart", "barplot", "columnchart"], Chart::Bar),
            (&["line", "lines", "linechart", "lineplot"], Chart::Line),
        ];
        kinds.iter().find(|(words, _)| self.has(words)).map_or(Chart::Auto, |(_, chart)| *chart)
    }

    pub(super) fn agg(&self) -> Option<Agg> {
        if self.says("standard deviation") || self.has(&["std", "variability", "deviation"]) {
            return Some(Agg::Std);
        }
        if self.has(&["distinct", "unique"]) || (self.has(&["different"]) && self.has(&["many", "number", "count"])) {
            return Some(Agg::Distinct);
        }
        let kinds: &[(&[&str], Agg)] = &[
            (&["average", "avg", "mean", "means", "averages", "typical", "typically"], Agg::Mean),
            (&["median", "medians"], Agg::Median),
            (&["sum", "total", "totals", "sums", "combined", "overall", "altogether"], Agg::Sum),
        ];
        if let Some((_, agg)) = kinds.iter().find(|(words, _)| self.has(words)) {
            return Some(*agg);
        }
        let counted = self.says("how many")
            || self.says("how often")
            || self.says("number of")
            || self.has(&["count", "counts", "frequency", "frequencies", "tally"]);
        if counted {
            return Some(if self.measures.is_empty() || !self.has(&["much"]) { Agg::Count } else { Agg::Sum });
        }
        if self.says("how much") {
            return Some(Agg::Sum);
        }
        if self.has(&["max", "maximum", "peak", "maxima"]) {
            return Some(Agg::Max);
        }
        self.has(&["min", "minimum", "minima"]).then_some(Agg::Min)
    }

    pub(super) fn every(&self) -> Option<Every> {
        let of_year = [
            "month of the year",
            "calendar month",
            "month of year",
            "months of the year",
            "which month",
            "what month",
            "seasonal pattern",
        ];
        if of_year.iter().any(|phrase| self.says(phrase)) || self.has(&["seasonal", "seasonality"]) {
            return Some(Every::MonthOfYear);
        }
        if ["day of the week", "day of week", "days of the week", "which weekday"].iter().any(|p| self.says(p))
            || self.has(&["weekday", "weekdays"])
        {
            return Some(Every::Weekday);
        }
        let step = |word: &str| match word {
            "day" | "days" => Some(Every::Day),
            "week" | "weeks" => Some(Every::Week),
            "month" | "months" => Some(Every::Month),
            "quarter" | "quarters" => Some(Every::Quarter),
            "year" | "years" => Some(Every::Year),
            "hour" | "hours" => Some(Every::Hour),
            _ => None,
        };
        for pair in self.words.windows(2) {
            if matches!(
                pair[0],
                "by" | "per" | "each" | "every" | "a" | "which" | "what" | "of" | "and" | "across" | "between"
            ) {
                let known = step(pair[1]).filter(|_| pair[0] != "of" || self.says("hour of"));
                let known = known.filter(|every| !matches!(pair[0], "which" | "what") || *every != Every::Day);
                if known.is_some() {
                    return known;
                }
            }
        }
        let named: &[(&[&str], Every)] = &[
            (&["daily"], Every::Day),
            (&["weekly"], Every::Week),
            (&["monthly"], Every::Month),
            (&["quarterly"], Every::Quarter),
            (&["yearly", "annual", "annually"], Every::Year),
            (&["hourly"], Every::Hour),
        ];
        named.iter().find(|(words, _)| self.has(words)).map(|(_, every)| *every)
    }

    /// `top 5`, `the 3 smallest`, `which … has the highest`: how many, and from which end.
    pub(super) fn top(&self) -> Option<(Option<usize>, Order)> {
        const HIGH: &[&str] = &[
            "top",
            "highest",
            "largest",
            "biggest",
            "most",
            "best",
            "greatest",
            "max",
            "maximum",
            "longest",
            "heaviest",
            "hottest",
            "warmest",
            "windiest",
            "wettest",
            "rainiest",
            "oldest",
            "richest",
            "tallest",
            "widest",
            "deepest",
            "strongest",
            "fastest",
            "peak",
        ];
        const LOW: &[&str] = &[
            "bottom", "lowest", "smallest", "least", "worst", "fewest", "min", "minimum", "shortest", "lightest",
            "coldest", "coolest", "youngest", "cheapest", "poorest", "driest", "slowest", "weakest",
        ];
        let order = if self.has(LOW) {
            Order::Ascending
        } else if self.has(HIGH) {
            Order::Descending
        } else {
            return None;
        };
        let near = |at: usize| {
            let next = self.words.get(at + 1).copied().unwrap_or("");
            let before = if at > 0 { self.words[at - 1] } else { "" };
            let marks = |word: &str| HIGH.contains(&word) || LOW.contains(&word);
            marks(before) || marks(next)
        };
        let count = self
            .numbers
            .iter()
            .find(|(at, value)| near(*at) && *value >= 1.0)
            .map(|(_, value)| value.min(1000.0) as usize);
        Some((count, order))
    }

    /// The column that an adjective speaks of: `heaviest` is about a mass.
    pub(super) fn adjective_measure(&self) -> Option<usize> {
        const MEANINGS: &[(&[&str], &[&str])] = &[
            (&["heaviest", "lightest", "heavy", "weigh"], &["mass", "weight"]),
            (&["longest"], &["length", "duration", "runtime"]),
            (&["shortest"], &["length", "height", "duration"]),
            (&["tallest"], &["height"]),
            (&["hottest", "warmest", "hot", "warm"], &["max", "temp", "temperature"]),
            (&["coldest", "coolest", "cold"], &["min", "temp", "temperature"]),
            (&["windiest", "windy"], &["wind"]),
            (
                &["wettest", "rainiest", "driest", "rainy", "rain", "rained", "wet", "dry"],
                &["precipitation", "rain", "rainfall"],
            ),
            (&["oldest", "youngest", "old"], &["age"]),
            (&["cheapest", "expensive"], &["price", "cost"]),
            (&["selling", "sold"], &["sales", "revenue", "quantity", "units"]),
            (&["richest", "poorest", "earning"], &["income", "salary", "wealth"]),
            (&["fastest", "slowest"], &["speed", "velocity", "time"]),
        ];
        let (_, names) = MEANINGS.iter().find(|(words, _)| self.has(words))?;
        let score = |at: usize| {
            let words = name_words(&self.table.columns[at].name).0;
            names.iter().filter(|name| words.iter().any(|word| word == *name)).count()
        };
        let all = (0..searched(self.table).len()).filter(|&at| is_measure(&self.table.columns[at]) && score(at) > 0);
        all.max_by_key(|&at| (score(at), usize::MAX - at))
    }

    /// Steps that suit the length of a time column.
    pub(super) fn natural_step(&self, time: usize) -> Every {
        match span_days(&self.table.columns[time]) {
            Some(days) if days > 365.0 * 12.0 => Every::Year,
            Some(days) if days > 365.0 => Every::Month,
            Some(days) if days > 100.0 => Every::Week,
            Some(_) => Every::Day,
            None => Every::Month,
        }
    }

    /// True if a group column was asked for, not only mentioned.
    pub(super) fn marked_group(&self) -> bool {
        self.all_has(&["by", "per", "each", "every", "which", "what", "across"])
    }

    pub(super) fn plural_rows(&self) -> bool {
        self.has(&["list", "rows", "top", "bottom", "show"])
    }

    /// `highest` and `lowest` as figures, in contrast to `top` and `most`.
    pub(super) fn says_figure(&self, order: Order) -> bool {
        match order {
            Order::Descending => self.has(&["highest", "max", "maximum", "largest", "biggest", "peak", "longest"]),
            Order::Ascending => self.has(&["lowest", "min", "minimum", "smallest", "shortest"]),
        }
    }

    pub(super) fn overview_words(&self) -> bool {
        let topics = [
            "overview",
            "describe",
            "summarise",
            "summarize",
            "summary",
            "explore",
            "profile",
            "analyse",
            "analyze",
            "analysis",
            "columns",
            "schema",
            "structure",
            "insights",
            "statistics",
            "stats",
            "understand",
        ];
        let special = [
            "missing",
            "clean",
            "correlation",
            "correlations",
            "correlate",
            "outliers",
            "duplicates",
            "unique",
            "pivot",
        ];
        let asks = ["what is in", "what s in", "tell me about", "what does", "what is this", "look like"]
            .iter()
            .any(|phrase| self.says(phrase));
        (asks || self.has(&topics)) && !self.has(&special)
    }
}
