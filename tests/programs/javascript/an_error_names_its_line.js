const rows = [{ a: 1 }];
function total(row) {
  return row.b.c;
}
rows.map(total);
