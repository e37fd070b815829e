//! Tables that cut nothing: where a row is too wide for the terminal, long names get a line of
//! their own; if that isn't enough, every row is broken into lines.

use std::ops::Range;

use wxgate::app::layout::{columns, printable};
use wxgate::texts::translated;

/// Between two columns.
const GAP: usize = 2;
/// Before the lines of a row but the first.
const INDENT: usize = 2;
/// The least that is left to the names in the first column.
const NAMES: usize = 12;

/// Which side of its column a cell stands at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Rows of equal columns, each as wide as what is in it.
pub(super) struct Table<const N: usize> {
    head: [(&'static str, Side); N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// An empty one with these headers, in the language of the process.
    pub(super) fn new(head: [(&'static str, Side); N]) -> Self {
        Self { head: head.map(|(header, side)| (translated(header), side)), rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn add(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| printable(&cell)));
    }

    /// How it is printed where a line has `width` columns, or any number.
    pub(super) fn laid_out(&self, width: Option<usize>) -> Layout<'_, N> {
        let mut widths = self.head.map(|(header, _)| columns(header));
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = columns(cell).max(*width);
            }
        }
        let others: usize = widths.iter().skip(1).map(|column| GAP + column).sum();
        let left = width.map_or(widths[0], |width| width.saturating_sub(others));
        if left < widths[0] && left >= NAMES {
            widths[0] = left;
        }
        let mut lines: Vec<Range<usize>> = Vec::new();
        let mut used = 0;
        for (index, column) in widths.iter().enumerate() {
            match lines.last_mut() {
                Some(line) if width.is_none_or(|width| used + GAP + column <= width) => {
                    line.end = index + 1;
                    used += GAP + column;
                }
                first => {
                    used = column + if first.is_some() { INDENT } else { 0 };
                    lines.push(index..index + 1);
                }
            }
        }
        Layout { table: self, widths, lines }
    }
}

/// A table as it fits somewhere.
pub(super) struct Layout<'t, const N: usize> {
    table: &'t Table<N>,
    widths: [usize; N],
    /// The columns of each line of a row.
    lines: Vec<Range<usize>>,
}

impl<const N: usize> Layout<'_, N> {
    /// The headers.
    pub(super) fn head(&self) -> String {
        self.row_of(&self.table.head.map(|(header, _)| header), |_, cell| cell)
    }

    /// A row; none where there is none.
    pub(super) fn row(&self, index: usize) -> String {
        self.painted(index, |_, cell| cell)
    }

    /// A row whose cells are painted, by their column, after they were padded: what colours them
    /// has no width.
    pub(super) fn painted(&self, index: usize, paint: impl Fn(usize, String) -> String) -> String {
        let row = self.table.rows.get(index);
        row.map(|row| self.row_of(&row.each_ref().map(String::as_str), paint)).unwrap_or_default()
    }

    /// The headers and all rows.
    pub(super) fn all(&self) -> String {
        let rows = (0..self.table.rows.len()).map(|row| self.row(row));
        std::iter::once(self.head()).chain(rows).collect()
    }

    fn row_of(&self, cells: &[&str; N], paint: impl Fn(usize, String) -> String) -> String {
        let mut cells = *cells;
        let mut text = String::new();
        if columns(cells[0]) > self.widths[0] {
            text = format!("{}\n", std::mem::take(&mut cells[0]));
        }
        for (nth, line) in self.lines.iter().enumerate() {
            let mut out = " ".repeat(if nth == 0 { 0 } else { INDENT });
            for index in line.clone() {
                let pad = " ".repeat(self.widths[index].saturating_sub(columns(cells[index])));
                out += &" ".repeat(if index == line.start { 0 } else { GAP });
                let cell = match self.table.head[index].1 {
                    Side::Left => format!("{}{pad}", cells[index]),
                    Side::Right => format!("{pad}{}", cells[index]),
                };
                out += &paint(index, cell);
            }
            text += out.trim_end();
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Side, Table};

    fn table() -> Table<3> {
        let mut table = Table::new([("NAME", Side::Left), ("CALLS", Side::Right), ("BY", Side::Left)]);
        table.add(["/cgi-bin/a".into(), "1".into(), "orders".into()]);
        table.add(["服务".into(), "1,000,000".into(), "a\u{1b}[2J".into()]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let expected =
            "NAME            CALLS  BY\n/cgi-bin/a          1  orders\n服务        1,000,000  a [2J\n";
        for width in [None, Some(80), Some(29)] {
            assert_eq!(table().laid_out(width).all(), expected);
        }
    }

    #[test]
    fn a_long_name_gets_a_line_of_its_own() {
        let mut table = table();
        table.add(["/cgi-bin/a/longer/path".into(), "2".into(), "-".into()]);
        let expected = "\
NAME              CALLS  BY
/cgi-bin/a            1  orders
服务          1,000,000  a [2J
/cgi-bin/a/longer/path
                      2  -
";
        assert_eq!(table.laid_out(Some(31)).all(), expected);
    }

    #[test]
    fn what_does_not_fit_goes_on_in_the_next_line_and_nothing_is_cut() {
        let text = table().laid_out(Some(25)).all();
        let expected =
            "NAME            CALLS\n  BY\n/cgi-bin/a          1\n  orders\n服务        1,000,000\n  a [2J\n";
        assert_eq!(text, expected);
        let text = table().laid_out(Some(3)).all();
        assert!(text.ends_with("服务\n  1,000,000\n  a [2J\n"), "{text}");
    }
}
