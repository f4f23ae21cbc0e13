//! Plain tables for the commands.

use crate::session::clean;

/// Bytes of one cell at most.
const CELL_MAX: usize = 512;

/// Aligned columns with two spaces between them, a line per row, the headers first. Cells are cleaned;
/// a row that is short ends early.
pub fn render(headers: &[&str], rows: &[Vec<String>]) -> String {
    let headers = headers.iter().map(|header| clean(header, CELL_MAX)).collect();
    let rows = rows.iter().map(|row| row.iter().map(|cell| clean(cell, CELL_MAX)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(headers).chain(rows).collect();

    let mut widths: Vec<usize> = Vec::new();
    for line in &lines {
        widths.resize(widths.len().max(line.len()), 0);
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut table = String::new();
    for line in &lines {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        table.push_str(cells.join("  ").trim_end());
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn columns_are_aligned_and_cells_harmless() {
        let row = |cells: [&str; 3]| cells.map(String::from).to_vec();
        let rows = [
            row(["db-primary", "svc-ansible", "reap"]),
            row(["ü", "evil\u{1b}[2J\nforged \"row", "keep"]),
            row(["", "", ""]),
            vec![String::from("short")],
        ];
        expect![[r#"
            ILO         OWNER                          VERDICT
            db-primary  svc-ansible                    reap
            ü           evil\u{1b}[2J\u{a}forged "row  keep

            short
        "#]]
        .assert_eq(&render(&["ILO", "OWNER", "VERDICT"], &rows));
        assert_eq!(render(&["ILO"], &[]), "ILO\n");
    }
}
