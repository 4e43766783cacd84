//! Lines that every chart has: colours, labels, saving.

use super::super::python::py_str;
use super::{Script, View};
use crate::engine::sample::Column;

/// Colour of charts with one series.
pub const COLOR: &str = "#4C78A8";
const COLORS: &str =
    "['#4C78A8', '#F58518', '#54A24B', '#E45756', '#72B7B2', '#B279A2', '#EECA3B', '#9D755D', '#FF9DA6', '#BAB0AC']";

/// A figure with one set of axes, `ax`.
pub fn open(script: &mut Script, view: &View, size: &str) {
    prepare(script, view);
    script.line(format!("fig, ax = plt.subplots(figsize=({size}))"));
}

/// Imports and settings.
pub fn prepare(script: &mut Script, view: &View) {
    script.import("import matplotlib.pyplot as plt");
    script.setting(&format!("plt.rcParams['axes.prop_cycle'] = plt.cycler(\n    color={COLORS},\n)"));
    let formula =
        |column: &Column| column.name.contains('$') || column.top.iter().any(|(value, _)| value.contains('$'));
    if view.table.columns.iter().any(formula) {
        script.setting("plt.rcParams['text.parse_math'] = False  # a dollar sign is a dollar sign");
    }
}

/// Title and axis labels.
pub fn labels(script: &mut Script, title: &str, x: &str, y: &str) {
    script.line(format!("ax.set_title({})", py_str(title)));
    script.line(format!("ax.set_xlabel({})", py_str(x)));
    script.line(format!("ax.set_ylabel({})", py_str(y)));
}

/// A quiet frame with a grid along one axis.
pub fn frame(script: &mut Script, grid: &str) {
    script.line("ax.spines[['top', 'right']].set_visible(False)");
    script.line(format!("ax.grid(axis='{grid}', alpha=0.3)"));
    script.line("ax.set_axisbelow(True)");
}

/// Large numbers with commas instead of powers of ten.
pub fn commas(script: &mut Script, axis: &str) {
    script.line(format!("ax.{axis}axis.set_major_formatter('{{x:,.10g}}')"));
}

/// Writes the picture and shows it.
pub fn save(script: &mut Script, name: &str) {
    let name: String = name.chars().take(60).collect();
    script.line(format!("plt.savefig({}, dpi=120, bbox_inches='tight')", py_str(&format!("{name}.png"))));
    script.line("plt.show()");
}

/// True if labels of this column's values need room.
pub fn wordy(column: Option<&Column>) -> bool {
    column.is_some_and(|column| column.distinct > 8 || column.top.iter().any(|(value, _)| value.chars().count() > 14))
}
